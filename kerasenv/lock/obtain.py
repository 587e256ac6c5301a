"""Get the lock that is to be installed: the one that is there, or a new one."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from kerasenv import progress
from kerasenv.errors import LockError, ProfileError
from kerasenv.lock.cells import KNOWN_PYTHONS
from kerasenv.lock.lockfile import Lock, Promise, dump_lock, profile_in_name
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.resolve import resolve
from kerasenv.lock.satisfy import differences
from kerasenv.lock.wheels import coverage_of, nearest
from kerasenv.platforms import PLATFORMS, platform_of
from kerasenv.profiles.search import find_profile, list_profiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.resolve import Wish
    from kerasenv.platforms import Platform
    from kerasenv.profiles.profile import Profile


def lock_in_use(lock: Lock, wish: Wish, *, variant: str | None) -> Lock:
    """Return the lock that is there, if it still gives what is asked for."""
    differing = differences(lock, wish, variant=variant)
    if differing:
        raise LockError(
            f"{lock.path.name} doesn't fit what is asked for; it was left as it is.",
            looked_at=differing,
            hints=[
                "Resolve anew and see what changes: add --upgrade",
                "Or keep this lock and write another one: --lock pylock.NAME.toml",
            ],
        )
    check_machine(lock, wish.interpreter)
    return lock if lock.promise is not None else replace(lock, promise=Promise.of(wish.profile, variant=variant))


def new_lock(place: Path, wish: Wish, engine: Engine, *, variant: str | None, from_pins: bool) -> tuple[Lock, str]:
    """Return a new lock, which is not written yet, and what it was made from."""
    pins, verified_for = shipped_pins(wish.profile, variant=variant) if from_pins else ((), None)
    exactly = bool(pins) and not wish.extra and verified_for == wish.profile.name
    pylock = resolve(wish, engine, pins=pins, exactly_pins=exactly)
    promise = Promise.of(wish.profile, variant=variant, extra=tuple(str(one) for one in wish.extra))
    content = dump_lock(pylock, promise)
    lock = Lock(path=place, pylock=pylock, promise=promise, content=content)
    if exactly:
        return lock, "new, the verified pins of this profile"
    start = f", starting from the pins of {verified_for}" if verified_for else ""
    return lock, f"{'new' if from_pins else 'anew'}, resolved by {engine.describe()}{start}"


def with_promise_of_profile(lock: Lock, cwd: Path) -> Lock:
    """Return a lock that promises nothing with what the profile in its name promises."""
    name = profile_in_name(lock.path)
    if name is None:
        raise LockError(
            f"{lock.path.name} has no [tool.kerasenv], and its name gives no profile to take its variables from.",
            hints=["Name it pylock.PROFILE.toml, such as pylock.tf2-modern.toml"],
        )
    profile = find_profile(name, cwd=cwd)
    progress.note(
        f"{lock.path.name} has no [tool.kerasenv]: backend, variables and smoke test are those of profile {name}."
    )
    return replace(lock, promise=Promise.of(profile))


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
        raise LockError(
            f"{lock.path.name} is not for this machine: {_machine(interpreter.markers)}, Python {interpreter.version}.",
            looked_at=[f"the lock is for: {marker}" for marker in lock.pylock.environments or ()],
            hints=["Resolve anew with the default engine, which covers every platform of the profile: --upgrade"],
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


def count_here(lock: Lock, interpreter: Interpreter) -> int:
    """Return how many packages a lock has for this Python on this machine."""
    markers: dict[str, Any] = {**interpreter.markers, "extra": ""}
    return sum(
        package.marker is None or package.marker.evaluate(markers, context="lock_file")
        for package in lock.pylock.packages
    )


def check_lock_folder(place: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if not place.parent.is_dir():
        raise LockError(f"There is no folder {place.parent} to write {place.name} into.")
    if not os.access(place.parent, os.W_OK):
        raise LockError(
            f"{place.name} can't be written into {place.parent}: that folder is read-only.",
            hints=["Name another place for it: --lock FOLDER/pylock.NAME.toml"],
        )
