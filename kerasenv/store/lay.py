"""Take entries out of the store, for a new environment."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.scratch import scratch
from kerasenv.store.entry import Entry, files_of, open_entry, rows_of
from kerasenv.store.place import guarded, is_switched_on, needing
from kerasenv.store.sharing import at_once, copy, share

if TYPE_CHECKING:
    from collections.abc import Sequence
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


def take(sources: Sequence[Source], work: Path, *, site_packages: str) -> list[Taken]:
    """Lay what the store has of these sources into folders of `work`; what isn't as it was is taken out of the store.

    A store that can't be read or locked has nothing.
    """
    taken: list[Taken] = []
    if not is_switched_on():
        return taken
    try:
        with needing({source.key for source in sources}) as there:
            for source in sources:
                entry = open_entry(source.key) if source.key in there else None
                if entry is not None and entry.about.site_packages == site_packages and _is_good(entry):
                    taken.append(Taken(name=source.name, entry=entry, folder=_lay(entry, work)))
    except (OSError, NotImplementedError) as error:
        progress.detail(f"nothing more is taken from the store: {error}")
    return taken


def put(taken: Taken, environment: Path) -> None:
    """Move what was taken into an environment; what is there already stays."""
    _move(str(taken.folder), str(environment))


def _is_good(entry: Entry) -> bool:
    if is_as_taken(entry):
        return True
    progress.note(f"{entry.key.package} was changed where the store keeps it: it is made anew.")
    discard(entry.key)
    return False


def is_as_taken(entry: Entry) -> bool:
    """Say whether what others can write into has the size and the time that it had: the files of several names."""
    tree = str(entry.tree)
    try:
        for path, kind, size, mtime in files_of(entry):
            if kind == "shared":
                state = os.lstat(f"{tree}/{path}")
                if state.st_mtime_ns != mtime or state.st_size != size:
                    return False
    except (OSError, ValueError):
        return False
    return True


def discard(key: Key) -> None:
    """Take an entry out of the store, in one step."""
    with scratch("discard") as work, guarded(), suppress(FileNotFoundError):
        key.folder.rename(work / "entry")


def _lay(entry: Entry, work: Path) -> Path:
    folder = work / entry.key.package
    try:
        entry.spare.rename(folder)  # who comes first has it
    except OSError:  # somebody was before us, or it lies on another file system
        try:
            lay_anew(entry, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return folder


def lay_anew(entry: Entry, folder: Path) -> None:
    """Lay the files of an entry into a new folder one by one."""
    rows = rows_of(entry)
    for inside in sorted({row.path.rpartition("/")[0] for row in rows}):
        os.makedirs(f"{folder}/{inside}", exist_ok=True)  # noqa: PTH103  # of thousands, each a Path otherwise
    kinds = {row.path: row.kind for row in rows}
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
