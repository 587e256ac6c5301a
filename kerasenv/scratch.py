"""Folders for what is needed meanwhile: they are gone afterwards, and soon after even where a process was killed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv.errors import KerasenvError
from kerasenv.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch(what: str, place: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder in a place, else in kerasenv's cache, and remove it afterwards.

    The file `<folder>.lock` beside it is locked meanwhile. The system frees that lock however the process ends, so a
    folder whose lock is free is what a killed process left, and the next one removes it.
    """
    from filelock import FileLock  # noqa: PLC0415  # only what builds needs it

    place = place or cache_folder() / "work"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "guard"):  # nobody clears away a folder that is not locked yet
            _clear_leftovers(place)
            folder = Path(tempfile.mkdtemp(dir=place, prefix=f"{what}-"))
            lock = FileLock(_lock_of(folder))
            lock.acquire(timeout=0)
    except OSError as error:
        raise KerasenvError(
            f"{place} can't be written to: {error.strerror or error}",
            hints=["kerasenv keeps there what it needs for a moment: make room, or make the folder writable."],
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        _forget(_lock_of(folder))


def _clear_leftovers(place: Path) -> None:
    from filelock import FileLock, Timeout  # noqa: PLC0415  # see above

    for path in place.glob("*.lock"):
        with suppress(Timeout), FileLock(path, timeout=0):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            _forget(path)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _forget(lock: Path) -> None:
    with suppress(OSError):  # Windows removes no file that somebody has open
        lock.unlink(missing_ok=True)
