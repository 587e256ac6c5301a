"""What an engine is: something that can resolve requirements and install what a lock names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.platforms import Platform


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Where packages come from; the URL may carry credentials and is never written anywhere."""

    url: str | None = None
    source: str = "the default index"
    offline: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """A version that was chosen before; `hashes` are sha256 digests, and only such files may stand for it."""

    name: NormalizedName
    version: Version
    marker: str | None = None
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveRequest:
    """What is to be resolved, and for whom."""

    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...] = ()
    build_constraints: tuple[Requirement, ...] = ()
    pins: tuple[Pin, ...] = ()
    """Versions to prefer as long as they fit."""
    exactly_pins: bool = False
    """The pins are the answer: look up their files, resolve nothing."""
    pythons: tuple[str, ...]
    """The minor versions it is for, oldest first: ('3.6', '3.7')."""
    platforms: tuple[Platform, ...]
    interpreter: Interpreter
    index: Index = field(default_factory=Index)


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A wheel or source distribution of the index."""

    name: str
    url: str
    sha256: str
    size: int | None = None
    upload_time: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedPackage:
    """A package that was chosen, with every file of that version."""

    name: NormalizedName
    version: Version
    marker: str | None = None
    requires_python: SpecifierSet | None = None
    files: tuple[File, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What an engine chose.

    `only_here` says that it holds only for the request's interpreter and platform, since the engine can't see further.
    """

    packages: tuple[ResolvedPackage, ...]
    only_here: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallRequest:
    """What is to be put into an environment: `python` is its interpreter, `interpreter` the one below."""

    lock: Pylock
    environment: Path
    python: Path
    interpreter: Interpreter
    build_constraints: tuple[Requirement, ...] = ()
    index: Index = field(default_factory=Index)


def files_of(package: Package) -> list[PackageWheel | PackageSdist]:
    """Return the files that a lock names for a package, wheels first."""
    return [*(package.wheels or ()), *([package.sdist] if package.sdist is not None else ())]


class Engine(Protocol):
    """Resolves and installs; knows nothing of profiles or of lock files."""

    name: str

    def describe(self) -> str:
        """Return name and version for people."""
        ...

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions and name their files; raise ResolveError if there is no choice."""
        ...

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it, verifying every hash; raise InstallError."""
        ...
