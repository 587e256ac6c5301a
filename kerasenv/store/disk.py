"""What folders of the store take on the disk.

A file of several names takes its room once, and gives it back when the last of them goes. What a file system has cloned
can't be told from what it has copied: there, what is told is too much.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Inode = tuple[int, int]
Found = tuple[str, os.stat_result]
_BLOCK = 512


@dataclass(kw_only=True, slots=True)
class Room:
    """What some folders take, together."""

    names: Counter[Inode] = field(default_factory=Counter)
    """How many of its names each file has in them."""
    states: dict[Inode, os.stat_result] = field(default_factory=dict)

    def add(self, found: Iterable[Found]) -> list[tuple[str, int]]:
        """Add what was found; return what of it wasn't known yet under any name, and its bytes."""
        new = []
        for path, state in found:
            inode = state.st_dev, state.st_ino
            if inode not in self.states:
                new.append((path, _bytes_of(state)))
            self.states[inode] = state
            self.names[inode] += 1
        return new

    @property
    def size(self) -> int:
        """Return what they take."""
        return sum(map(_bytes_of, self.states.values()))

    @property
    def alone(self) -> int:
        """Return what would be free without them: what has no name elsewhere."""
        return sum(
            _bytes_of(state)
            for inode, state in self.states.items()
            if stat.S_ISDIR(state.st_mode) or self.names[inode] >= state.st_nlink
        )


def room_of(places: Iterable[Path]) -> Room:
    """Return what files and folders take."""
    room = Room()
    for place in places:
        room.add(find_all(place))
    return room


def find_all(place: Path) -> Iterator[Found]:
    """Yield a file or a folder with all that lies in it; what goes away meanwhile is left out."""
    with suppress(OSError):
        yield str(place), place.lstat()
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = f"{folder}{os.sep}{name}"
            with suppress(OSError):
                yield path, os.lstat(path)


def _bytes_of(state: os.stat_result) -> int:
    blocks: int | None = getattr(state, "st_blocks", None)  # Windows doesn't tell
    return state.st_size if blocks is None else blocks * _BLOCK
