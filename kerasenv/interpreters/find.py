"""Find the Python that a profile needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from kerasenv import process
from kerasenv.errors import InterpreterError, ProgramError
from kerasenv.interpreters.finders import kept, path, pyenv, running, uv
from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.platforms import KNOWN_PYTHONS
from kerasenv.resources import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

_FINDERS = (running, path, pyenv, uv, kept)
# What a person calls a version: 3.7, 3.7.16, python3.7
NAMED_VERSION = re.compile(r"(?:c?python)?(\d+(?:\.\d+){0,2})(?:\.exe)?", re.IGNORECASE)
_PROBE_SECONDS = 60
_LEAVE_OUT = "Leave --python out, and kerasenv looks for one that fits."
# Newest first, then those to come, the next one first
_NEXT = Version(KNOWN_PYTHONS[-1]).minor + 1
_MINORS = (*reversed(KNOWN_PYTHONS), *(f"3.{minor}" for minor in range(_NEXT, _NEXT + 15)))


class NoneFits(InterpreterError):
    """No Python of this machine fits; of those that would, `obtainable` are worth having, the best one first."""

    obtainable: tuple[str, ...] = ()


def find_interpreter(requires: SpecifierSet, *, request: str | None = None, who: str) -> Interpreter:
    """Return the Python that `request` asks for, or else the first that fits `requires`; raise NoneFits if none does.

    A request is a path (of an interpreter, or of a folder that holds one), a version such as 3.7 or 3.7.16, a name such
    as python3.7, or a specifier such as >=3.6,<3.8. `who` needs it, for the message if there is none.
    """
    if request is None:
        return _first(requires, requires=requires, who=who)
    named = _as_path(request)
    if named is not None:
        return _checked(named, source="--python", requires=requires, who=who)
    wanted = _as_specifier(request)
    return _first(wanted, requires=requires, who=who, request=request)


def find_all(wanted: SpecifierSet) -> list[Interpreter]:
    """Return every Python of this machine whose version is wanted, each once, in the order of preference."""
    found: dict[Path, Interpreter] = {}
    for candidate, source in _candidates(wanted):
        try:
            interpreter = inspect(candidate, source=source)
        except InterpreterError:
            continue
        found.setdefault(interpreter.path.resolve(), interpreter)
    return list(found.values())


def worth_having(wanted: SpecifierSet) -> Iterator[str]:
    """Yield the minor versions that fit, newest first, each with a patch if only some of its patches fit."""
    for minor in _MINORS:
        patch = next((patch for patch in range(99, -1, -1) if wanted.contains(f"{minor}.{patch}")), None)
        if patch is not None:
            yield minor if patch == 99 else f"{minor}.{patch}"  # noqa: PLR2004


def inspect(executable: Path, *, source: str) -> Interpreter:
    """Return what an interpreter says of itself: it is started, unless it is the one that runs this."""
    if _runs_this(executable):
        return _this_one(executable, source=source)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        answer = process.run([executable, "-S", probe("interpreter")], environ=environ, timeout=_PROBE_SECONDS)
    except ProgramError as error:
        raise InterpreterError(f"{executable} can't be used: {error.message}") from error
    try:
        facts = json.loads(answer.stdout)
        return Interpreter(
            path=executable,
            version=Version(facts["version"]),
            implementation=facts["implementation"],
            bits=facts["bits"],
            markers=facts["markers"],
            source=source,
            abi_flags=facts["abi_flags"],
        )
    except (ValueError, KeyError, TypeError):
        raise InterpreterError(
            f"{executable} can't be used: it did not answer as a Python does.", looked_at=answer.last_lines(3)
        ) from None


def _runs_this(executable: Path) -> bool:
    try:
        return executable.samefile(sys.executable)  # as it is where an environment has a link to its interpreter
    except OSError:
        return False


def _this_one(executable: Path, *, source: str) -> Interpreter:
    markers = default_environment()
    return Interpreter(
        path=executable,
        version=Version(markers["implementation_version"]),
        implementation=markers["platform_python_implementation"],
        bits=struct.calcsize("P") * 8,
        markers={name: str(value) for name, value in markers.items()},
        source=source,
        abi_flags=getattr(sys, "abiflags", ""),  # Windows has none
    )


def _first(wanted: SpecifierSet, *, requires: SpecifierSet, who: str, request: str | None = None) -> Interpreter:
    refused: list[str] = []
    both = wanted & requires
    for candidate, source in _candidates(both):
        try:
            return _checked(candidate, source=source, requires=both, who=who)
        except InterpreterError as error:
            refused.append(f"{candidate}: {error.message}")
    if request is None:
        raise _none_fits(requires, who=who, asked="", refused=refused, obtainable=requires)
    for one in find_all(wanted):
        if not requires.contains(one.version, prereleases=True):
            raise InterpreterError(
                f"--python {request} is CPython {one.version}; {who} needs {_spoken(requires)}.",
                looked_at=[f"{one.version} ({one.source}): {one.path}"],
                hints=[_LEAVE_OUT],
            )
    asked = f" and --python asks for {request}"
    raise _none_fits(requires, who=who, asked=asked, refused=refused, obtainable=both)


def _candidates(wanted: SpecifierSet) -> Iterator[tuple[Path, str]]:
    for finder in _FINDERS:
        for candidate in finder.candidates(wanted):
            yield candidate, finder.SOURCE


def _checked(executable: Path, *, source: str, requires: SpecifierSet, who: str) -> Interpreter:
    interpreter = inspect(executable, source=source)
    if interpreter.implementation != "CPython":
        raise InterpreterError(
            f"{executable} is {interpreter.implementation}; {who} needs CPython, since its wheels are built for that."
        )
    if not requires.contains(interpreter.version, prereleases=True):
        raise InterpreterError(
            f"{executable} is CPython {interpreter.version}; {who} needs {_spoken(requires)}.",
            hints=[_LEAVE_OUT] if source == "--python" else [],
        )
    if interpreter.bits != 64:  # noqa: PLR2004
        raise InterpreterError(f"{executable} is a {interpreter.bits}-bit Python; {who} needs one of 64 bits.")
    return interpreter


def _as_path(request: str) -> Path | None:
    """Return the interpreter that a request names as a file or folder, None if it speaks of a version."""
    given = Path(os.path.expanduser(request))  # noqa: PTH111  # Path.expanduser raises for ~=3.11
    if given.is_dir() and (os.sep in request or "/" in request or not NAMED_VERSION.fullmatch(request)):
        for inside in (
            ("Scripts/python.exe", "python.exe") if sys.platform == "win32" else ("bin/python", "bin/python3")
        ):
            if (given / inside).exists():
                return given / inside
        raise InterpreterError(f"The folder {given} holds no Python.", looked_at=[str(given / "bin" / "python")])
    if given.is_file():
        return given.absolute()
    if os.sep in request or "/" in request:
        raise InterpreterError(f"There is no {given}.", hints=["--python takes a path, a version (3.7) or >=3.6,<3.8."])
    on_path = None if NAMED_VERSION.fullmatch(request) else shutil.which(request)
    return Path(on_path) if on_path else None


def _as_specifier(request: str) -> SpecifierSet:
    named = NAMED_VERSION.fullmatch(request.strip())
    if named:
        version = named[1]
        return SpecifierSet(f"=={version}" if version.count(".") == 2 else f"=={version}.*")  # noqa: PLR2004
    try:
        return SpecifierSet(request)
    except InvalidSpecifier:
        raise InterpreterError(
            f"--python {request} is no path, no version and no version specifier.",
            hints=["Try --python 3.7, --python '>=3.6,<3.8', or the path of an interpreter."],
        ) from None


def _none_fits(
    requires: SpecifierSet, *, who: str, asked: str, refused: list[str], obtainable: SpecifierSet
) -> NoneFits:
    present = sorted({(one.version, one.source, str(one.path)) for one in find_all(SpecifierSet())}, reverse=True)
    looked_at = [f"{version} ({source}): {place}" for version, source, place in present]
    looked_at += refused
    fitting = tuple(worth_having(obtainable))
    error = NoneFits(
        f"{who} needs {_spoken(requires)}{asked}; no such Python was found on this machine.",
        looked_at=looked_at or ["no other Python at all"],
        hints=_ways_to_get_one(next(iter((*fitting, *worth_having(requires))), None)),
    )
    error.obtainable = fitting
    return error


def _ways_to_get_one(version: str | None) -> list[str]:
    if version is None:
        return []
    ways = [f"pyenv install {version}    (compiles it, minutes)", f"conda create -n py{version} python={version}"]
    if Version(version) >= Version("3.8"):
        ways.insert(0, f"uv python install {version}")
    return [*ways, "Then run the same command again, with --python PATH if it is in an unusual place."]


def _spoken(requires: SpecifierSet) -> str:
    lowest_first = sorted(map(str, requires), key=lambda one: (one.startswith(("<", "!")), one))
    return f"CPython {','.join(lowest_first)}" if lowest_first else "CPython"
