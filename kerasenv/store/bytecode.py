"""Make the bytecode of what is kept, by the Python that it is for."""

from __future__ import annotations

import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from kerasenv import process
from kerasenv.errors import ProgramError
from kerasenv.resources import probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_WORKERS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
_BY_TIME = 0
_HEADERS = {"3.6": struct.Struct("<4x2I")}
_HEADER = struct.Struct("<4x3I")  # since 3.7: how it is validated, then time and size of the source


def bytecode_of(source: str, minor: str) -> str:
    """Return the path of a source's bytecode, both relative to an environment."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-{minor.replace('.', '')}.pyc"


def is_valid(bytecode: Path, source: os.stat_result, minor: str) -> bool:
    """Say whether bytecode is of this very source, as Python itself does, by time and size."""
    header = _HEADERS.get(minor, _HEADER)
    try:
        with bytecode.open("rb") as stream:
            *validation, time, size = header.unpack(stream.read(header.size))
    except (OSError, struct.error):
        return False
    here = int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF
    return (time, size) == here and all(one == _BY_TIME for one in validation)


def is_for_good(bytecode: Path, minor: str) -> bool:
    """Say whether Python doesn't look at the time and the size of the source, since a publisher wanted it so."""
    header = _HEADERS.get(minor, _HEADER)
    try:
        with bytecode.open("rb") as stream:
            return any(one != _BY_TIME for one in header.unpack(stream.read(header.size))[:-2])
    except (OSError, struct.error):
        return False


def compile_in(tree: Path, sources: Iterable[str], python: Path, minor: str) -> None:
    """Compile sources of a tree, each beside itself; those that can't be compiled stay without."""
    rows = [(f"{tree}/{source}", f"{tree}/{bytecode_of(source, minor)}", source) for source in sources]
    rows.sort(key=lambda row: -os.stat(row[0]).st_size)  # noqa: PTH116  # of thousands, each a Path otherwise
    shares = [rows[start::_WORKERS] for start in range(_WORKERS)]
    with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="compile") as pool:
        list(pool.map(partial(_compile, python), filter(None, shares)))


def _compile(python: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    # Isolated, without site: nothing of an environment or a user is to run here
    answer = process.run([python, "-I", "-S", "-B", probe("bytecode")], stdin=json.dumps(rows))
    if answer.returncode:
        raise ProgramError(f"{python} can't compile: it ended with {answer.returncode}", looked_at=answer.last_lines())
