"""What was found of what a profile needs of the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.system.need import SystemNeed


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Something that the system hasn't got."""

    need: SystemNeed
    looked_at: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A name below site-packages that has to lead to a library of the system."""

    path: str
    target: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was found of a profile's needs, as far as they are needs on this kind of machine."""

    present: tuple[str, ...] = ()
    """What is there, in words."""
    missing: tuple[Missing, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def told(self) -> str:
        """Return what was found, in one line."""
        return ", ".join([*self.present, *(f"no {one.need.name}" for one in self.missing)]) or "nothing is needed here"

    @property
    def variables(self) -> dict[str, str]:
        """Return what the environment sets because something is missing."""
        return {name: value for one in self.missing for name, value in one.need.without.items()}
