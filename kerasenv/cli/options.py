"""The options that several verbs share, each once."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kerasenv.engine import Index
from kerasenv.errors import UsageError

DEFAULT_FOLDER = Path(".venv")


def _profile_names(incomplete: str) -> list[str]:
    from kerasenv.profiles.search import list_profiles  # noqa: PLC0415  # only when somebody presses tab

    return [profile.name for profile in list_profiles(cwd=Path.cwd()).profiles if profile.name.startswith(incomplete)]


ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE", help="A profile's name, or the path of its .toml file.", autocompletion=_profile_names
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The environment's folder.")]
Python = Annotated[
    str | None,
    typer.Option("--python", metavar="X", help="The Python to use: a version (3.7), a path, or >=3.6,<3.8."),
]
EngineName = Annotated[str | None, typer.Option("--engine", metavar="uv|pip-tools", help="What resolves and installs.")]
IndexUrl = Annotated[
    str | None,
    typer.Option("--index-url", metavar="URL", help="Where packages come from. Credentials in it are never written."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Use only what was downloaded before.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an environment that kerasenv made.")]
NoSmoke = Annotated[bool, typer.Option("--no-smoke", help="Don't prove the environment with a model.")]
NoHooks = Annotated[bool, typer.Option("--no-hooks", help="Leave the activation scripts as virtualenv writes them.")]
NoStartup = Annotated[
    bool, typer.Option("--no-startup", help="Don't set the variables when Python is started without activation.")
]
VariantName = Annotated[
    str | None, typer.Option("--variant", metavar="NAME", help="A variant of the profile; see `kerasenv show`.")
]


def index_from(url: str | None, *, offline: bool) -> Index:
    """Return the index that the user names: the option, or what uv and pip take from the environment."""
    if url:
        return Index(url=url, source="--index-url", offline=offline)
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return Index(url=os.environ[name], source=name, offline=offline)
    return Index(offline=offline)


def engine_from(name: str | None) -> str | None:
    """Return the engine's name if there is such an engine."""
    from kerasenv.engines.choose import ENGINES  # noqa: PLC0415  # only verbs that install need engines

    if name is not None and name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", hints=[f"--engine {known}" for known in ENGINES])
    return name


def folder_from(folder: Path) -> Path:
    """Return an environment's folder as an absolute path, links followed as far as they lead."""
    # Path.resolve raises before 3.13 for a link to itself, which is for the one to tell who finds it there
    return Path(os.path.realpath(file_from(folder)))


def file_from(path: Path) -> Path:
    """Return a file's path as an absolute one, with ~ for a home; links stay."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise UsageError(f"{path}: there is no such user.", hints=["Write the whole path instead of ~."]) from error
