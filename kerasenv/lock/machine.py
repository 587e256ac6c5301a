"""What a lock or a profile has for a machine: this one, or that of a Python which somebody names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from kerasenv.errors import LockError, ProfileError
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS, platform_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.pylock import Package, Pylock

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.lockfile import Lock
    from kerasenv.platforms import Platform
    from kerasenv.profiles.profile import Profile


def pythons_here(lock: Lock) -> SpecifierSet:
    """Return the Pythons that a lock is for on this machine; all, if it is for none of them."""
    here: dict[str, Any] = {**default_environment(), "extra": ""}
    minors = [
        minor
        for minor in KNOWN_PYTHONS
        if _is_for(lock, {**here, "python_version": minor, "python_full_version": f"{minor}.99"})
    ]
    if not minors or len(minors) == len(KNOWN_PYTHONS):
        return SpecifierSet()
    return SpecifierSet(f"=={minors[0]}.*" if len(minors) == 1 else f">={minors[0]},<={minors[-1]}.99")


def check_machine(lock: Lock, interpreter: Interpreter) -> None:
    """Raise LockError if a lock is not for this Python on this machine."""
    if not _is_for(lock, {**interpreter.markers, "extra": ""}):
        platform = interpreter.platform
        missing = [
            gap.package
            for gap in (lock.promise.gaps if lock.promise else ())
            if platform is not None and gap.platform == platform.name and interpreter.minor in gap.pythons
        ]
        raise LockError(
            f"{lock.path.name} is not for this machine: {_machine(interpreter.markers)}, Python {interpreter.version}.",
            looked_at=[
                *(f"the index had no file for it of {package}" for package in missing),
                *(f"the lock is for: {marker}" for marker in lock.pylock.environments or ()),
            ],
            hints=["Take another Python that the lock is for: --python X", "Or leave out what has no files here"]
            if missing
            else ["Resolve with the default engine, which covers every platform: kerasenv lock PROFILE --upgrade"],
        )


def _is_for(lock: Lock, markers: dict[str, Any]) -> bool:
    spoken = lock.pylock.environments
    return not spoken or any(marker.evaluate(markers, context="lock_file") for marker in spoken)


def this_machine() -> dict[str, str]:
    """Return the markers of the machine that kerasenv runs on."""
    return {name: str(value) for name, value in default_environment().items()}


def check_platform(profile: Profile, markers: Mapping[str, str], *, cwd: Path) -> None:
    """Raise ProfileError, with the nearest choice that works, if a profile is not for a machine with these markers."""
    platform = platform_of(markers)
    if platform is not None and platform.name in profile.platforms:
        return
    from kerasenv.lock.wheels import coverage_of  # noqa: PLC0415  # only where something is wrong

    looked_at = [f"it is for {', '.join(PLATFORMS[name].title for name in profile.platforms)}"]
    looked_at += [
        f"no wheels for {platform.title}: {', '.join(here.lacking)}"
        for here in coverage_of(profile)
        if platform is not None and here.platform == platform.name and not here.pythons
    ]
    raise ProfileError(
        f"Profile {profile.name} is not for this machine: {_machine(markers)}.",
        looked_at=looked_at,
        hints=_elsewhere(profile, platform, cwd),
    )


def _elsewhere(profile: Profile, platform: Platform | None, cwd: Path) -> list[str]:
    """Return what a person can do whose machine a profile is not for, the nearest thing first."""
    from kerasenv.lock.wheels import nearest  # noqa: PLC0415  # only where something is wrong
    from kerasenv.profiles.search import list_profiles  # noqa: PLC0415  # as above

    hints = []
    others = list_profiles(cwd=cwd).profiles
    if platform is not None and (near := nearest(profile, others, platform=platform.name)):
        hints.append(f"The nearest that runs here is {near.name} ({near.summary}):  kerasenv create {near.name}")
    if platform is not None and platform.name == "macos-arm64" and "macos-x86_64" in profile.platforms:
        hints.append(
            "Or give it a CPython for Intel, which macOS runs through Rosetta 2 (not tried by us; "
            "TensorFlow from 1.6 on needs AVX there, which Rosetta has since macOS 15):  --python PATH"
        )
    if "linux-x86_64" in profile.platforms:
        hints.append("Or make it in a virtual machine or container of Linux x86_64.")
    return hints


def _machine(markers: Mapping[str, str]) -> str:
    platform = platform_of(markers)
    return platform.title if platform else f"{markers['sys_platform']} {markers['platform_machine']}"


def packages_here(pylock: Pylock, interpreter: Interpreter) -> list[Package]:
    """Return what a lock has for this Python on this machine."""
    markers: dict[str, Any] = {**interpreter.markers, "extra": ""}
    return [
        package
        for package in pylock.packages
        if package.marker is None or package.marker.evaluate(markers, context="lock_file")
    ]


def count_here(lock: Lock, interpreter: Interpreter) -> int:
    """Return how many packages a lock has for this Python on this machine."""
    return len(packages_here(lock.pylock, interpreter))
