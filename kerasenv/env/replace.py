"""Put a folder in another's place, whole and in one step.

An environment is built in a work folder beside its place, on the same file system:

    project/.kerasenv-.venv-8f3a1c/    the work folder
        env/                           what is being built
        old/                           what was there before, where the system can't exchange two folders in one step

Whatever ends the process, at the place itself stands either what was there before or what is finished. Work folders
of processes that were killed are cleared away the next time something is built there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv.env.environment import has_receipt
from kerasenv.env.relocate import WORK_PREFIX
from kerasenv.errors import EnvironmentFolderError
from kerasenv.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # macOS sys/stdio.h


def check_place(target: Path) -> None:
    """Raise EnvironmentFolderError if something stands at `target` that kerasenv didn't make."""
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise EnvironmentFolderError(f"{target} is no folder, so no environment can be made there.")
    if any(target.iterdir()) and not has_receipt(target):
        raise EnvironmentFolderError(
            f"{target} is already there, and kerasenv didn't make it: it is left as it is.",
            hints=["Name another folder, such as .venv-keras, or move this one away first."],
        )


def heal(target: Path) -> None:
    """Finish what a killed process began at a place; raise EnvironmentFolderError if another one is at work there."""
    with _alone(target):
        _clear_leftovers(target)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield where to build; when the block ends well, what was built takes the target's place."""
    with _alone(target):
        _clear_leftovers(target)
        made = _make_parents(target.parent)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target)))
        try:
            yield work / "env"
            _take_place(work, target)
            made.clear()
        finally:
            # Not only this one: an installer can outlive its killed kerasenv, and go on writing where it was told to
            _clear_leftovers(target)
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()


def remove_folder(target: Path) -> None:
    """Take an environment away; it disappears from its place in one step."""
    with _alone(target):
        _clear_leftovers(target)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target)))
        target.rename(work / "env")
        _remove_tree(work)


def _clear_leftovers(target: Path) -> None:
    """Give back what a killed process had set aside, and remove the rest."""
    if not target.parent.is_dir():
        return
    # Its end tells the work folder of `env` from that of `env-2`
    ours = re.compile(re.escape(_prefix(target)) + "[a-z0-9_]{8}")
    for work in sorted(path for path in target.parent.iterdir() if ours.fullmatch(path.name)):
        set_aside = work / "old"
        if set_aside.is_dir() and not os.path.lexists(target):
            set_aside.rename(target)
        _remove_tree(work)


def _prefix(target: Path) -> str:
    return f"{WORK_PREFIX}{target.name}-"


def _make_parents(folder: Path) -> list[Path]:
    """Make the folders above a target and return those that weren't there, outermost first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFolderError(f"{folder} can't be made: {error.strerror or error}") from error
    return missing


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Let one process at a time build at a place; the system frees the lock of a process that is killed."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  # only what builds needs it

    locks = cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:32]
    lock = FileLock(locks / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise EnvironmentFolderError(
            f"Another kerasenv is at work on {target}.", hints=["Wait until it is done, then try again."]
        ) from None
    try:
        yield
    finally:
        lock.release()


def _take_place(work: Path, target: Path) -> None:
    built = work / "env"
    check_place(target)  # a build takes minutes, and somebody may have put something of their own there
    try:
        if not os.path.lexists(target):
            built.rename(target)
        elif not any(target.iterdir()):
            target.rmdir()
            built.rename(target)
        elif not _exchange(built, target):
            target.rename(work / "old")
            built.rename(target)
    except OSError as error:
        clear = work / "old"
        if clear.is_dir() and not os.path.lexists(target):
            clear.rename(target)
        raise EnvironmentFolderError(
            f"{target} can't be replaced: {error.strerror or error}",
            hints=["Close the programs that run in it, then try again."],
        ) from error


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; say whether this system can."""
    if os.name != "posix":
        return False
    import ctypes  # noqa: PLC0415  # most environments replace none

    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):  # glibc 2.28 and newer, musl 1.2.6 and newer
        return not library.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if hasattr(library, "renamex_np"):  # macOS
        return not library.renamex_np(os.fsencode(one), os.fsencode(other), _RENAME_SWAP)
    return False


def _remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, read-only files too; what another program holds on to stays."""
    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=lambda _function, path, _error: _insist(Path(path), folder))
    else:
        shutil.rmtree(folder, onerror=lambda _function, path, _info: _insist(Path(path), folder))


def _insist(path: Path, root: Path) -> None:
    """Remove what could not be removed, after making it writable; never touch what is above `root` or behind a link."""
    with suppress(OSError):
        if path != root:
            path.parent.chmod(stat.S_IRWXU)
        if not path.is_symlink():
            path.chmod(stat.S_IRWXU)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
