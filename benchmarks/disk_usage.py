"""Count what files take on disk, each once, however many names it has."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own is


def bytes_on_disk(roots: Iterable[Path]) -> int:
    """Return what all files and folders below these take together; what isn't there takes nothing."""
    seen: set[tuple[int, int]] = set()
    return sum(_count(root, seen) for root in roots if os.path.lexists(root))


def _count(root: Path, seen: set[tuple[int, int]]) -> int:
    total = 0
    waiting: list[str | Path] = [root]
    while waiting:
        place = waiting.pop()
        found = os.lstat(place)
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        total += found.st_blocks * _BLOCK
        if stat.S_ISDIR(found.st_mode):
            waiting += [entry.path for entry in os.scandir(place)]
    return total
