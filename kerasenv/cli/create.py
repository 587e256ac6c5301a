"""kerasenv create"""  # noqa: D400, D415  # the name of the verb

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from kerasenv.cli import options
from kerasenv.cli.making import outcome_of
from kerasenv.cli.parameter import option
from kerasenv.workflow.create import create as make
from kerasenv.workflow.plan import Making

if TYPE_CHECKING:
    from kerasenv.outcome import Outcome
    from kerasenv.workflow.make import Made


def create(
    profile: options.ProfileName,
    folder: options.Folder = options.DEFAULT_FOLDER,
    *,
    python: options.Python = None,
    python_downloads: options.PythonDownloads = None,
    lock: Annotated[
        Path | None, option("--lock", metavar="FILE", help="The lock to use or to write.", show_default=False)
    ] = None,
    variant: options.VariantName = None,
    with_: options.Extra = None,
    requirements: options.RequirementFiles = None,
    upgrade: Annotated[
        bool, option("--upgrade", help="Resolve anew instead of using the lock that is there; show what changes.")
    ] = False,
    only_binary: options.OnlyBinary = False,
    as_of: options.AsOf = None,
    engine: options.EngineName = None,
    index_url: options.IndexUrl = None,
    offline: options.Offline = False,
    force: options.Force = False,
    no_smoke: options.NoSmoke = False,
    no_hooks: options.NoHooks = False,
    no_startup: options.NoStartup = False,
) -> "Outcome[Made]":
    """Make a profile's environment: Python, lock, packages, hooks, and a model that proves it.

    A lock that is already there is used as it is; otherwise pylock.PROFILE.toml is written for you to commit.
    What --with and -r ask for is added to it, and its other versions stay.
    """
    made = make(
        profile,
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
        variant=variant,
        extra=options.extra_from(with_, requirements),
        lock_path=options.file_from(lock) if lock else None,
        upgrade=upgrade,
        only_binary=only_binary,
        as_of=options.day_from(as_of),
    )
    return outcome_of(made, folder)
