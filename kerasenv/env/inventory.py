"""What lies in an environment: its packages with what their RECORDs say, and every file.

Nothing of the environment is executed. Paths are relative to its folder, with slashes.
"""

from __future__ import annotations

import csv
import io
import os
import posixpath
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import algorithms_guaranteed
from hashlib import new as new_hash
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from kerasenv.env.environment import RECEIPT
from kerasenv.env.variables import keras_home
from kerasenv.errors import EnvironmentFolderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

LIBRARIES = ("bin", "lib", "lib64", "Lib", "Scripts")
"""The folders at the top in which nobody but installers has anything to put."""
BYTECODE = (".pyc", ".pyo")
_PROGRAMS = ("bin/", "Scripts/")

_SETTINGS = "keras/keras.json"
_LINK = "link"
_OWN_HASH = "sha256"
_PART = 1 << 18
_AT_ONCE = 256
_WORKERS = min(8, (os.cpu_count() or 1) + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """A package as its metadata tell it; `files` is what its RECORD says, None if it has none that can be read.

    The files are path -> 'sha256=...', as RECORDs write digests; None for those whose digest isn't told.
    """

    name: NormalizedName
    version: str
    info: str
    """The path of its .dist-info folder, or of what older installers wrote in its place."""
    files: Mapping[str, str | None] | None
    sizes: Mapping[str, int] = field(default_factory=dict)
    """In bytes, of the files of which the RECORD tells it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """All that lies in an environment."""

    folder: Path
    packages: tuple[Installed, ...]
    files: frozenset[str]
    """Every file and every link, which is not followed."""


def take_inventory(folder: Path) -> Inventory:
    """Return what lies in an environment; raise EnvironmentFolderError if it can't be looked at."""
    try:
        files = frozenset(_walk(folder))
    except OSError as error:
        raise EnvironmentFolderError(f"{error.filename or folder} can't be read: {error.strerror or error}") from error
    infos = sorted({info for path in files if "-info" in path and (info := info_of(path))})
    return Inventory(folder=folder, packages=tuple(_installed(folder, info, files) for info in infos), files=files)


def own_files(inventory: Inventory) -> dict[str, str]:
    """Return the digest, or the target of the link, of each file whose digest no RECORD tells, the RECORDs among them.

    It is what kerasenv, virtualenv and the installers wrote: of what others put there later only those who did it know.
    """
    told = {path: digest for package in inventory.packages for path, digest in (package.files or {}).items() if digest}
    states = {
        path: state_of(inventory.folder / path) or ""
        for path in sorted(inventory.files)
        if path != RECEIPT
        and not is_bytecode(path, inventory.files)
        # Of a script, the pip that is for CPython 2.7 tells the digest that it had before its first line was written
        and (path not in told or path.startswith(_PROGRAMS) or describes_its_wheel(path))
    }
    return {path: state for path, state in states.items() if told.get(path) != state}


def state_of(path: Path) -> str | None:
    """Return 'link:TARGET' or 'sha256=DIGEST', None if there is nothing that can be read."""
    try:
        # As it is written there
        return f"{_LINK}:{os.readlink(path)}" if path.is_symlink() else digest_of(path, _OWN_HASH)  # noqa: PTH115
    except OSError:
        return None


def digest_of(path: Path | str, algorithm: str) -> str:
    """Return a file's digest as RECORDs write it."""
    found = new_hash(algorithm, usedforsecurity=False)
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123  # of tens of thousands, each a Path otherwise
        while part := stream.read(_PART):
            found.update(part)
    return f"{algorithm}={urlsafe_b64encode(found.digest()).rstrip(b'=').decode()}"


def differing(folder: Path, expected: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return of the files that aren't as expected what they are: 'missing', 'changed' or why they can't be read.

    A file may be any of the states that are expected of it, as `state_of` tells them.
    """
    paths = sorted(expected)
    parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
    pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="hash")
    try:
        found: dict[str, str] = {}
        for part in pool.map(lambda part: _differing(folder, part, expected), parts):
            found |= part
        return found
    finally:
        pool.shutdown(cancel_futures=True)


def _differing(folder: Path, paths: Sequence[str], expected: Mapping[str, frozenset[str]]) -> dict[str, str]:
    root = str(folder)
    found = {}
    for path in paths:
        why = _why_not(f"{root}/{path}", expected[path])
        if why is not None:
            found[path] = why
    return found


def _why_not(place: str, states: frozenset[str]) -> str | None:
    try:
        return None if _is_any_of(place, states) else "changed"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except IsADirectoryError:
        return "changed"
    except OSError as error:
        # Windows says EINVAL of something that is no link
        return "changed" if os.access(place, os.R_OK) else error.strerror or str(error)


def _is_any_of(place: str, states: frozenset[str]) -> bool:
    if any(state.startswith(f"{_LINK}:") for state in states):
        return f"{_LINK}:{os.readlink(place)}" in states  # noqa: PTH115  # as it is written there
    known = {state.partition("=")[0] for state in states} & algorithms_guaranteed
    return any(digest_of(place, algorithm) in states for algorithm in known if not algorithm.startswith("shake"))


def is_bytecode(path: str, files: frozenset[str]) -> bool:
    """Say whether Python itself wrote a file, and would write it anew: its source is there as well."""
    if not path.endswith(BYTECODE):
        return False
    # In __pycache__ nobody imports it without its source
    return "__pycache__" in path.split("/") or path[:-1] in files


def describes_its_wheel(path: str) -> bool:
    """Say whether a file is one of the two that some publishers edited after they had written the RECORD.

    Seen in cntk 2.7.post2 (both) and tensorflow 0.12.1 and 1.4.0 (WHEEL): the RECORD has digests of earlier ones.
    """
    if not path.endswith(("/METADATA", "/WHEEL")):  # as nearly all of tens of thousands
        return False
    info = info_of(path)
    return info is not None and path in {f"{info}/METADATA", f"{info}/WHEEL"}


def in_libraries(path: str) -> bool:
    """Say whether a path lies where only installers have anything to put."""
    return path.partition("/")[0] in LIBRARIES


def _walk(folder: Path) -> list[str]:
    """Return the path of every file and every link."""
    found: list[str] = []
    todo = [""]
    home = f"{keras_home(folder).name}/"
    while todo:
        inside = todo.pop()
        if inside == home:
            # What else lies there are the downloads of all environments
            found += [_SETTINGS] if (folder / _SETTINGS).is_file() else []
            continue
        with os.scandir(f"{folder}/{inside}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(f"{inside}{entry.name}/")
                else:
                    found.append(inside + entry.name)
    return found


def info_of(path: str) -> str | None:
    """Return the .dist-info folder in which a file lies, or what older installers have in its place."""
    parts = path.split("/")
    for number, part in enumerate(parts[:-1], start=1):
        if part == "site-packages" and parts[number].endswith((".dist-info", ".egg-info")):
            return "/".join(parts[: number + 1])
    return None


def named_by(info: str) -> NormalizedName:
    """Return the package of which a .dist-info folder is, by its name alone."""
    return canonicalize_name(_parts_of(info)[0])


def _parts_of(info: str) -> tuple[str, str]:
    name, _, version = posixpath.basename(info).rpartition(".")[0].rpartition("-")
    return name, version


def _installed(folder: Path, info: str, files: frozenset[str]) -> Installed:
    record = f"{info}/RECORD"
    rows = _rows(folder / record, posixpath.dirname(info)) if record in files else None
    # METADATA are a file like others, and what is wrong with them is told as such
    name, version = _parts_of(info) if info.endswith(".dist-info") else _told_by_old_metadata(folder / info)
    return Installed(
        name=canonicalize_name(name),
        version=version,
        info=info,
        files={path: digest for path, (digest, _) in rows.items()} if rows is not None else None,
        sizes={path: int(size) for path, (_, size) in (rows or {}).items() if size.isdecimal()},
    )


def _told_by_old_metadata(info: Path) -> tuple[str, str]:
    """Return name and version; as the path tells them where the metadata don't, name-version-pythonX.Y.egg-info."""
    from email.parser import HeaderParser  # noqa: PLC0415  # 5 ms that no wheel needs

    stem = info.name.rpartition(".")[0].split("-")
    name, version = (*stem, "")[:2]
    for place in (info / "PKG-INFO", info):
        try:
            headers = HeaderParser().parsestr(place.read_text("utf-8", errors="replace"))
        except OSError:
            continue
        return str(headers["Name"] or name), str(headers["Version"] or version)
    return name, version


def _rows(record: Path, site: str) -> dict[str, tuple[str | None, str]] | None:
    """Return digest and size of each file of a RECORD, as they are written there."""
    try:
        text = record.read_text("utf-8")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (OSError, ValueError, csv.Error):
        return None
    found: dict[str, tuple[str | None, str]] = {}
    for row in rows:
        told, digest, size = (*row, "", "")[:3]
        algorithm, sign, value = digest.partition("=")
        # Under CPython 2.7 a wheel is built with SHA256=
        found[_within(site, told)] = f"{algorithm.lower()}{sign}{value}" or None, size
    return found


def _within(site: str, told: str) -> str:
    """Return a path of a RECORD as one of the environment."""
    if "\\" in told or "." in told.split("/") or ".." in told or told.startswith("/") or "//" in told:
        return posixpath.normpath(posixpath.join(site, told.replace("\\", "/")))
    return f"{site}/{told}"  # as nearly all of them are, of tens of thousands


def packages_by_name(packages: Iterable[Installed]) -> dict[NormalizedName, list[Installed]]:
    """Return the packages by name; one that was installed twice has two entries."""
    found: dict[NormalizedName, list[Installed]] = {}
    for package in packages:
        found.setdefault(package.name, []).append(package)
    return found
