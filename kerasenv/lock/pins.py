"""The verified pins that ship beside a profile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kerasenv.profiles.evidence import pins_name
from kerasenv.profiles.inherit import inherit, variant_of
from kerasenv.profiles.load import load_profile_file
from kerasenv.requirements_file import parse_hashed
from kerasenv.resources import shipped_profiles

if TYPE_CHECKING:
    from kerasenv.profiles.load import RawProfile
    from kerasenv.profiles.profile import Profile
    from kerasenv.resolution import Pin


def shipped_pins(profile: Profile, *, variant: str | None = None) -> tuple[tuple[Pin, ...], str | None]:
    """Return the pins to start from and the profile they were verified for; none if nothing was verified.

    A profile of the user's that extends a shipped one starts from the shipped one's pins. If it asks for something else
    they are only versions to prefer: their hashes are those of the files that the shipped one needs. It is then called
    "the shipped NAME", since the user's own can have the same name.
    """
    for name in (profile.name, *profile.lineage):
        place = shipped_profiles() / pins_name(name, variant)
        if not place.is_file():
            continue
        pins = parse_hashed(place.read_text("utf-8"))
        if _asks_for(profile) == _asks_for(_shipped(name, variant)):
            return pins, name
        return tuple(replace(pin, hashes=frozenset()) for pin in pins), f"the shipped {name}"
    return (), None


def _shipped(name: str, variant: str | None) -> Profile:
    profile = inherit(_load(name), lambda chain: _load(chain[-1].extends or ""))
    return variant_of(profile, variant) if variant else profile


def _load(name: str) -> RawProfile:
    return load_profile_file(shipped_profiles() / f"{name}.toml", f"shipped profile {name}", name=name)


def _asks_for(profile: Profile) -> tuple[object, ...]:
    """Return all of a profile that decides what is resolved."""
    return (
        profile.requires_python,
        set(profile.platforms),
        set(profile.requirements),
        {one.requirement for one in profile.constraints},
        {one.requirement for one in profile.build_constraints},
    )
