"""What locks are asked for in tests, and an engine that knows the answer without any index."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.lock.lockfile import Lock, Promise, dump_lock
from kerasenv.lock.resolve import resolve
from kerasenv.lock.wish import Wish
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.profile import Constraint, Profile
from kerasenv.resolution import File, Pin, Resolution, ResolvedPackage
from kerasenv.smoke.plan import SmokePlan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from packaging.pylock import Pylock

    from kerasenv.engine import InstallRequest, ResolveRequest
    from kerasenv.errors import ResolveError

LINUX = Interpreter(
    path=Path(sys.executable),
    version=Version("3.11.7"),
    implementation="CPython",
    bits=64,
    markers={"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.11"},
    source="test",
)
PROFILE = Profile(
    name="tiny",
    summary="A tiny Keras.",
    era="tests",
    requires_python=SpecifierSet(">=3.10,<3.13"),
    platforms=("linux-x86_64", "macos-arm64", "windows-x86_64"),
    requirements=(Requirement("keras>=3"),),
    backend="tensorflow",
    smoke=SmokePlan(backend="tensorflow"),
    source="test",
)


def profile(*requirements: str, **changes: Any) -> Profile:
    """Return the profile with other requirements; constraints are requirements, all with the same reason."""
    if requirements:
        changes["requirements"] = tuple(map(Requirement, requirements))
    if "requires_python" in changes:
        changes["requires_python"] = SpecifierSet(changes["requires_python"])
    for key in {"constraints", "build_constraints"} & changes.keys():
        changes[key] = tuple(
            Constraint(requirement=Requirement(text), because="it breaks", seen="here") for text in changes[key]
        )
    return replace(PROFILE, **changes)


def wish(wanted: Profile = PROFILE, *extra: str, interpreter: Interpreter = LINUX, **changes: Any) -> Wish:
    return Wish(profile=wanted, extra=tuple(map(Requirement, extra)), interpreter=interpreter, **changes)


def on(python: str = "3.11.7", platform: str = "linux-x86_64") -> Interpreter:
    """Return an interpreter of another machine."""
    known = PLATFORMS[platform]
    markers = {
        "sys_platform": known.sys_platform,
        "platform_machine": known.machine,
        "python_version": python.rpartition(".")[0],
    }
    return replace(LINUX, version=Version(python), markers=markers)


def file(name: str) -> File:
    return File(name=name, url=f"https://index.example/files/{name}", sha256=digest(name), size=len(name))


def digest(name: str) -> str:
    """Return the sha256 of a file, whose content is its name."""
    return sha256(name.encode()).hexdigest()


def resolved(name: str, version: str, *files: str, marker: str | None = None) -> ResolvedPackage:
    """Return what an engine chose; a pure wheel if no files are named."""
    names = files or (f"{name.replace('-', '_')}-{version}-py3-none-any.whl",)
    return ResolvedPackage(
        name=canonicalize_name(name), version=Version(version), marker=marker, files=tuple(map(file, names))
    )


def pin(name: str, version: str, *, marker: str | None = None, files: Iterable[str] = ()) -> Pin:
    return Pin(
        name=canonicalize_name(name), version=Version(version), marker=marker, hashes=frozenset(map(digest, files))
    )


@dataclass(kw_only=True, slots=True)
class KnowingEngine:
    """Answers with what it is told to, and remembers what it was asked."""

    packages: tuple[ResolvedPackage, ...] = ()
    only_here: bool = False
    error: ResolveError | None = None
    name: str = "uv"
    fills_store: bool = False
    keeps_unpacked: bool = False
    asked: list[ResolveRequest] = field(default_factory=list)

    def describe(self) -> str:
        return self.name

    def resolve(self, request: ResolveRequest) -> Resolution:
        self.asked.append(request)
        if self.error:
            raise self.error
        return Resolution(packages=self.packages, only_here=self.only_here)

    def install(self, request: InstallRequest) -> None:
        raise NotImplementedError(request)


def lock_of(pylock: Pylock, wanted: Profile = PROFILE, *extra: str, promised: bool = True) -> Lock:
    """Return a lock that was written for a profile and what somebody added to it."""
    promise = Promise.of(wanted, extra=extra)
    return Lock(
        path=Path("pylock.tiny.toml"),
        pylock=pylock,
        promise=promise if promised else None,
        content=dump_lock(pylock, promise),
    )


def locked(*extra: str, as_of: date | None = None, only_binary: bool = False) -> Lock:
    """Return a lock of the profile that has NumPy besides, whatever else it says it was asked for."""
    packages = (resolved("pip", "26.0"), resolved("keras", "3.12.0"), resolved("numpy", "2.0"))
    there = lock_of(resolve(wish(PROFILE, *extra), KnowingEngine(packages=packages)), PROFILE, *extra)
    return replace(there, promise=replace(Promise.of(PROFILE, extra=extra), as_of=as_of, only_binary=only_binary))
