"""What was really built and trained: when, where, with what."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from kerasenv.resources import SHIPPED_PROFILES, shipped_profiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kerasenv.profiles.profile import Profile

FILE = "evidence.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One real run of a profile's shipped pins, in which the model did all that its smoke test asks for."""

    profile: str
    variant: str | None
    date: str
    platform: str
    python: str
    seconds: float
    """What the model took, from import to load; `steps` has each step."""
    steps: Mapping[str, float] = field(default_factory=dict)
    trial: float | None = None
    """The seconds of the era's trial (`kerasenv smoke --full`), None if that was not run."""
    rebuilt: bool = False
    """Whether the same was made once more from the lock alone."""
    versions: Mapping[str, str]
    pins: str
    """The sha256 of the pins that were installed; other pins are not proven by this run."""


def evidence_of(profile: Profile) -> tuple[Evidence, ...]:
    """Return the runs of a shipped profile that still say something of the pins that ship with it."""
    return evidence_of_each([profile])[0]


def evidence_of_each(profiles: Sequence[Profile]) -> list[tuple[Evidence, ...]]:
    """Return the same of several profiles, for which what was verified is read once."""
    place = shipped_profiles() / FILE
    rows = json.loads(place.read_text("utf-8")) if place.is_file() else []
    digest = cache(pins_digest)
    return [
        tuple(
            Evidence(**row)
            for row in rows
            # A user's profile can have a shipped one's name, and was verified by nobody
            if row["profile"] == profile.name and profile.source.startswith(SHIPPED_PROFILES)
            if row["pins"] == digest(profile.name, row["variant"])
        )
        for profile in profiles
    ]


def pins_digest(profile: str, variant: str | None) -> str | None:
    """Return the sha256 of a profile's shipped pins, None if none ship."""
    import hashlib  # noqa: PLC0415  # 5 ms, for what was verified

    place = shipped_profiles() / pins_name(profile, variant)
    return hashlib.sha256(place.read_text("utf-8").encode()).hexdigest() if place.is_file() else None


def pins_name(profile: str, variant: str | None = None) -> str:
    """Return the file name of a profile's pins."""
    return f"{profile}.{variant}.txt" if variant else f"{profile}.txt"
