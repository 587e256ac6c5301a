"""kerasenv bundle"""  # noqa: D400, D415  # the name of the verb

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from kerasenv.bundle.pack import Bundled, pack
from kerasenv.cli import options
from kerasenv.cli.making import as_typed
from kerasenv.cli.parameter import argument, option
from kerasenv.cli.rebuild import the_one_lock
from kerasenv.errors import UsageError
from kerasenv.lock.lockfile import profile_in_name, read_lock
from kerasenv.outcome import Outcome
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS
from kerasenv.tables import did_you_mean


def bundle(
    lockfile: Annotated[
        Path | None, argument(metavar="LOCKFILE", help="By default the one pylock.*.toml of this folder.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        option("--output", "-o", metavar="FILE", help="The bundle to write. Default: NAME.zip, as in the lock's."),
    ] = None,
    platform: Annotated[
        list[str] | None,
        option("--platform", metavar="NAME", help="A machine it is for, such as linux-x86_64; repeatable."),
    ] = None,
    python: Annotated[
        list[str] | None,
        option("--python", metavar="X.Y", help="A Python it is for; repeatable. Default: those of the lock."),
    ] = None,
    with_python: Annotated[
        bool, option("--with-python", help="Pack the interpreter too, which has to be one that uv got.")
    ] = False,
    index_url: options.IndexUrl = None,
) -> Outcome[Bundled]:
    """Pack a lock and every file it needs into one file, from which `rebuild` makes the environment without network."""
    lock = read_lock(options.file_from(lockfile) if lockfile else the_one_lock(Path.cwd(), "bundle"))
    file = options.file_from(output or Path(f"{profile_in_name(lock.path) or 'bundle'}.zip"))
    bundled = pack(
        lock,
        file,
        platforms=[_known(one, PLATFORMS, "platform") for one in platform or ()],
        pythons=[_known(one, KNOWN_PYTHONS, "Python") for one in python or ()],
        with_python=with_python,
        index=options.index_from(index_url, offline=False),
    )
    text = [f"{output or file.name} is ready: {bundled.lock} for {', '.join(map(str, bundled.targets))}."]
    text.append(f"sha256 {bundled.sha256}")
    shown = as_typed(output or Path(file.name))
    return Outcome(
        data=bundled,
        text=tuple(text),
        next_steps=(f"on the other machine   kerasenv rebuild {shown}",),
    )


def _known(text: str, known: Collection[str], what: str) -> str:
    if text not in known:
        raise UsageError(f"There is no {what} {text!r}.", hints=[did_you_mean(text, known)])
    return text
