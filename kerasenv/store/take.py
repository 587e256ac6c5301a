"""Take entries out of the store, for a new environment."""

from __future__ import annotations

import json
import os
import shutil
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
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
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
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


class Taking:
    """Takes entries out of the store in a thread, and says which ones to expect before they are laid."""

    def __init__(self, pool: Executor, sources: Sequence[Source], work: Path) -> None:
        self._expected: Future[list[Taken]] = Future()
        self._taken = pool.submit(copy_context().run, take, sources, work, self._expected.set_result)
        self._taken.add_done_callback(self._expect_no_more)

    def _expect_no_more(self, _taken: object) -> None:
        if not self._expected.done():
            self._expected.set_result([])

    def expected(self) -> list[Taken]:
        """Wait until that is known; return what will be there unless something goes wrong while it is laid."""
        return self._expected.result()

    def taken(self) -> list[Taken]:
        """Wait until all is laid; return what is there."""
        return self._taken.result()


def take(sources: Sequence[Source], work: Path, expect: Callable[[list[Taken]], object] | None = None) -> list[Taken]:
    """Lay what the store has of these sources into folders of `work`; what isn't as it was is taken out of the store.

    `expect` hears of all that is going to be laid. A store that can't be read or locked has nothing.
    """
    taken: list[Taken] = []
    if not sources or not is_switched_on():
        return taken
    try:
        with needing({source.key for source in sources}) as there:
            taken = _take_all([source for source in sources if source.key in there], work, expect)
    except (OSError, NotImplementedError, KerasenvError) as error:
        progress.detail(f"nothing more is taken from the store: {error}")
    return taken


def put(taken: Taken, environment: Path) -> None:
    """Move what was taken into an environment; what is there already stays."""
    _move(str(taken.folder), str(environment))


def _take_all(sources: Sequence[Source], work: Path, expect: Callable[[list[Taken]], object] | None) -> list[Taken]:
    """Move the spares of those that have one, and lay the others; return what lies where it is to be taken from."""
    taken: list[Taken] = []
    todo: list[Taken] = []
    unmoved: list[Taken] = []
    for one, part in _open_all(sources, work):
        if part == SPARE:
            (taken if _is_moved(one) else unmoved).append(one)
        elif _is_good(one, part):
            todo.append(one)
            if os.path.lexists(one.entry.spare):  # it is damaged
                with suppress(OSError, KerasenvError):  # somebody has it open; it isn't taken in any case
                    discard_spare(one.entry.key)
    # At whose trees nobody has looked yet
    trees = _good_parts([one.entry.key for one in unmoved], TREE) if unmoved else []
    todo += [one for one, part in zip(unmoved, trees, strict=True) if _is_good(one, part)]
    if expect is not None:
        expect([*taken, *todo])
    return [*taken, *_laid(todo)]


def _open_all(sources: Sequence[Source], work: Path) -> Iterator[tuple[Taken, str]]:
    """Yield the entries that are there, and which part of each is as it was taken, '' if none is.

    Each file of a spare, or else of the tree, must have the size and the time that it had. Another process looks, since
    there are tens of thousands of them, and this one has other things to do meanwhile.
    """
    if not sources:
        return
    keys = [source.key for source in sources]
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="looking") as pool:
        looking = pool.submit(copy_context().run, _good_parts, keys, SPARE, TREE)
        entries = [open_entry(key) for key in keys]
    for source, entry, part in zip(sources, entries, looking.result(), strict=True):
        if entry is not None:
            yield Taken(name=source.name, entry=entry, folder=work / entry.key.package), part


def _good_parts(keys: Sequence[Key], *parts: str) -> list[str]:
    """Return for each entry the first of these parts that is as it was taken, '' if none is."""
    asked = {"entries": [str(key.folder) for key in keys], "parts": parts}
    # Isolated, and without site: it needs nothing of what is installed
    answer = process.run([sys.executable, "-I", "-S", probe("as_taken")], stdin=json.dumps(asked))
    try:
        return [str(part) for part in json.loads(answer.stdout)]
    except ValueError:
        raise ProgramError(f"the store can't be looked through: {answer.last_lines(1)}") from None


def _is_good(one: Taken, part: str) -> bool:
    """Say whether an entry has a good part; one that has none is taken out of the store."""
    if not part:
        progress.note(f"{one.entry.key.package} was changed where the store keeps it: it is made anew.")
        discard_if_possible(one.entry.key)
    return bool(part)


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
