"""For which machines the index has wheels of what a shipped profile pins, and what to take on another machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from kerasenv.lock.pins import shipped_pins
from kerasenv.profiles.evidence import pins_digest
from kerasenv.resources import SHIPPED_PROFILES, shipped_profiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kerasenv.profiles.profile import Profile

FILE = "wheels.json"
# What a profile's Keras is called, in the order in which it counts
_KERAS = ("tf-keras", "keras", "tensorflow", "tensorflow-cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What the index had for one kind of machine when it was asked, by minor version of Python."""

    platform: str
    missing: dict[str, tuple[str, ...]]
    """Pins that have wheels for other machines only; none means that everything can be installed."""
    built: tuple[str, ...]
    """Pins that are built from their source distributions."""

    @property
    def pythons(self) -> tuple[str, ...]:
        """Return the Pythons that everything is there for."""
        return tuple(python for python, missing in self.missing.items() if not missing)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Return what is missing on every Python, and so keeps the profile from this machine."""
        first, *others = self.missing.values()
        return tuple(pin for pin in first if all(pin in one for one in others)) or first


def coverage_of(profile: Profile) -> tuple[Coverage, ...]:
    """Return what is known of a shipped profile, on every platform; nothing for a profile of one's own."""
    row = _known().get(profile.name)
    if row is None or not profile.source.startswith(SHIPPED_PROFILES) or row["pins"] != pins_digest(profile.name, None):
        return ()
    return tuple(
        Coverage(
            platform=platform,
            missing={python: tuple(cell["missing"]) for python, cell in cells.items()},
            built=tuple(dict.fromkeys(pin for cell in cells.values() for pin in cell["built"])),
        )
        for platform, cells in row["platforms"].items()
    )


def nearest(profile: Profile, others: Iterable[Profile], *, platform: str) -> Profile | None:
    """Return the profile for a platform whose Keras is nearest to another profile's, None if there is none.

    What counts is, in this order: that it trains if the other does, the first number of Keras's version, since that is
    what most code breaks on, the backend, and the second number, where the newer one of two is taken.
    """
    wanted = _keras_of(profile)

    def distance(other: Profile) -> tuple[bool, int, bool, int, int]:
        has = _keras_of(other)
        return (
            profile.smoke.trains and not other.smoke.trains,
            abs(wanted[0] - has[0]),
            profile.backend != other.backend,
            abs(wanted[1] - has[1]),
            -has[1],
        )

    serving = [other for other in others if platform in other.platforms and other.name != profile.name]
    return min(serving, key=distance, default=None)


def _keras_of(profile: Profile) -> tuple[int, int]:
    """Return the first two numbers of the Keras that a profile pins, (0, 0) if it can't be told."""
    pins, _ = shipped_pins(profile)
    versions: dict[str, Version] = {pin.name: pin.version for pin in pins}
    version = next((versions[name] for name in _KERAS if name in versions), Version("0"))
    return version.major, version.minor


@cache
def _known() -> dict[str, Any]:
    place = shipped_profiles() / FILE
    return json.loads(place.read_text("utf-8")) if place.is_file() else {}
