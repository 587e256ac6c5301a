"""kerasenv rebuild"""  # noqa: D400, D415  # the name of the verb

from pathlib import Path
from typing import Annotated

from packaging.pylock import is_valid_pylock_path

from kerasenv.bundle.archive import is_archive
from kerasenv.cli import options
from kerasenv.cli.making import outcome_of
from kerasenv.cli.parameter import argument
from kerasenv.errors import LockError
from kerasenv.outcome import Outcome
from kerasenv.workflow.make import Made
from kerasenv.workflow.plan import Making
from kerasenv.workflow.rebuild import rebuild as make_from_lock
from kerasenv.workflow.rebuild import rebuild_bundle


def rebuild(
    lockfile: Annotated[
        Path | None,
        argument(metavar="LOCKFILE", help="Or a bundle. By default the one pylock.*.toml of this folder."),
    ] = None,
    folder: options.Folder = options.DEFAULT_FOLDER,
    *,
    python: options.Python = None,
    python_downloads: options.PythonDownloads = None,
    engine: options.EngineName = None,
    index_url: options.IndexUrl = None,
    offline: options.Offline = False,
    force: options.Force = False,
    no_smoke: options.NoSmoke = False,
    no_hooks: options.NoHooks = False,
    no_startup: options.NoStartup = False,
) -> Outcome[Made]:
    """Make the environment of a committed lock: nothing is resolved, every file is verified."""
    file = options.file_from(lockfile) if lockfile else the_one_lock(Path.cwd(), "rebuild")
    make = rebuild_bundle if is_archive(file) else make_from_lock
    made = make(
        file,
        Making(
            folder=options.folder_from(folder),
            cwd=Path.cwd(),
            python=python,
            downloads=options.downloads_from(python_downloads, offline=offline),
            engine=options.engine_from(engine),
            index=options.index_from(index_url, offline=offline),
            force=force,
            smoke=not no_smoke,
            activation_hooks=not no_hooks,
            startup_hook=not no_startup,
        ),
    )
    return outcome_of(made, folder)


def the_one_lock(folder: Path, *verb: str) -> Path:
    """Return the lock of a folder; raise LockError if there are several, with what to type instead of `verb` alone."""
    typed = " ".join(("kerasenv", *verb))
    found = sorted(path for path in folder.iterdir() if is_valid_pylock_path(path) and path.is_file())
    if not found:
        raise LockError(
            f"There is no pylock.*.toml in {folder}.",
            hints=[f"Name the lock: {typed} PATH", "Or make one: kerasenv create PROFILE"],
        )
    if len(found) > 1:
        raise LockError(
            f"There are {len(found)} locks in {folder}; which one?",
            looked_at=[path.name for path in found],
            hints=[f"{typed} {found[0].name}"],
        )
    return found[0]
