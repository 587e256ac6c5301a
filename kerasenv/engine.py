"""What an engine is: something that can resolve requirements and install what a lock names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
    from packaging.requirements import Requirement

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.platforms import Platform
    from kerasenv.resolution import Pin, Resolution


BUILD_VARIABLES = {"SOURCE_DATE_EPOCH": "315532800"}
"""What a build sees, so that it gives the same wheel at any time: the first second that a zip file can hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Where packages come from; the URL may carry credentials and is never written anywhere."""

    url: str | None = None
    source: str = "the default index"
    offline: bool = False
    local: bool = False
    """It is served by kerasenv itself, for as long as it is needed: no proxy leads to it, and no cache may know it."""

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that let a program reach it directly, if that is the way."""
        if not self.local:
            return {}
        host = urlsplit(self.url or "").hostname or ""
        others = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(filter(None, (others, host))))


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildConstraint:
    """A bound on what builds source distributions; `sha256` are the digests of files that may stand for it.

    If one of them has digests, all have them, and nothing else may take part in a build.
    """

    requirement: Requirement
    sha256: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a line of a requirements file."""
        return " ".join([str(self.requirement), *(f"--hash=sha256:{digest}" for digest in self.sha256)])


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveRequest:
    """What is to be resolved, and for whom."""

    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...] = ()
    build_constraints: tuple[BuildConstraint, ...] = ()
    pins: tuple[Pin, ...] = ()
    """Versions to prefer as long as they fit."""
    exactly_pins: bool = False
    """The pins are the answer: look up their files, resolve nothing."""
    builds: bool = True
    """Whether a source distribution may be built, to learn what it needs."""
    pythons: tuple[str, ...]
    """The minor versions it is for, oldest first: ('3.6', '3.7')."""
    platforms: tuple[Platform, ...]
    interpreter: Interpreter
    index: Index = field(default_factory=Index)
    tool_index: Index | None = None
    """Where an engine gets what it runs itself, if not from `index`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallRequest:
    """What is to be put into an environment: `python` is its interpreter, `interpreter` the one below."""

    lock: Pylock
    environment: Path
    python: Path
    interpreter: Interpreter
    build_constraints: tuple[BuildConstraint, ...] = ()
    index: Index = field(default_factory=Index)
    anew: bool = False
    """What is there of these packages is replaced, by what is fetched anew; the other packages stay."""


def files_of(package: Package) -> list[PackageWheel | PackageSdist]:
    """Return the files that a lock names for a package, wheels first."""
    return [*(package.wheels or ()), *([package.sdist] if package.sdist is not None else ())]


class Engine(Protocol):
    """Resolves and installs; knows nothing of profiles or of lock files."""

    name: str
    fills_store: bool
    """Whether its environments hold nothing of their own place, so that their packages can be laid into others."""

    keeps_unpacked: bool
    """Whether it has a cache of what it unpacked, where others can change it."""

    def describe(self) -> str:
        """Return name and version for people."""
        ...

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions and name their files; raise ResolveError if there is no choice."""
        ...

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it, verifying every hash; raise InstallError."""
        ...
