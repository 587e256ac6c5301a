"""What an interpreter is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv.platforms import platform_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.version import Version

    from kerasenv.platforms import Platform


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A Python of this machine, with what it said of itself when it was started."""

    path: Path
    version: Version
    implementation: str
    bits: int
    markers: Mapping[str, str]
    source: str
    abi_flags: str = ""
    """'t' for one without a global lock, 'd' for a debug build, 'm' for any other before 3.8."""

    @property
    def minor(self) -> str:
        """Return '3.7' for 3.7.16."""
        return f"{self.version.major}.{self.version.minor}"

    @property
    def usable(self) -> bool:
        """Say whether it is a CPython of 64 bits, for which wheels are built."""
        return self.implementation == "CPython" and self.bits == 64  # noqa: PLR2004

    @property
    def platform(self) -> Platform | None:
        """Return the kind of machine it runs on, None for one that no lock covers."""
        return platform_of(self.markers)

    def __str__(self) -> str:
        return f"CPython {self.version} ({self.source})"
