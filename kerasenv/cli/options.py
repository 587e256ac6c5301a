"""The options that several verbs share, each once."""

import os
import sys
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Annotated

from packaging.requirements import Requirement

from kerasenv.cli.parameter import argument, option
from kerasenv.engine import Index
from kerasenv.errors import UsageError
from kerasenv.interpreters.get import Downloads

DEFAULT_FOLDER = Path(".venv")
_DOWNLOADS = "KERASENV_PYTHON_DOWNLOADS"


def _profile_names(incomplete: str) -> list[str]:
    from kerasenv.profiles.search import list_profiles  # noqa: PLC0415  # only when somebody presses tab

    return [profile.name for profile in list_profiles(cwd=Path.cwd()).profiles if profile.name.startswith(incomplete)]


ProfileName = Annotated[
    str,
    argument(metavar="PROFILE", help="A profile's name, or the path of its .toml file.", complete=_profile_names),
]
Folder = Annotated[Path, argument(metavar="DIR", help="The environment's folder.")]
LockOfEnvironment = Annotated[
    Path | None,
    option(
        "--lock",
        metavar="FILE",
        help="The lock. Default: the project's, by the name that it had; else the copy that the environment keeps.",
        show_default=False,
    ),
]
Python = Annotated[
    str | None,
    option("--python", metavar="X", help="The Python to use: a version (3.7), a path, or >=3.6,<3.8."),
]
PythonDownloads = Annotated[
    str | None,
    option(
        "--python-downloads",
        metavar="auto|never",
        help="Whether to get a Python that is missing. By default on a terminal alone, and not where CI is set.",
        show_default=False,
    ),
]
EngineName = Annotated[str | None, option("--engine", metavar="uv|pip-tools", help="What resolves and installs.")]
IndexUrl = Annotated[
    str | None,
    option("--index-url", metavar="URL", help="Where packages come from. Credentials in it are never written."),
]
Extra = Annotated[
    list[str] | None,
    option("--with", metavar="REQUIREMENT", help="What your project needs besides; repeatable."),
]
RequirementFiles = Annotated[
    list[Path] | None,
    option("--requirements", "-r", metavar="FILE", help="The same, from a requirements file; repeatable."),
]
OnlyBinary = Annotated[
    bool, option("--only-binary", help="Build nothing: take only packages that have wheels. The lock remembers.")
]
AsOf = Annotated[
    str | None,
    option("--as-of", metavar="DATE", help="Resolve as the index stood on that day (2020-06-01, UTC)."),
]
Offline = Annotated[bool, option("--offline", help="Use only what was downloaded before.")]
Force = Annotated[bool, option("--force", help="Replace an environment that kerasenv made.")]
NoSmoke = Annotated[bool, option("--no-smoke", help="Don't prove the environment with a model.")]
NoHooks = Annotated[bool, option("--no-hooks", help="Leave the activation scripts as virtualenv writes them.")]
NoStartup = Annotated[
    bool, option("--no-startup", help="Don't set the variables when Python is started without activation.")
]
VariantName = Annotated[
    str | None, option("--variant", metavar="NAME", help="A variant of the profile; see `kerasenv show`.")
]


def index_from(url: str | None, *, offline: bool) -> Index:
    """Return the index that the user names: the option, or what uv and pip take from the environment."""
    if url:
        return Index(url=url, source="--index-url", offline=offline)
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return Index(url=os.environ[name], source=name, offline=offline)
    return Index(offline=offline)


def downloads_from(choice: str | None, *, offline: bool) -> Downloads:
    """Return whether a missing Python may be got: as the option says, else the variable, else where this runs."""
    if offline:
        return Downloads(allowed=False, why="--offline", instead="--python-downloads auto, without --offline")
    for source, said in (("--python-downloads", choice), (_DOWNLOADS, os.environ.get(_DOWNLOADS))):
        if said and said not in {"auto", "never"}:
            raise UsageError(f"{source} is {said!r}.", hints=["It can be auto or never."])
        if said:
            return Downloads(allowed=said == "auto", why=f"{source} is {said}")
    if os.environ.get("CI"):
        return Downloads(allowed=False, why="CI is set")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Downloads(allowed=False, why="this is no terminal")
    return Downloads(allowed=True, why="this is a terminal")


def extra_from(with_: list[str] | None, files: list[Path] | None) -> tuple[Requirement, ...]:
    """Return what a project needs besides."""
    if not with_ and not files:
        return ()
    from kerasenv.requirements_file import read_requirements, requirement_of  # noqa: PLC0415  # most ask for nothing

    extra = [requirement_of(text, source="--with") for text in with_ or ()]
    for file in files or ():
        extra.extend(read_requirements(file))
    return tuple(extra)


def day_from(text: str | None) -> date | None:
    """Return the day of --as-of, which must have come."""
    if text is None:
        return None
    from kerasenv.lock.lockfile import day_of  # noqa: PLC0415  # most verbs are given no day, and some no lock

    try:
        day = day_of(text)
    except ValueError as error:
        raise UsageError(f"--as-of: {error}.", hints=["--as-of 2020-06-01"]) from error
    if day > datetime.now(timezone.utc).date():
        raise UsageError(f"--as-of: {day} has not come yet.", hints=["Leave --as-of out for the index as it is now."])
    return day


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
