"""Where the store lies, and who is at work in it."""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from kerasenv.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SWITCH = "KERASENV_STORE"
_KEEPER = "keeper"
_PATIENCE = 30
"""For how many seconds a lock is waited for that is held for milliseconds, and a process that was started."""
_DIGITS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """The name of an entry."""

    python: str
    """'3.11-linux-x86_64': whoever shares it can use the same files and bytecode."""
    package: str
    """'numpy-2.1.3-0a1b2c3d4e5f6a7b': the end is of the digest of what it was installed from."""

    def __str__(self) -> str:
        return f"{self.python}/{self.package}"

    @property
    def folder(self) -> Path:
        """Return where the entry lies, if there is one."""
        return store_folder() / "entries" / self.python / self.package


def store_folder() -> Path:
    """Return where the store lies."""
    return cache_folder() / "store"


def work_folder() -> Path:
    """Return where the store makes what is moved into it, and removes what was moved out.

    It is a part of the store, since nothing can be moved from one file system to another.
    """
    return store_folder() / "work"


def is_switched_on() -> bool:
    """Say whether there is to be a store; KERASENV_STORE=0 switches it off."""
    return os.environ.get(_SWITCH) != "0"


def keys_there() -> list[Key]:
    """Return the entries that are there."""
    entries = store_folder() / "entries"
    return [Key(python=one.parent.name, package=one.name) for one in sorted(entries.glob("*/*")) if one.is_dir()]


@contextmanager
def guarded() -> Iterator[None]:
    """Let one process at a time choose entries or take them away; it is a matter of milliseconds.

    OSError or NotImplementedError is raised where nothing can be written or locked.
    """
    from filelock import FileLock  # noqa: PLC0415  # only what builds needs it

    folder = store_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "guard", timeout=_PATIENCE):
        yield


@contextmanager
def needing(keys: Iterable[Key]) -> Iterator[frozenset[Key]]:
    """Yield those of the entries that are there; none of them is taken away meanwhile.

    As long as it lasts, a file in `running` that names them is locked, which the system frees however the process ends.
    """
    from filelock import FileLock  # noqa: PLC0415  # see above

    running = store_folder() / "running"
    note = running / f"{uuid.uuid4().hex}.json"
    lock = FileLock(note.with_suffix(".lock"))
    wanted = frozenset(keys)
    with guarded():
        there = frozenset(key for key in wanted if key.folder.is_dir())
        running.mkdir(exist_ok=True)
        with suppress(OSError):
            needed_now()  # which clears away what killed processes left
        lock.acquire(timeout=0)
        # Those that aren't there too: whoever needs them may be about to put them in
        note.write_text(json.dumps(sorted(map(str, wanted))), encoding="utf-8")
    try:
        yield there
    finally:
        note.unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # Windows removes no file that somebody has open
            note.with_suffix(".lock").unlink(missing_ok=True)


def needed_now() -> frozenset[str]:
    """Return the entries that running processes need; only who holds the guard may ask."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  # see above

    needed: set[str] = set()
    for lock in (store_folder() / "running").glob("*.lock"):
        note = lock.with_suffix(".json")
        try:
            with FileLock(lock, timeout=0):  # whoever locked it is gone
                note.unlink(missing_ok=True)
            with suppress(OSError):
                lock.unlink(missing_ok=True)
        except Timeout:
            with suppress(OSError, ValueError, TypeError, RecursionError):
                needed |= set(map(str, json.loads(note.read_text("utf-8"))))
    return frozenset(needed)


@contextmanager
def keeping() -> Iterator[None]:
    """Let one process at a time put entries into the store; the others wait."""
    from filelock import FileLock  # noqa: PLC0415  # see above

    folder = store_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _KEEPER):
        yield


def announce(environment: Path) -> None:
    """Note that a process was started that puts into the store what an environment holds."""
    note = _announcement(environment)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.touch()


def withdraw(environment: Path) -> None:
    """Note that this process is done."""
    with suppress(OSError):
        _announcement(environment).unlink(missing_ok=True)


def _announcement(environment: Path) -> Path:
    return store_folder() / "coming" / sha256(os.fsencode(environment)).hexdigest()[:_DIGITS]


def _is_coming() -> bool:
    """Say whether a process was started of which nothing else is to be seen yet."""
    young = time.time() - _PATIENCE
    for note in (store_folder() / "coming").glob("*"):
        with suppress(OSError):
            if note.stat().st_mtime > young:
                return True
    return False


def is_busy() -> bool:
    """Say whether a process is putting something into the store, or is about to."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  # see above

    if _is_coming():
        return True
    lock = store_folder() / _KEEPER
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
