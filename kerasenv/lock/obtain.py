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
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.search import find_profile

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.resolve import Wish
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
            f"{lock.path.name} is not for this machine: {_machine(interpreter)}, Python {interpreter.version}.",
            looked_at=[f"the lock is for: {marker}" for marker in lock.pylock.environments or ()],
            hints=["Resolve anew with the default engine, which covers every platform of the profile: --upgrade"],
        )


def _is_for(lock: Lock, markers: dict[str, Any]) -> bool:
    spoken = lock.pylock.environments
    return not spoken or any(marker.evaluate(markers, context="lock_file") for marker in spoken)


def check_platform(profile: Profile, interpreter: Interpreter) -> None:
    """Raise ProfileError if a profile is not for this kind of machine."""
    platform = interpreter.platform
    if platform is None or platform.name not in profile.platforms:
        raise ProfileError(
            f"Profile {profile.name} is not for this machine: {_machine(interpreter)}.",
            looked_at=[f"it is for {', '.join(PLATFORMS[name].title for name in profile.platforms)}"],
            hints=["kerasenv show PROFILE tells where each profile runs."],
        )


def _machine(interpreter: Interpreter) -> str:
    platform = interpreter.platform
    return (
        platform.title
        if platform
        else f"{interpreter.markers['sys_platform']} {interpreter.markers['platform_machine']}"
    )


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
