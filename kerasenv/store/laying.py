"""Lay the files of entries into new folders, one by one.

Tens of thousands of small calls keep one processor busy, and threads take turns: so a second process lays half of
them, every other line of the tables.

python -m kerasenv.store.laying < the entries and their new folders, as JSON
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv import process
from kerasenv.errors import ProgramError
from kerasenv.store.entry import KINDS, TREE, folders_of, is_inside
from kerasenv.store.place import store_folder
from kerasenv.store.sharing import copy, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HERE, _THERE = 0, 1
_WORTH_A_PROCESS = 100_000
"""How long the tables are, in bytes, from which on it takes more time to lay half of the files than to start it."""


def lay(todo: Sequence[tuple[Path, Path]]) -> list[str]:
    """Lay entries, which are named by their folders, into new folders; return what went wrong with each, '' if nothing.

    What was laid of an entry before something went wrong stays in its new folder.
    """
    if (os.cpu_count() or 1) == 1 or sum(map(_length, todo)) < _WORTH_A_PROCESS:
        return [_lay_entry(entry, folder) for entry, folder in todo]
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="laying") as pool:
        others = pool.submit(copy_context().run, _lay_elsewhere, todo)
        mine = _lay_share(todo, _HERE)
        return [one or other for one, other in zip(mine, others.result(), strict=True)]


def _length(job: tuple[Path, Path]) -> int:
    try:
        return os.stat(job[0] / "files.jsonl").st_size  # noqa: PTH116  # beside the others of its kind
    except OSError:
        return 0


def _lay_elsewhere(todo: Sequence[tuple[Path, Path]]) -> list[str]:
    """Let a second process lay its share; do it here if that can't be started."""
    asked = json.dumps([[str(entry), str(folder)] for entry, folder in todo])
    try:
        # The folder it is started from comes first on its path, so it is one of kerasenv's own
        answer = process.run([sys.executable, "-m", __name__], stdin=asked, cwd=store_folder())
        return [str(problem) for problem in json.loads(answer.stdout)]
    except (ProgramError, ValueError):
        return _lay_share(todo, _THERE)


def _lay_share(todo: Iterable[tuple[Path, Path]], whose: int) -> list[str]:
    # Many tables have one line: they begin in turns with what is laid here, and with what is laid there
    return [
        _lay_entry(entry, folder, slice((number + whose) % 2, None, 2)) for number, (entry, folder) in enumerate(todo)
    ]


def _lay_entry(entry: Path, folder: Path, share: slice = slice(None)) -> str:
    try:
        for inside, files in folders_of(entry, share):
            _lay_folder(str(entry / TREE), str(folder), inside, files)
    except (OSError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _lay_folder(tree: str, folder: str, inside: str, files: Iterable[Sequence[object]]) -> None:
    if inside and not is_inside(inside):
        raise ValueError(f"{inside!r} lies outside")
    start = f"/{inside}/" if inside else "/"
    _make_folder(folder + start)
    _lay_files(tree + start, folder + start, files)


def _make_folder(folder: str) -> None:
    try:
        os.mkdir(folder)  # noqa: PTH102  # of thousands, each a Path otherwise
    except FileExistsError:
        pass
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103  # see above


def _lay_files(source: str, target: str, files: Iterable[Sequence[object]]) -> None:
    for name, kind, _, _ in files:
        if kind not in KINDS or not isinstance(name, str) or "/" in name or not is_inside(name):
            raise ValueError(f"{name!r} lies outside, or is of no kind that there is")
        if kind == "shared":
            share(source + name, target + name)
        elif kind == "text":
            copy(source + name, target + name)
        else:
            os.symlink(os.readlink(source + name), target + name)  # noqa: PTH115, PTH211  # as it is written there


if __name__ == "__main__":
    asked = [(Path(entry), Path(folder)) for entry, folder in json.load(sys.stdin)]
    json.dump(_lay_share(asked, _THERE), sys.stdout)
