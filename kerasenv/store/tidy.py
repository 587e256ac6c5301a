"""Take out of the store what nobody needs any more, or all of it.

What is to go is chosen and moved away while nobody else chooses or takes, which is a matter of milliseconds, and
removed afterwards. Who puts something into the store meanwhile goes on: what a running process needs stays.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from kerasenv.scratch import scratch
from kerasenv.store.disk import room_of
from kerasenv.store.entry import open_entry
from kerasenv.store.info import last_used
from kerasenv.store.place import guarded, keys_there, needed_now, store_folder, work_folder
from kerasenv.store.uses import is_there, last_uses, read_uses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from kerasenv.store.place import Key
    from kerasenv.store.uses import Use


@dataclass(frozen=True, kw_only=True, slots=True)
class Stays:
    """An entry that was to go."""

    entry: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tidied:
    """What was done, or would be."""

    done: bool
    removed: tuple[str, ...]
    """The entries."""
    stays: tuple[Stays, ...]
    remaining: int
    """How many entries there are afterwards."""
    uses_removed: int
    """How many notes of environments that are gone went."""
    freed: int
    """In bytes of the disk: those of files that no environment has as well."""


_NEEDED = "a running process needs it"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What is known when it is chosen what is to go."""

    living: frozenset[str]
    """The entries that environments which are there were made from."""
    last: Mapping[str, tuple[Path, Use]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """What is to go, and what else there is."""

    count: int
    """Of all entries."""
    entries: Mapping[Path, Key]
    stays: tuple[Stays, ...]
    uses: tuple[Path, ...]


def gc(*, older_than: timedelta | None = None, dry_run: bool = False) -> Tidied:
    """Remove the entries from which no environment was made that is still there, and what is left of others.

    With `older_than`, those that were used since then stay as well.
    """
    now = datetime.now(timezone.utc)
    halves = {key for key in keys_there() if open_entry(key) is None}  # now, since it takes longer than all the rest

    def is_to_go(key: Key, seen: _Seen) -> bool:
        if key in halves and open_entry(key) is None:  # nobody can use it
            return True
        if str(key) in seen.living:
            return False
        return older_than is None or now - last_used(key, seen.last) > older_than

    return _tidy(is_to_go, dry_run=dry_run)


def clear() -> Tidied:
    """Remove all entries but those that a running process needs; environments stay whole."""
    return _tidy(lambda _key, _seen: True, dry_run=False)


def _tidy(is_to_go: Callable[[Key, _Seen], bool], *, dry_run: bool) -> Tidied:
    if not store_folder().is_dir():
        return Tidied(done=not dry_run, removed=(), stays=(), remaining=0, uses_removed=0, freed=0)
    # Outside of the guard: environments can lie where it takes long to look
    gone = {place: use for place, use in read_uses().items() if use is None or not is_there(use)}
    with scratch("tidy", work_folder()) as work:
        with guarded():
            choice = _choose(is_to_go, gone)
            moved, stuck = ([], {}) if dry_run else _move_away([*choice.entries, *choice.uses], work)
        removed = {place: key for place, key in choice.entries.items() if place not in stuck}
        freed = room_of([*choice.entries, *choice.uses]).alone if dry_run else _remove(moved)
    held = [Stays(entry=str(key), why=stuck[place]) for place, key in choice.entries.items() if place in stuck]
    return Tidied(
        done=not dry_run,
        removed=tuple(map(str, removed.values())),
        stays=(*choice.stays, *held),
        remaining=choice.count - len(removed),
        uses_removed=sum(place not in stuck for place in choice.uses),
        freed=freed,
    )


def _choose(is_to_go: Callable[[Key, _Seen], bool], gone: Mapping[Path, Use | None]) -> _Choice:
    """Return what is to go; only who holds the guard may ask."""
    uses, keys, needed = read_uses(), keys_there(), needed_now()
    # What was noted since it was looked is of an environment that was just made
    dead = {place for place, use in uses.items() if use is None or gone.get(place) == use}
    living = [use.entries for place, use in uses.items() if use is not None and place not in dead]
    seen = _Seen(living=frozenset().union(*living), last=last_uses(uses))
    unused = [key for key in keys if is_to_go(key, seen)]
    chosen = [key for key in unused if str(key) not in needed]
    # Of an environment that is gone: by it, one knows when what stays was used
    remaining = {str(key) for key in keys}.difference(map(str, chosen))
    telling = {place for entry, (place, _) in seen.last.items() if entry in remaining}
    return _Choice(
        count=len(keys),
        entries={key.folder: key for key in chosen},
        stays=tuple(Stays(entry=str(key), why=_NEEDED) for key in unused if str(key) in needed),
        uses=tuple(dead - telling),
    )


def _move_away(places: Sequence[Path], work: Path) -> tuple[list[Path], dict[Path, str]]:
    """Return where they lie now, and why those are still there that could not be moved."""
    moved, stuck = [], {}
    for number, place in enumerate(places):
        target = work / str(number)
        try:
            with suppress(FileNotFoundError):
                place.rename(target)
                moved.append(target)
        except OSError as error:  # on Windows, somebody has one of its files open
            stuck[place] = error.strerror or str(error)
    return moved, stuck


def _remove(places: Sequence[Path]) -> int:
    """Remove files and folders; return how many bytes of the disk are free now."""
    before = room_of(places).alone
    for place in places:
        if place.is_symlink() or not place.is_dir():
            with suppress(OSError):
                place.unlink()
        else:
            shutil.rmtree(place, ignore_errors=True)
    return before - room_of(places).alone
