"""Which files may be the same ones on the disk, and how they come to be.

Where the file system can clone, every file is a clone, and nobody sees what others write. Elsewhere several
environments have the same file under several names (hard links), and who writes into one of them where it stands writes
into all. Installers don't: pip and uv remove a file and make another. But editors and shells do, so all text is copied.
Shared are compiled code, bytecode, and the headers that only compilers read; for these writing is forbidden, which
stops everybody but the superuser.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_FOR_COMPILERS = (".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hh", ".hpp", ".hxx", ".inc", ".inl", ".proto", ".td")
_COMPILED = (".a", ".dll", ".dylib", ".exe", ".lib", ".pyc", ".pyd", ".so")
_NEVER_TEXT = _COMPILED + _FOR_COMPILERS
_SOURCE = ".py"
_SNIFFED = 4096
_PART = 1 << 24
_AS_IT_IS = getattr(os, "O_BINARY", 0)  # Windows would make line ends of its own
_READ = os.O_RDONLY | _AS_IT_IS
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IT_IS
_FICLONE = 0x40049409  # linux/fs.h
_CANT = {errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.EXDEV}
_WRITING = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
# Where the system lets an open file be changed without looking for its path again
_BY_NUMBER = {os.chmod, os.utime} <= os.supports_fd
# Where a file can be read on that has no name any more
_STAYS_OPEN = os.name == "posix"


def may_be_shared(path: str) -> bool:
    """Say whether a file is none that a person would write into: no text, or one for compilers."""
    if path.endswith(_NEVER_TEXT):
        return True
    if path.endswith(_SOURCE):
        return False
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123  # of tens of thousands, each a Path otherwise
        return b"\0" in stream.read(_SNIFFED)


def share(source: str, target: str) -> None:
    """Make a file that is the same as another, at no cost: a clone, else one more name; copy it if neither works."""
    if clone(source, target):
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # another file system, or one without links, or too many of them
        copy(source, target)
    else:
        _forbid_writing(source)


def copy(source: str, target: str) -> None:
    """Make a file of its own with the same content, times and permissions; FileExistsError if something is there."""
    if clone(source, target):
        return
    old = os.open(source, _READ)
    try:
        _copy_open(old, target, os.fstat(old))
    finally:
        os.close(old)


def _copy_open(old: int, target: str, state: os.stat_result) -> None:
    # By number: the objects that open() makes cost as much as the copying of a small file
    new = os.open(target, _MAKE, stat.S_IRUSR | stat.S_IWUSR)
    try:
        try:
            _copy_content(old, new, state.st_size)
            if _BY_NUMBER:
                _as_before(new, state)
        finally:
            os.close(new)
        if not _BY_NUMBER:
            _as_before(target, state)
    except BaseException:  # nobody may take one by halves
        with suppress(OSError):
            os.unlink(target)  # noqa: PTH108  # see above
        raise


def _copy_content(old: int, new: int, size: int) -> None:
    while content := os.read(old, max(min(size, _PART), 1)):
        while content:  # less may be written than was given, which nobody says
            content = content[os.write(new, content) :]


def clone(source: str, target: str) -> bool:
    """Clone a file with its times and permissions if the file system can; FileExistsError if something is there."""
    how = _CLONING.get(sys.platform)
    return how is not None and how(source, target)


# File systems that can't clone, by their device: nobody has to ask twice
_CANT_CLONE: set[int] = set()


@lru_cache(maxsize=8)  # the next file is most often in the same folder
def _device_of(folder: str) -> int:
    return os.stat(folder or os.curdir).st_dev  # noqa: PTH116  # see above


def _clone_on_linux(source: str, target: str) -> bool:
    if _device_of(os.path.dirname(source)) in _CANT_CLONE:  # noqa: PTH120  # see above
        return False
    import fcntl  # noqa: PLC0415  # not on Windows

    with open(source, "rb", buffering=0) as old:  # noqa: PTH123  # see above
        state = os.fstat(old.fileno())
        with open(target, "xb", buffering=0) as new:  # noqa: PTH123  # see above
            try:
                fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
            except OSError as error:
                # Between two file systems it never works, which says nothing of either
                if error.errno in _CANT and os.fstat(new.fileno()).st_dev == state.st_dev:
                    _CANT_CLONE.add(state.st_dev)
                os.unlink(target)  # noqa: PTH108  # see above
                return False
    _as_before(target, state)
    return True


def _clone_on_macos(source: str, target: str) -> bool:
    import ctypes  # noqa: PLC0415  # needed nowhere else

    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "clonefile"):
        return False
    if not system.clonefile(os.fsencode(source), os.fsencode(target), 1):  # don't follow a link
        return True
    if os.path.lexists(target):
        raise FileExistsError(target)
    return False


_CLONING: dict[str, Callable[[str, str], bool]] = {"linux": _clone_on_linux, "darwin": _clone_on_macos}


def _as_before(path: str | int, state: os.stat_result) -> None:
    os.chmod(path, stat.S_IMODE(state.st_mode))  # noqa: PTH101  # see above
    # Theano doesn't use what it compiled once that wasn't read for weeks
    os.utime(path, ns=(time.time_ns(), state.st_mtime_ns))


def _forbid_writing(path: str) -> None:
    """Let nobody but the superuser write into a file."""
    if os.name == "posix":  # on Windows nobody could remove it either
        state = os.lstat(path)
        if state.st_mode & _WRITING:
            os.chmod(path, stat.S_IMODE(state.st_mode) & ~_WRITING)  # noqa: PTH101  # see above


def with_other_names(folder: str, paths: Iterable[str]) -> dict[str, os.stat_result]:
    """Return the state of each file of a folder that has several names."""
    found = {}
    for path in sorted(paths):  # folder by folder
        state = os.lstat(f"{folder}/{path}")
        if state.st_nlink > 1 and stat.S_ISREG(state.st_mode):
            found[path] = state
    return found


def part_from_others(folder: str, files: Mapping[str, os.stat_result]) -> None:
    """Give those text files of a folder a content of their own that have several names; nobody may use it meanwhile.

    An installer may have made them names of what it keeps for all later environments. Where that can clone files, they
    have no other name. `files` is what `with_other_names` returns.
    """
    part = _part_by_number if _STAYS_OPEN else _part_beside
    for path, state in files.items():  # and not in threads, which would take turns with so many small calls
        place = f"{folder}/{path}"
        if not path.endswith(_NEVER_TEXT) and not may_be_shared(place):
            part(place, state)


def _part_by_number(place: str, state: os.stat_result) -> None:
    """Take the name away first: ext4 begins to write a file to the disk as soon as it takes the place of another."""
    old = os.open(place, _READ)
    try:
        os.unlink(place)  # noqa: PTH108  # see above
        _copy_open(old, place, state)
    finally:
        os.close(old)


def _part_beside(place: str, state: os.stat_result) -> None:
    own = f"{place.rpartition('/')[0]}/.kerasenv-{state.st_ino}"  # short, whatever the file is called
    with suppress(FileNotFoundError):
        os.unlink(own)  # noqa: PTH108  # see above
    copy(place, own)
    os.replace(own, place)  # noqa: PTH105  # see above


def forbid_writing_into_shared(folder: str, paths: Iterable[str]) -> None:
    """Let nobody but the superuser write into the files of a folder that have several names and are no text."""
    for path in paths:
        place = f"{folder}/{path}"
        with suppress(OSError, ValueError):  # gone meanwhile, somebody else's, or what no file can be called
            state = os.lstat(place)
            if state.st_nlink > 1 and stat.S_ISREG(state.st_mode) and may_be_shared(place):
                _forbid_writing(place)
