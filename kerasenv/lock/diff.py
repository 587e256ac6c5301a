"""What changed between two locks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.pylock import Pylock


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One package's versions before and after; several where it depends on the machine, none where it isn't there."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.name} {', '.join(self.after)}"
        if not self.after:
            return f"- {self.name} {', '.join(self.before)}"
        return f"~ {self.name} {', '.join(self.before)} -> {', '.join(self.after)}"


def changes(old: Pylock, new: Pylock) -> list[Change]:
    """Return the packages whose versions differ, by name."""
    before, after = _versions(old), _versions(new)
    return [
        Change(name=name, before=before.get(name, ()), after=after.get(name, ()))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _versions(lock: Pylock) -> dict[str, tuple[str, ...]]:
    found = defaultdict(list)
    for package in lock.packages:
        found[str(package.name)].append(str(package.version or "(no version)"))
    return {name: tuple(versions) for name, versions in found.items()}
