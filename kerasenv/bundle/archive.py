"""The file that a bundle is: a zip file of one strict kind, so that the same content is the same bytes.

Nothing in it is compressed (wheels are already), every entry has the same time, and the comment at the end is the
sha256 of all that stands before it. What is read may come from a stranger: whatever is not of this kind is refused.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from kerasenv.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

SUFFIX = ".zip"
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of time, for a zip file
_POSIX = 3
_PLAIN, _PROGRAM = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
_PIECE = 1 << 20
_MARK = b"kerasenv bundle sha256:"
_COMMENT = len(_MARK) + hashlib.sha256().digest_size * 2
_MOST_FILES, _LONGEST_NAME = 100_000, 400
_FLAGS = (0, 0x800)  # the second says that a name is UTF-8
# As Windows knows them, whatever stands behind a dot
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A file that is to be written."""

    source: Path | bytes
    program: bool = False
    """Whether it may be run, where systems tell the difference."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An open bundle, whose structure is sound; what its files hold is not known yet."""

    path: Path
    _zip: zipfile.ZipFile
    entries: Mapping[str, zipfile.ZipInfo]

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a small file."""
        if self.entries[name].file_size > limit:
            raise refused(self.path, f"{name} is larger than it can be")
        return b"".join(self.pieces(name))

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes."""
        with _refusing(self.path), self._zip.open(self.entries[name]) as source:
            while piece := source.read(_PIECE):
                yield piece

    def is_program(self, name: str) -> bool:
        """Say whether a file may be run."""
        return self.entries[name].external_attr >> 16 == _PROGRAM


def is_archive(path: Path) -> bool:
    """Say whether a file is a bundle by its name or by how it begins, rather than a lock."""
    return path.suffix.lower() == SUFFIX or begins_as_archive(path)


def begins_as_archive(path: Path) -> bool:
    """Say whether a file begins as a bundle does, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def write_archive(file: IO[bytes], entries: Mapping[str, Entry]) -> None:
    """Write a bundle, whose files stand in the order of `entries`."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = bytes(_COMMENT)
        for name, entry in entries.items():
            info = _info(name, program=entry.program)
            if isinstance(entry.source, bytes):
                archive.writestr(info, entry.source)
                continue
            info.file_size = entry.source.stat().st_size
            with entry.source.open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, _PIECE)
    digest = _digest_of(file)
    file.seek(-_COMMENT, 2)
    file.write(_MARK + digest.encode())


def rewrite_wheel(wheel: Path) -> None:
    """Write a wheel that was built anew, so that neither time zone, umask nor zlib of this machine are in its bytes."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(wheel.with_suffix(".new"), "w", zipfile.ZIP_STORED) as new:
        for one in sorted(old.infolist(), key=lambda one: one.filename):
            if not one.is_dir():
                info = _info(one.filename, program=bool(one.external_attr >> 16 & stat.S_IXUSR))
                info.file_size = one.file_size
                with old.open(one) as source, new.open(info, "w") as target:
                    shutil.copyfileobj(source, target, _PIECE)
    wheel.with_suffix(".new").replace(wheel)


def _info(name: str, *, program: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _BEGINNING)
    info.create_system = _POSIX
    info.external_attr = (_PROGRAM if program else _PLAIN) << 16
    return info


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a bundle whose every byte is as it was written; raise BundleError for anything else."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleError(f"{path} can't be read: {error.strerror or error}") from error
    with file:
        with _refusing(path):
            _check_digest(file, path)
            archive = zipfile.ZipFile(file)
            length = file.seek(0, 2)
        with archive:
            _check(archive.infolist(), path, length)
            yield Archive(path, archive, {info.filename: info for info in archive.infolist()})


def refused(path: Path, why: str) -> BundleError:
    """Return the error for what no kerasenv wrote."""
    return BundleError(
        f"{path.name} is no bundle that can be trusted: {why}",
        looked_at=[str(path)],
        hints=["Get it once more from where it was made, and compare the sha256 that `kerasenv bundle` told there."],
    )


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Tell whatever zipfile raises for a file that is not sound."""
    try:
        yield
    except (
        *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, OSError),
        *(ValueError, OverflowError, NotImplementedError, RuntimeError, MemoryError),
    ) as error:
        raise refused(path, f"{error}") from error


def _check_digest(file: IO[bytes], path: Path) -> None:
    length = file.seek(0, 2)
    if length < _COMMENT:
        raise refused(path, "it is too short")
    file.seek(-_COMMENT, 2)
    comment = file.read()
    if not comment.startswith(_MARK):
        raise refused(path, "it doesn't end as a bundle does; it was cut off, or something else made it")
    if comment != _MARK + _digest_of(file).encode():
        raise refused(path, "it was changed since it was made, or not copied as it was")


def _digest_of(file: IO[bytes]) -> str:
    """Return the sha256 of all that stands before the comment."""
    left = file.seek(0, 2) - _COMMENT
    seen = hashlib.sha256()
    file.seek(0)
    while left and (piece := file.read(min(left, _PIECE))):
        seen.update(piece)
        left -= len(piece)
    return seen.hexdigest()


def _check(infos: list[zipfile.ZipInfo], path: Path, length: int) -> None:
    """Refuse what isn't a plain file of a harmless name, and more content than there are bytes."""
    if len(infos) > _MOST_FILES:
        raise refused(path, f"it has more than {_MOST_FILES} files")
    for info in infos:
        _check_entry(info, path)
    # Several entries can claim the same bytes, which is how a small file becomes a large one
    if sum(info.file_size for info in infos) > length:
        raise refused(path, "its files are larger than itself")
    if min((info.header_offset for info in infos), default=0):
        raise refused(path, "it doesn't begin as a bundle does")
    if why := fault_of_names(info.filename for info in infos):
        raise refused(path, why)


def _check_entry(info: zipfile.ZipInfo, path: Path) -> None:
    told = _told(info.filename)
    if info.external_attr >> 16 not in {_PLAIN, _PROGRAM} or info.external_attr & 0xFFFF:
        raise refused(path, f"{told} is no plain file")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise refused(path, f"{told} is compressed")
    if info.flag_bits not in _FLAGS or info.date_time != _BEGINNING or info.comment:
        raise refused(path, f"{told} is not written as kerasenv does")
    if info.orig_filename != info.filename:
        raise refused(path, f"{told} has another name as well")


def fault_of_names(names: Iterable[str]) -> str | None:
    """Say what is wrong with names: one leads elsewhere, some system can't have it, or two are one on some system."""
    seen: dict[str, str] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        if why := _why_no_name(name):
            return f"{_told(name)} {why}"
        if name in files:
            return f"{_told(name)} is there twice"
        files.add(name)
        parts = name.split("/")
        for number in range(1, len(parts) + 1):
            whole = "/".join(parts[:number])
            folded = unicodedata.normalize("NFC", whole).casefold()
            if seen.setdefault(folded, whole) != whole:
                return f"{_told(whole)} and {_told(seen[folded])} are one on some systems"
        folders |= {"/".join(parts[:number]) for number in range(1, len(parts))}
    both = sorted(files & folders)
    return f"{_told(both[0])} is a file and a folder" if both else None


def _why_no_name(name: str) -> str | None:
    if not name or len(name) > _LONGEST_NAME or _FORBIDDEN.search(name):
        return "is no name of a file everywhere"
    for part in name.split("/"):
        if part in {"", ".", ".."}:
            return "leads elsewhere"
        if part[-1] in ". " or _DEVICES.fullmatch(part):
            return "is no name of a file everywhere"
    return None


def _told(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "...")
