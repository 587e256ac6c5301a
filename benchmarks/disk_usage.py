"""Count what is taken on disk: by files, each once, however many names it has, or of a file system as a whole."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own is


def bytes_of_files(roots: Iterable[Path]) -> int:
    """Return what all files and folders below these take together; what isn't there takes nothing."""
    seen: set[tuple[int, int]] = set()
    return sum(_count(root, seen) for root in roots if os.path.lexists(root))


def bytes_used(folder: Path) -> int:
    """Return what is taken of the file system that a folder is on, whoever took it, once all is written."""
    os.sync()
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def can_clone(folder: Path) -> bool:
    """Say whether files in a folder can be clones, which share what is in them until one of them is written to."""
    original, cloned = folder / "original", folder / "cloned"
    original.write_bytes(b"content")
    words = ["cp", "--reflink=always", str(original), str(cloned)]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    finally:
        original.unlink()
        cloned.unlink(missing_ok=True)


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
