"""What a package of a lock is installed from on a Python, and the name of its entry."""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.tags import compatible_tags, cpython_tags, platform_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from kerasenv.engine import BUILD_VARIABLES
from kerasenv.store.place import Key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.pylock import Package, PackageWheel
    from packaging.tags import Tag

    from kerasenv.engine import BuildConstraint
    from kerasenv.interpreters.interpreter import Interpreter

_DIGITS = 16
_LAST_WITH_M = (3, 7)
_COMPILES_INTO = re.compile(r'base_compiledir="?\{env\}/(\w+)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What an entry is made from: the file that a package is installed from, or built from."""

    key: Key
    name: str
    file: str
    """Of what a backend compiles, the folder of an environment that holds it."""
    tags: frozenset[str] | None
    """Those of the wheel, as 'py3-none-any'; None for what is built here."""
    other_tags: frozenset[frozenset[str]] = frozenset()
    """Those of the wheels that are not meant, if it is built here."""


def python_key(interpreter: Interpreter) -> str:
    """Return what Pythons share that can use the same files and bytecode.

    All releases of a minor version write the same bytecode; what comes before the first one doesn't.
    """
    python = str(interpreter.version) if interpreter.version.is_prerelease else interpreter.minor
    flags = interpreter.abi_flags.replace("m", "")  # which is how each of its time was built
    return f"{python}{flags}-{interpreter.markers['sys_platform']}-{interpreter.markers['platform_machine']}"


def source_of(
    package: Package, interpreter: Interpreter, build_constraints: Sequence[BuildConstraint] = ()
) -> Source | None:
    """Return the file that an installer takes, None if there is none, no sha256 of it, or nobody knows which it is."""
    if interpreter.abi_flags.replace("m", ""):
        return None
    best = _best(package.wheels or (), interpreter)
    if best:
        digest = best[0].hashes.get("sha256")
        if len(best) > 1 or not digest:  # which of two that suit alike is taken, only an installer decides
            return None
        return _source(package, best[0].filename, digest, _tags_of(best[0].filename), interpreter)
    if package.sdist is None or "sha256" not in package.sdist.hashes:
        return None
    # What is built depends on the Python it is built with, on the tools, and on the libraries of the machine
    told = [package.sdist.hashes["sha256"], str(interpreter.path), str(interpreter.version), str(BUILD_VARIABLES)]
    told.append(next(platform_tags()))
    told += sorted(map(str, build_constraints))
    digest = sha256("\n".join(told).encode()).hexdigest()
    others = frozenset(filter(None, (_tags_of(wheel.filename) for wheel in package.wheels or ())))
    return replace(_source(package, package.sdist.filename, digest, None, interpreter), other_tags=others)


def compiled_source(templates: Mapping[str, str], lock_digest: str, interpreter: Interpreter) -> Source | None:
    """Return what a backend compiles in environments of a lock, None if it doesn't.

    Theano writes a module in C++ for every operation that it meets, and compiles it for this very processor.
    THEANO_FLAGS of the lock says where they are in an environment.
    """
    folder = _COMPILES_INTO.search(templates.get("THEANO_FLAGS", ""))
    if folder is None:
        return None
    told = [lock_digest, str(interpreter.path), str(interpreter.version), next(platform_tags()), platform.release()]
    digest = sha256("\n".join([*told, _processor()]).encode()).hexdigest()
    package = f"{folder[1]}-compiled-{digest[:_DIGITS]}"
    return Source(key=Key(python=python_key(interpreter), package=package), name=package, file=folder[1], tags=None)


def _processor() -> str:
    """Return what tells processors apart that can't run the same code, as far as the system says it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return platform.processor()


def _source(package: Package, file: str, digest: str, tags: frozenset[str] | None, interpreter: Interpreter) -> Source:
    # A version can hold what no file name can on every system: 1!2.0
    version = re.sub(r"[^A-Za-z0-9.+]", "_", str(package.version))
    name = f"{package.name}-{version}-{digest[:_DIGITS].lower()}"
    return Source(key=Key(python=python_key(interpreter), package=name), name=package.name, file=file, tags=tags)


def _tags_of(wheel: str) -> frozenset[str]:
    """Return the tags of a wheel by its file name; none of one whose name no installer of today takes."""
    try:
        return frozenset(map(str, parse_wheel_filename(wheel)[-1]))
    except InvalidWheelFilename:
        return frozenset()


def _best(wheels: Sequence[PackageWheel], interpreter: Interpreter) -> list[PackageWheel]:
    """Return the wheel that suits a Python best, or several that suit it alike."""
    places = _places(interpreter.version.major, interpreter.version.minor)
    ranked: dict[int, list[PackageWheel]] = {}
    for wheel in wheels:
        try:
            fitting = [places[tag] for tag in parse_wheel_filename(wheel.filename)[-1] if tag in places]
        except InvalidWheelFilename:
            continue
        if fitting:
            ranked.setdefault(min(fitting), []).append(wheel)
    return ranked[min(ranked)] if ranked else []


@cache
def _places(major: int, minor: int) -> dict[Tag, int]:
    """Return what a Python can use, and how well: the best comes first."""
    name = f"cp{major}{minor}"
    platforms = list(platform_tags())
    abi = name + ("m" if (major, minor) <= _LAST_WITH_M else "")
    tags = (
        *cpython_tags((major, minor), abis=[abi], platforms=platforms),
        *compatible_tags((major, minor), interpreter=name, platforms=platforms),
    )
    return {tag: place for place, tag in enumerate(tags)}
