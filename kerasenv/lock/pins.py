"""The verified pins that ship beside a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.profiles.evidence import pins_name
from kerasenv.requirements_file import parse_hashed
from kerasenv.resources import shipped_profiles

if TYPE_CHECKING:
    from kerasenv.engine import Pin
    from kerasenv.profiles.profile import Profile


def shipped_pins(profile: Profile, *, variant: str | None = None) -> tuple[tuple[Pin, ...], str | None]:
    """Return the pins to start from and the profile they were verified for; none if nothing was verified.

    A profile of the user's that extends a shipped one starts from the shipped one's pins.
    """
    for name in (profile.name, *profile.lineage):
        place = shipped_profiles() / pins_name(name, variant)
        if place.is_file():
            return parse_hashed(place.read_text("utf-8")), name
    return (), None
