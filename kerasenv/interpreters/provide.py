"""Let a provider get a Python, which kerasenv keeps."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv import progress
from kerasenv.errors import InterpreterError, ProgramError
from kerasenv.interpreters.find import NAMED_VERSION, inspect
from kerasenv.interpreters.finders import kept
from kerasenv.interpreters.provider import conda_obstacle
from kerasenv.interpreters.providers import conda, pyenv, rattler, uv
from kerasenv.platforms import KNOWN_PYTHONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.interpreters.provider import Provider

# Each says for which versions it is of use, so what is tried depends on the version: for 3.8 and newer uv first, below
# that conda-forge first; what compiles comes last
_PROVIDERS: tuple[Provider, ...] = (uv, conda, rattler, pyenv)


def get_python(version: Version) -> Interpreter:
    """Return a CPython of this version that kerasenv keeps; let the first provider get it that can."""
    said: list[str] = []
    for provider in _PROVIDERS:
        why_not = provider.obstacle(version)
        if why_not is None:
            try:
                return _got(provider, version)
            except (InterpreterError, ProgramError) as error:
                said += [error.message, *(f"  {line}" for line in error.looked_at)]
            except OSError as error:
                said.append(f"{provider.NAME}: {error.strerror or error}: {error.filename or kept.pythons_folder()}")
        else:
            said.append(f"{provider.NAME}: {why_not}")
    raise InterpreterError(
        f"CPython {version} could not be got.",
        looked_at=said,
        hints=[*missing_providers(version), "Or use one that is there: --python PATH"],
    )


def version_from(text: str) -> Version:
    """Return the version that a person asks for, a minor one or a patch."""
    named = NAMED_VERSION.fullmatch(text.strip())
    version = Version(named[1]) if named else None
    if version is None or _minor(version) not in KNOWN_PYTHONS or len(version.release) == 1:
        raise InterpreterError(
            f"There is no CPython {text} that kerasenv knows of.",
            looked_at=[f"known: {', '.join(KNOWN_PYTHONS)}"],
            hints=["kerasenv python install 3.7, or one patch of it: 3.7.16"],
        )
    return version


def promises(version: Version) -> list[str]:
    """Return what each provider that can be tried would do, in the order in which they are tried."""
    able = [provider for provider in _PROVIDERS if provider.obstacle(version) is None]
    return [f"{provider.NAME} {provider.promise(version)}" for provider in able]


def best_of(versions: Iterable[str]) -> Version | None:
    """Return the first of these that a provider can be asked for."""
    known = (one for one in map(Version, versions) if _minor(one) in KNOWN_PYTHONS)
    return next((one for one in known if promises(one)), None)


def _minor(version: Version) -> str:
    return f"{version.major}.{version.minor}"


def _got(provider: Provider, version: Version) -> Interpreter:
    """Return what this provider got earlier, or now.

    None of them can build in one place and move to another: conda and pyenv write the folder's path into what they
    install, and uv into the build settings. So it is built in its place, and what counts is the mark beside it, which
    is written last. Who comes at the same time waits.
    """
    from filelock import FileLock  # noqa: PLC0415  # only where a Python is missing

    folder, name = kept.pythons_folder(), f"{version}-{provider.NAME}"
    source = f"got by {provider.NAME}"
    folder.mkdir(parents=True, exist_ok=True)
    place, aside = folder / name, folder / f"{name}.old"
    with FileLock(folder / f"{name}.lock"):
        if aside.exists():  # of a run that was killed
            shutil.rmtree(place, ignore_errors=True)
            aside.rename(place)
        if there := kept.marked(name):
            with suppress(InterpreterError):  # one that no longer starts is made anew
                return inspect(there[1], source=source)
            # Environments may run on it, and it may be well again: it goes when the new one is there
            place.rename(aside)
        else:
            shutil.rmtree(place, ignore_errors=True)
        progress.passing(f"Getting CPython {version}: {provider.NAME} {provider.promise(version)}")
        try:
            interpreter = inspect(provider.install(version, place), source=source)
            _check(interpreter, version, provider)
            kept.mark(name, python=interpreter.path, version=interpreter.version)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            if aside.exists():
                aside.rename(place)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    return interpreter


def _check(interpreter: Interpreter, version: Version, provider: Provider) -> None:
    """Refuse what isn't what was asked for."""
    if not interpreter.usable or interpreter.version not in SpecifierSet(f"=={version}.*"):
        what = f"{interpreter.implementation} {interpreter.version} of {interpreter.bits} bits"
        raise InterpreterError(f"{provider.NAME} was asked for CPython {version} and gave {what}.")


def missing_providers(version: Version) -> list[str]:
    """Return what to install so that kerasenv can get this version by itself."""
    if conda_obstacle(version) is not None:
        return []  # there is nothing to get
    if rattler.obstacle(version) is None or conda.obstacle(version) is None or uv.obstacle(version) is None:
        return []
    return [f"{sys.executable} -m pip install py-rattler    (80 MB; kerasenv then gets it from conda-forge)"]
