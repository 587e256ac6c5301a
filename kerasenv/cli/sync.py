"""kerasenv sync"""  # noqa: D400, D415  # the name of the verb

from pathlib import Path
from typing import Annotated

from kerasenv.cli import options
from kerasenv.cli.parameter import option
from kerasenv.outcome import Outcome
from kerasenv.workflow.plan import Making
from kerasenv.workflow.sync import Synced
from kerasenv.workflow.sync import sync as make


def sync(
    folder: options.Folder = options.DEFAULT_FOLDER,
    *,
    lock: options.LockOfEnvironment = None,
    keep_extra: Annotated[bool, option("--keep-extra", help="Leave what the lock doesn't have.")] = False,
    dry_run: Annotated[bool, option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    python: options.Python = None,
    python_downloads: options.PythonDownloads = None,
    engine: options.EngineName = None,
    index_url: options.IndexUrl = None,
    offline: options.Offline = False,
    no_smoke: options.NoSmoke = False,
) -> Outcome[Synced]:
    """Make an environment as its lock says: install, change, repair, and remove what isn't in it.

    Nothing is touched if nothing differs. Until what comes instead is proven, the environment stays as it is.
    """
    synced = make(
        Making(
            folder=options.folder_from(folder),
            cwd=Path.cwd(),
            python=python,
            downloads=options.downloads_from(python_downloads, offline=offline),
            engine=options.engine_from(engine),
            index=options.index_from(index_url, offline=offline),
            smoke=not no_smoke,
        ),
        lock_path=options.file_from(lock) if lock else None,
        keep_extra=keep_extra,
        dry_run=dry_run,
    )
    actions = tuple(str(action) for action in synced.actions)
    name = synced.lock.name
    if not actions:
        return Outcome(data=synced, text=(f"{folder} is as {name} says; nothing was done.",))
    if not synced.done:
        return Outcome(data=synced, text=(f"{folder} is not as {name} says. This would be done:", *actions))
    seconds = f" The model took {synced.smoke.seconds:.1f} s." if synced.smoke else " It was not proven."
    return Outcome(data=synced, text=(f"{folder} is as {name} says now.{seconds}",))
