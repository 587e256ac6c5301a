"""What a profile is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kerasenv.smoke.plan import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    from kerasenv.smoke.plan import Noise, SmokePlan
    from kerasenv.system.need import SystemNeed


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """A cap with its reason: the symptom without it and where that was seen."""

    requirement: Requirement
    because: str
    seen: str
    sha256: tuple[str, ...] = ()
    """Of what builds source distributions: the digests of the files that may stand for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KerasSettings:
    """What stands in the environment's own keras.json; None leaves Keras its default."""

    floatx: str | None = None
    epsilon: float | None = None
    image_data_format: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Another build of the same thing.

    The packages named in `without` are left out, `requirements` are added, or replace those of the same package.
    """

    name: str
    summary: str
    requirements: tuple[Requirement, ...] = ()
    without: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    """Where there is such a build; empty means wherever the profile is for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One era's Keras, ready to be locked: everything it extends is already merged in."""

    name: str
    summary: str
    era: str
    requires_python: SpecifierSet
    platforms: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    constraints: tuple[Constraint, ...] = ()
    build_constraints: tuple[Constraint, ...] = ()
    backend: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: KerasSettings = field(default_factory=KerasSettings)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    smoke: SmokePlan
    trial: Trial = field(default_factory=Trial)
    noise: tuple[Noise, ...] = ()
    system: tuple[SystemNeed, ...] = ()
    source: str
    """Where it was read: a path, or a path and a table of pyproject.toml."""
    lineage: tuple[str, ...] = ()
    """The profiles it extends, nearest first."""
