"""kerasenv export"""  # noqa: D400, D415  # the name of the verb

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kerasenv.cli import options
from kerasenv.cli.parameter import argument, option
from kerasenv.cli.rebuild import the_one_lock
from kerasenv.errors import LockError, UsageError
from kerasenv.exporter import ABOUT
from kerasenv.exporters import EXPORTERS
from kerasenv.lock.foreign import with_promise_of_profile
from kerasenv.lock.lockfile import read_lock, write_file
from kerasenv.outcome import Outcome
from kerasenv.tables import did_you_mean

_NAMES = {"requirements": "requirements.txt", "pylock": "pylock.toml", "conda": "environment.yml"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What was written, or would be."""

    lock: Path
    files: tuple[Path, ...]
    """Those that were written; none if the text went to standard output."""
    text: str
    """The content of the first one."""


def export(
    form: Annotated[str, argument(metavar="|".join(EXPORTERS), help="What is wanted.", show_default=False)],
    lockfile: Annotated[
        Path | None, argument(metavar="LOCKFILE", help="By default the one pylock.*.toml of this folder.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        option(
            "--output", "-o", metavar="FILE", help="Where to write it. Default: standard output.", show_default=False
        ),
    ] = None,
    no_hashes: Annotated[bool, option("--no-hashes", help="Leave the sha256 of files out.")] = False,
) -> Outcome[Exported]:
    """Write a lock in a form that other tools read."""
    if form not in EXPORTERS:
        raise UsageError(f"{form!r} is no form that a lock can be written in.", hints=[did_you_mean(form, EXPORTERS)])
    place = options.file_from(lockfile) if lockfile else the_one_lock(Path.cwd(), "export", form)
    lock = read_lock(place)
    if lock.promise is None:
        lock = with_promise_of_profile(lock, Path.cwd())
    target = options.file_from(output) if output else None
    if target is not None and target.resolve() == place.resolve():
        raise UsageError(f"{output} is the lock itself.", hints=["Name another file: -o FILE"])
    if target is None and form not in _NAMES:
        raise UsageError(f"{form} needs several files.", hints=["Name the first of them: -o requirements.txt"])
    name = target.name if target is not None else _NAMES[form]
    files = EXPORTERS[form].export(lock, name, hashes=not no_hashes)
    if target is None:
        return Outcome(data=Exported(lock=place, files=(), text=files[name]), text=(files[name].rstrip("\n"),))
    if not target.parent.is_dir():
        raise LockError(f"There is no folder {target.parent} to write {name} into.")
    written = tuple(target.parent / one for one in files)
    for beside in written[1:]:
        # Its name follows from another one, and whoever wrote it by hand was not asked
        if beside.exists() and ABOUT.partition("{")[0].encode() not in beside.read_bytes():
            raise UsageError(
                f"{beside.name} is there already, and was not made by kerasenv.",
                looked_at=[f"{form} would write {', '.join(path.name for path in written)}"],
                hints=["Name the first of them differently, and the others follow: -o locked.txt"],
            )
    for path, text in zip(written, files.values(), strict=True):
        write_file(path, text.encode())
    told = ", ".join(path.name for path in written)
    return Outcome(
        data=Exported(lock=place, files=written, text=files[name]),
        text=(f"{told}: {place.name} for {EXPORTERS[form].READERS}.",),
    )
