"""Make a new lock, as near as it may be to what is there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kerasenv.engine import files_of
from kerasenv.errors import LockError
from kerasenv.lock.lockfile import Lock, Promise, dump_lock
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.resolve import resolve_near, resolve_with_gaps
from kerasenv.lock.satisfy import covers
from kerasenv.resolution import Pin

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.engine import Engine
    from kerasenv.lock.wish import Upgrade, Wish


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What a new lock starts from: versions to keep as far as they fit, or just as they are."""

    pins: tuple[Pin, ...] = ()
    exactly: bool = False
    told: str = ""


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


def check_lock_folder(place: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if not place.parent.is_dir():
        raise LockError(f"There is no folder {place.parent} to write {place.name} into.")
    if not os.access(place.parent, os.W_OK):
        raise LockError(
            f"{place.name} can't be written into {place.parent}: that folder is read-only.",
            hints=["Name another place for it: --lock FOLDER/pylock.NAME.toml"],
        )
