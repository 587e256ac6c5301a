"""Take entries out of the store, for a new environment."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kerasenv import process, progress
from kerasenv.errors import KerasenvError, ProgramError
from kerasenv.resources import probe
from kerasenv.scratch import scratch
from kerasenv.store.entry import KINDS, SPARE, TREE, Entry, files_of, is_inside, open_entry
from kerasenv.store.place import guarded, is_switched_on, needing, work_folder
from kerasenv.store.sharing import at_once, copy, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kerasenv.store.place import Key
    from kerasenv.store.sources import Source

_PYCACHE = "__pycache__"


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """An entry whose files lie in a folder, from where they can be moved into an environment."""

    name: str
    entry: Entry
    folder: Path


def take(sources: Sequence[Source], work: Path) -> list[Taken]:
    """Lay what the store has of these sources into folders of `work`; what isn't as it was is taken out of the store.

    A store that can't be read or locked has nothing.
    """
    taken: list[Taken] = []
    if not sources or not is_switched_on():
        return taken
    try:
        with needing({source.key for source in sources}) as there:
            found = [(source.name, open_entry(source.key)) for source in sources if source.key in there]
            for name, entry, part in _good([(name, entry) for name, entry in found if entry is not None]):
                try:
                    taken.append(Taken(name=name, entry=entry, folder=_lay(entry, work, part)))
                except ValueError:
                    _give_up(entry.key)
                except OSError as error:
                    progress.detail(f"{entry.key} isn't taken from the store: {error}")
    except (OSError, NotImplementedError, KerasenvError) as error:
        progress.detail(f"nothing more is taken from the store: {error}")
    return taken


def put(taken: Taken, environment: Path) -> None:
    """Move what was taken into an environment; what is there already stays."""
    _move(str(taken.folder), str(environment))


def _good(entries: list[tuple[str, Entry]]) -> Iterator[tuple[str, Entry, str]]:
    """Yield those that are as they were taken, and which part of them; the others are taken out of the store.

    Each file of a spare, or else of the tree, must have the size and the time that it had. Another process looks, since
    there are tens of thousands of them, and this one has other things to do meanwhile.
    """
    if not entries:
        return
    parts = _good_parts([entry for _, entry in entries], SPARE, TREE)
    for (name, entry), part in zip(entries, parts, strict=True):
        if part:
            yield name, entry, part
        else:
            _give_up(entry.key)


def _good_parts(entries: list[Entry], *parts: str) -> list[str]:
    """Return for each entry the first of these parts that is as it was taken, '' if none is."""
    asked = {"entries": [str(entry.key.folder) for entry in entries], "parts": parts}
    # Isolated, and without site: it needs nothing of what is installed
    answer = process.run([sys.executable, "-I", "-S", probe("as_taken")], stdin=json.dumps(asked))
    try:
        return [str(part) for part in json.loads(answer.stdout)]
    except ValueError:
        raise ProgramError(f"the store can't be looked through: {answer.last_lines(1)}") from None


def _give_up(key: Key) -> None:
    progress.note(f"{key.package} was changed where the store keeps it: it is made anew.")
    discard_if_possible(key)


def discard_if_possible(key: Key) -> None:
    """Take an entry out of the store, in one step; it stays if somebody has it open."""
    with suppress(OSError, KerasenvError):
        discard(key)


def discard(key: Key) -> None:
    """Take an entry out of the store, in one step."""
    _discard(key.folder)


def discard_spare(key: Key) -> None:
    """Take what lies ready for the next environment out of the store, in one step."""
    _discard(key.folder / SPARE)


def _discard(place: Path) -> None:
    with scratch("discard", work_folder()) as work, guarded(), suppress(FileNotFoundError):
        place.rename(work / "gone")


def _lay(entry: Entry, work: Path, part: str) -> Path:
    folder = work / entry.key.package
    if part == SPARE:
        with suppress(OSError):  # somebody was before us, or it lies on another file system
            entry.spare.rename(folder)  # who comes first has it, as a whole
            return folder
        if _good_parts([entry], TREE) != [TREE]:  # at which nobody has looked yet
            raise ValueError(f"{entry.key} was changed")
    elif os.path.lexists(entry.spare):  # it is damaged
        with suppress(OSError, KerasenvError):  # somebody has it open; it isn't taken in any case
            discard_spare(entry.key)
    try:
        lay_anew(entry, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def lay_anew(entry: Entry, folder: Path) -> None:
    """Lay the files of an entry into a new folder one by one."""
    kinds = {path: kind for path, kind, _, _ in files_of(entry)}
    if not all(map(is_inside, kinds)) or not KINDS.issuperset(kinds.values()):
        raise ValueError(f"{entry.key}: a file lies outside, or is of no kind that there is")
    for inside in sorted({path.rpartition("/")[0] for path in kinds}):
        os.makedirs(f"{folder}/{inside}", exist_ok=True)  # noqa: PTH103  # of thousands, each a Path otherwise
    at_once(partial(_lay_file, str(entry.tree), str(folder), kinds), kinds)


def _lay_file(tree: str, folder: str, kinds: dict[str, str], path: str) -> None:
    source, target = f"{tree}/{path}", f"{folder}/{path}"
    if kinds[path] == "link":
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211  # as it is written there
    elif kinds[path] == "text":
        copy(source, target)
    else:
        share(source, target)


def _move(source: str, target: str, *, foreign: frozenset[str] = frozenset()) -> None:
    """Move all that is in a folder into another; folders that both have become one, files that are there stay.

    Of modules that are `foreign` the bytecode isn't moved.
    """
    with os.scandir(source) as found:
        inside = sorted(found, key=lambda one: one.name == _PYCACHE)  # last, when it is known whose it may be
    stayed: set[str] = set()
    for one in inside:
        place = f"{target}/{one.name}"
        if one.name.rpartition(".cpython-")[0] in foreign:
            continue
        if one.name == _PYCACHE and stayed:
            os.makedirs(place, exist_ok=True)  # noqa: PTH103  # see above
            _move(one.path, place, foreign=frozenset(stayed))
        elif not os.path.lexists(place):
            os.rename(one.path, place)  # noqa: PTH104  # see above
        elif one.is_dir(follow_symlinks=False):
            _move(one.path, place)
        elif one.name.endswith(".py"):
            stayed.add(one.name.removesuffix(".py"))
