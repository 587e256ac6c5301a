"""Take entries out of the store, for a new environment."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv import process, progress
from kerasenv.errors import KerasenvError, ProgramError
from kerasenv.resources import probe
from kerasenv.scratch import scratch
from kerasenv.store.entry import SPARE, TREE, Entry, open_entry
from kerasenv.store.laying import lay
from kerasenv.store.place import guarded, is_switched_on, needing, work_folder

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
            taken = _take_all(
                [
                    Taken(name=name, entry=entry, folder=work / entry.key.package)
                    for name, entry in found
                    if entry is not None
                ]
            )
    except (OSError, NotImplementedError, KerasenvError) as error:
        progress.detail(f"nothing more is taken from the store: {error}")
    return taken


def put(taken: Taken, environment: Path) -> None:
    """Move what was taken into an environment; what is there already stays."""
    _move(str(taken.folder), str(environment))


def _take_all(wanted: Sequence[Taken]) -> list[Taken]:
    """Move the spares of those that have one, and lay the others; return what lies where it is to be taken from."""
    taken: list[Taken] = []
    todo: list[Taken] = []
    unmoved: list[Taken] = []
    for one, part in _looked_through(wanted, SPARE, TREE):
        if part == SPARE:
            (taken if _is_moved(one) else unmoved).append(one)
        else:
            todo.append(one)
            if os.path.lexists(one.entry.spare):  # it is damaged
                with suppress(OSError, KerasenvError):  # somebody has it open; it isn't taken in any case
                    discard_spare(one.entry.key)
    todo += [one for one, _ in _looked_through(unmoved, TREE)]  # at which nobody has looked yet
    return [*taken, *_laid(todo)]


def _is_moved(one: Taken) -> bool:
    try:
        one.entry.spare.rename(one.folder)  # who comes first has it, as a whole
    except OSError:  # somebody was before us, or it lies on another file system
        return False
    return True


def _laid(todo: Sequence[Taken]) -> Iterator[Taken]:
    problems = lay([(one.entry.key.folder, one.folder) for one in todo])
    for one, problem in zip(todo, problems, strict=True):
        if problem:
            progress.detail(f"{one.entry.key} isn't taken from the store: {problem}")
            shutil.rmtree(one.folder, ignore_errors=True)
        else:
            yield one


def _looked_through(wanted: Sequence[Taken], *parts: str) -> Iterator[tuple[Taken, str]]:
    """Yield those that are as they were taken, and which part of them; the others are taken out of the store.

    Each file of a spare, or else of the tree, must have the size and the time that it had. Another process looks, since
    there are tens of thousands of them, and this one has other things to do meanwhile.
    """
    if not wanted:
        return
    for one, part in zip(wanted, _good_parts([one.entry for one in wanted], *parts), strict=True):
        if part:
            yield one, part
        else:
            progress.note(f"{one.entry.key.package} was changed where the store keeps it: it is made anew.")
            discard_if_possible(one.entry.key)


def _good_parts(entries: list[Entry], *parts: str) -> list[str]:
    """Return for each entry the first of these parts that is as it was taken, '' if none is."""
    asked = {"entries": [str(entry.key.folder) for entry in entries], "parts": parts}
    # Isolated, and without site: it needs nothing of what is installed
    answer = process.run([sys.executable, "-I", "-S", probe("as_taken")], stdin=json.dumps(asked))
    try:
        return [str(part) for part in json.loads(answer.stdout)]
    except ValueError:
        raise ProgramError(f"the store can't be looked through: {answer.last_lines(1)}") from None


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
    with suppress(OSError):  # something stayed
        os.rmdir(source)  # noqa: PTH106  # see above
