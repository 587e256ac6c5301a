"""What lies in the store, what it takes, and what for."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from kerasenv.env.inventory import BYTECODE
from kerasenv.store.disk import Room, find_all
from kerasenv.store.entry import SPARE, open_entry
from kerasenv.store.place import is_busy, is_switched_on, keys_there, store_folder, work_folder
from kerasenv.store.uses import is_there, last_uses, read_uses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kerasenv.store.place import Key
    from kerasenv.store.uses import Use


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """An entry. Sizes are in bytes of the disk; what several entries have counts for the first."""

    entry: str
    package: str
    version: str
    python: str
    """For which Python it is, as '3.11-linux-x86_64'."""
    whole: bool
    """Whether it can be used; else this kerasenv can't read it."""
    size: int
    alone: int
    """What would be free without it: what no environment has as well."""
    spare: int
    """How much of the size is what lies ready for the next environment."""
    bytecode: int
    environments: tuple[str, ...]
    """Those that are there."""
    last_used: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Info:
    """All of the store."""

    folder: str
    switched_on: bool
    busy: bool
    """Whether a process is putting something into it."""
    entries: tuple[Held, ...]
    environments: tuple[str, ...]
    """Those that are there and were made from entries of it."""
    size: int
    """Of the entries, of what is on its way in or out now, and of what a killed process left of that."""
    alone: int
    spare: int
    bytecode: int
    longest_unused: str | None
    """When the entry was used that wasn't for the longest time."""


def look() -> Info:
    """Return what lies in the store; nothing is changed."""
    uses = read_uses()
    living = [use for use in uses.values() if use is not None and is_there(use)]
    last = last_uses(uses)
    room = Room()
    entries = tuple(_held(key, room, living, last) for key in keys_there())
    for one in work_folder().glob("*"):
        room.add(find_all(one))
    told = {one.entry for one in entries}
    return Info(
        folder=str(store_folder()),
        switched_on=is_switched_on(),
        busy=_is_busy(),
        entries=entries,
        environments=tuple(sorted(use.environment for use in living if not told.isdisjoint(use.entries))),
        size=room.size,
        alone=room.alone,
        spare=sum(one.spare for one in entries),
        bytecode=sum(one.bytecode for one in entries),
        longest_unused=min((one.last_used for one in entries), default=None),
    )


def name_and_version(key: Key) -> tuple[str, str]:
    """Return of which package an entry is."""
    name, _, version = key.package.rpartition("-")[0].rpartition("-")
    return (name, version) if name else (key.package, "")


def last_used(key: Key, last: Mapping[str, tuple[Path, Use]]) -> datetime:
    """Return when an entry was last used; if nobody knows, when it was made."""
    if str(key) in last:
        return last[str(key)][1].at
    made = 0.0
    for place in (key.folder / "entry.json", key.folder):
        with suppress(OSError):
            made = made or place.lstat().st_mtime
    return datetime.fromtimestamp(made, timezone.utc)


def _held(key: Key, room: Room, living: Iterable[Use], last: Mapping[str, tuple[Path, Use]]) -> Held:
    spare = f"{key.folder / SPARE}{os.sep}"
    found = sorted(find_all(key.folder), key=lambda one: one[0].startswith(spare))  # a file of both is no spare's
    own = Room()
    own.add(found)
    new = room.add(found)
    package, version = name_and_version(key)
    return Held(
        entry=str(key),
        package=package,
        version=version,
        python=key.python,
        whole=open_entry(key) is not None,
        size=sum(size for _, size in new),
        alone=own.alone,
        spare=sum(size for path, size in new if path.startswith(spare)),
        bytecode=sum(size for path, size in new if path.endswith(BYTECODE) and not path.startswith(spare)),
        environments=tuple(sorted(use.environment for use in living if str(key) in use.entries)),
        last_used=last_used(key, last).isoformat(timespec="seconds"),
    )


def _is_busy() -> bool:
    try:
        return is_busy()
    except (OSError, NotImplementedError):  # where nobody can lock anything, nobody puts anything into it
        return False
