"""What resolving gives: versions with their files, or those that were chosen before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version


NO_CHOICE = "The requirements can't be met together, or not from this index."
"""What a ResolveError says if the index answered, and no versions fit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """A version that was chosen before; `hashes` are sha256 digests, and only such files may stand for it."""

    name: NormalizedName
    version: Version
    marker: str | None = None
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A wheel or source distribution of the index."""

    name: str
    url: str
    sha256: str
    size: int | None = None
    upload_time: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedPackage:
    """A package that was chosen, with every file of that version."""

    name: NormalizedName
    version: Version
    marker: str | None = None
    requires_python: SpecifierSet | None = None
    files: tuple[File, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What an engine chose.

    `only_here` says that it holds only for the request's interpreter and platform, since the engine can't see further.
    """

    packages: tuple[ResolvedPackage, ...]
    only_here: bool = False
