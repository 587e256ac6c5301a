"""Get the lock that is to be installed: the one that is there, or a new one."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from kerasenv import progress
from kerasenv.engine import Pin, files_of
from kerasenv.errors import LockError, ProfileError
from kerasenv.lock.lockfile import Lock, Promise, default_name, dump_lock, profile_in_name
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.resolve import resolve_near, resolve_with_gaps
from kerasenv.lock.satisfy import covers, differences
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS, platform_of
from kerasenv.profiles.search import find_profile, list_profiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.pylock import Package, Pylock
    from packaging.utils import NormalizedName

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.resolve import Wish
    from kerasenv.platforms import Platform
    from kerasenv.profiles.profile import Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """Which versions of the lock that is there are given up, so that newer ones can be chosen."""

    everything: bool = False
    names: frozenset[NormalizedName] = frozenset()

    def __bool__(self) -> bool:
        """Say whether any are."""
        return self.everything or bool(self.names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What a new lock starts from: versions to keep as far as they fit, or just as they are."""

    pins: tuple[Pin, ...] = ()
    exactly: bool = False
    told: str = ""


def remembering(wish: Wish, old: Lock | None, *, upgrade: Upgrade) -> Wish:
    """Return a wish together with what the lock that is there was asked for.

    What is asked for anew of a package replaces what was asked for before. An upgrade is no longer of the day that the
    lock was of.
    """
    anew = {canonicalize_name(one.name) for one in wish.extra}
    extra, only_binary, as_of = set(wish.extra), wish.only_binary, wish.as_of
    if old is not None and old.promise is not None:
        then = old.promise
        extra |= {one for one in map(Requirement, then.extra) if canonicalize_name(one.name) not in anew}
        only_binary = only_binary or then.only_binary
        as_of = as_of or (None if upgrade else then.as_of)
    # In whatever order it was asked for, the lock is the same
    return replace(wish, extra=tuple(sorted(extra, key=str)), only_binary=only_binary, as_of=as_of)


def adds_only(old: Lock, wish: Wish, asked: Wish, *, variant: str | None) -> bool:
    """Say whether a lock lacks nothing but what the user asks for beyond what it remembers."""
    anew = set(asked.extra)
    before = replace(wish, extra=tuple(one for one in wish.extra if one not in anew))
    return bool(differences(old, wish, variant=variant)) and not differences(old, before, variant=variant)


def lock_in_use(lock: Lock, wish: Wish, *, variant: str | None) -> Lock:
    """Return the lock that is there, if it still gives what is asked for."""
    differing = differences(lock, wish, variant=variant)
    if differing:
        raise LockError(
            f"{lock.path.name} doesn't fit what is asked for; it was left as it is.",
            looked_at=differing,
            hints=[
                f"Change no more of it than that needs: {_lock_command(lock, wish, variant)}",
                "Resolve all of it anew and see what changes: add --upgrade",
                "Or keep this lock and write another one: --lock pylock.NAME.toml",
            ],
        )
    check_machine(lock, wish.interpreter)
    return lock if lock.promise is not None else replace(lock, promise=Promise.of(wish.profile, variant=variant))


def _lock_command(lock: Lock, wish: Wish, variant: str | None) -> str:
    words = ["kerasenv", "lock", wish.profile.name, *(["--variant", variant] if variant else [])]
    if lock.path.name != default_name(wish.profile.name):
        words += ["--lock", lock.path.name]
    return " ".join(words)


def start_of(old: Lock | None, wish: Wish, *, variant: str | None, upgrade: Upgrade) -> Start:
    """Return what a new lock starts from: the shipped pins, the lock that is there, or nothing."""
    if old is None and upgrade.everything:
        return Start(told="new")
    if old is None:
        pins, verified_for = shipped_pins(wish.profile, variant=variant)
        if pins and not wish.extra and wish.as_of is None and verified_for == wish.profile.name:
            return Start(pins=pins, exactly=True, told="new, the verified pins of this profile")
        return Start(pins=pins, told=f"new, starting from the pins of {verified_for}" if verified_for else "new")
    as_of = old.promise.as_of if old.promise else None
    if upgrade.everything or (wish.as_of is not None and wish.as_of != as_of):
        return Start(told="anew")
    pins = pins_of(old)
    strangers = sorted(upgrade.names - {pin.name for pin in pins})
    if strangers:
        raise LockError(
            f"{old.path.name} has no {', '.join(strangers)} to upgrade.",
            hints=["Ask for what the lock lacks with --with"],
        )
    kept = tuple(pin for pin in pins if pin.name not in upgrade.names)
    if not covers(old, wish.profile):
        # The digests are those of files for the machines of then
        kept = tuple(replace(pin, hashes=frozenset()) for pin in kept)
    return Start(pins=kept, told="changed, starting from the lock that is there")


def new_lock(place: Path, wish: Wish, engine: Engine, *, variant: str | None, start: Start) -> tuple[Lock, str]:
    """Return a new lock, which is not written yet, and what it was made from."""
    if start.exactly:
        pylock, gaps = resolve_with_gaps(wish, engine, pins=start.pins, exactly_pins=True)
        told = start.told
    else:
        pylock, gaps = resolve_near(wish, engine, pins=start.pins)
        first, _, rest = start.told.partition(", ")
        told = f"{first}, resolved by {engine.describe()}" + (f", {rest}" if rest else "")
    promise = replace(
        Promise.of(wish.profile, variant=variant, extra=tuple(str(one) for one in wish.extra)),
        only_binary=wish.only_binary,
        as_of=wish.as_of,
        gaps=gaps,
    )
    return Lock(path=place, pylock=pylock, promise=promise, content=dump_lock(pylock, promise)), told


def pins_of(lock: Lock) -> tuple[Pin, ...]:
    """Return the versions of a lock with the digests of their files."""
    return tuple(
        Pin(
            name=package.name,
            version=package.version,
            marker=str(package.marker) if package.marker else None,
            hashes=frozenset(file.hashes["sha256"] for file in files_of(package) if "sha256" in file.hashes),
        )
        for package in lock.pylock.packages
        if package.version is not None
    )


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


def check_lock_folder(place: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if not place.parent.is_dir():
        raise LockError(f"There is no folder {place.parent} to write {place.name} into.")
    if not os.access(place.parent, os.W_OK):
        raise LockError(
            f"{place.name} can't be written into {place.parent}: that folder is read-only.",
            hints=["Name another place for it: --lock FOLDER/pylock.NAME.toml"],
        )
