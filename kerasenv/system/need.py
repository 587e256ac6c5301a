"""What a profile needs of the system that it runs on, beyond what any package index has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemNeed:
    """Shared libraries, a program or headers; one of the three."""

    name: str
    because: str
    """What happens without it."""
    seen: str = ""
    needed: bool = True
    """False if it works without it too, only slower."""
    platforms: tuple[str, ...] = ()
    """Where it is needed; empty means wherever the profile is for."""
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The name that the loader looks for, and those that can stand in for it.

    Its own name is among them if only the interpreter finds it, by paths that packages don't look at.
    """
    links: str | None = None
    """The folder below site-packages in which packages look for libraries themselves: a link there leads to a
    stand-in."""
    programs: tuple[str, ...] = ()
    """Names on PATH; one of them is enough."""
    headers: tuple[str, ...] = ()
    """Files that belong to the interpreter, for compiling against it."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """What to install, by package manager; {python} stands for the interpreter's minor version."""
    without: Mapping[str, str] = field(default_factory=dict)
    """Variables of the environment while it is missing, instead of the profile's own."""
