"""kerasenv create"""  # noqa: D400, D415  # the name of the verb

from pathlib import Path
from typing import Annotated

import typer

from kerasenv.cli import options
from kerasenv.cli.making import outcome_of
from kerasenv.outcome import Outcome
from kerasenv.requirements_file import read_requirements, requirement_of
from kerasenv.workflow import Made, Making
from kerasenv.workflow import create as make


def create(
    profile: options.ProfileName,
    folder: options.Folder = options.DEFAULT_FOLDER,
    *,
    python: options.Python = None,
    lock: Annotated[
        Path | None, typer.Option("--lock", metavar="FILE", help="The lock to use or to write.", show_default=False)
    ] = None,
    variant: options.VariantName = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="REQUIREMENT", help="What your project needs besides; repeatable."),
    ] = None,
    requirements: Annotated[
        list[Path] | None,
        typer.Option("--requirements", "-r", metavar="FILE", help="The same, from a requirements file; repeatable."),
    ] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Resolve anew instead of using the lock that is there; show what changes.")
    ] = False,
    engine: options.EngineName = None,
    index_url: options.IndexUrl = None,
    offline: options.Offline = False,
    force: options.Force = False,
    no_smoke: options.NoSmoke = False,
    no_hooks: options.NoHooks = False,
    no_startup: options.NoStartup = False,
) -> Outcome[Made]:
    """Make a profile's environment: Python, lock, packages, hooks, and a model that proves it.

    A lock that is already there is used as it is; otherwise pylock.PROFILE.toml is written for you to commit.
    """
    extra = [requirement_of(text, source="--with") for text in with_ or ()]
    for file in requirements or ():
        extra.extend(read_requirements(file))
    made = make(
        profile,
        Making(
            folder=options.folder_from(folder),
            cwd=Path.cwd(),
            python=python,
            engine=options.engine_from(engine),
            index=options.index_from(index_url, offline=offline),
            force=force,
            smoke=not no_smoke,
            activation_hooks=not no_hooks,
            startup_hook=not no_startup,
        ),
        variant=variant,
        extra=tuple(extra),
        lock_path=options.file_from(lock) if lock else None,
        upgrade=upgrade,
    )
    return outcome_of(made, folder)
