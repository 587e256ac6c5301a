"""Find the files of a lock at another index than the one that the lock names."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from packaging.pylock import PackageSdist, PackageWheel

from kerasenv.engine import files_of
from kerasenv.errors import InstallError, ResolveError
from kerasenv.folders import cache_folder
from kerasenv.index import SimpleIndex, public_address
from kerasenv.process import redact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.pylock import Package, Pylock

    from kerasenv.engine import Index
    from kerasenv.index import IndexFile
    from kerasenv.interpreters.interpreter import Interpreter

_Locked = TypeVar("_Locked", PackageWheel, PackageSdist)


def at_index(lock: Pylock, index: Index, interpreter: Interpreter) -> Pylock:
    """Return a lock of what is for this Python, with the addresses that the files have at the index that is named.

    It is the lock itself if nobody names an index, or just the one that the lock names.
    """
    here = [package for package in lock.packages if _is_for(package, interpreter)]
    moved = packages_at(here, index)
    return lock if moved is here else replace(lock, packages=moved)


def packages_at(packages: list[Package], index: Index) -> list[Package]:
    """Return packages with the addresses that their files have at an index: those of the same name and sha256.

    Offline nobody can be asked. uv knows what it has in its cache by the address it came from, so the addresses are
    those of last time.
    """
    if index.url is None or all(_is_of(package, index) for package in packages):
        return packages
    if index.offline:
        known = _remembered(index)
        return [_as_known(package, known) for package in packages]
    try:
        found = SimpleIndex(index).files_of(package.name for package in packages)
    except ResolveError as error:
        hints = [*error.hints, f"{index.source} names this index; without it, files come from the lock's addresses."]
        raise InstallError(error.message, looked_at=error.looked_at, hints=hints) from error
    moved = [_moved(package, found[package.name], index) for package in packages]
    _remember(moved, index)
    return moved


def _memory_of(index: Index) -> Path:
    return cache_folder() / "addresses" / f"{sha256(public_address(index).encode()).hexdigest()[:32]}.json"


def _remembered(index: Index) -> dict[str, str]:
    """Return the addresses of files at an index by their sha256, as far as they are known."""
    try:
        known = json.loads(_memory_of(index).read_text("utf-8"))
    except (OSError, ValueError):  # it is only a cache
        return {}
    return {str(digest): str(url) for digest, url in known.items()} if isinstance(known, dict) else {}


def _remember(packages: list[Package], index: Index) -> None:
    place = _memory_of(index)
    known = {file.hashes.get("sha256", ""): file.url for package in packages for file in files_of(package)}
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(_remembered(index) | known, indent=1, sort_keys=True), "utf-8")
        unfinished.replace(place)


def _as_known(package: Package, known: dict[str, str]) -> Package:
    """Return a package with the addresses that are known."""
    wheels = [
        replace(wheel, url=known.get(wheel.hashes.get("sha256", ""), wheel.url)) for wheel in package.wheels or ()
    ]
    sdist = package.sdist
    if sdist is not None:
        sdist = replace(sdist, url=known.get(sdist.hashes.get("sha256", ""), sdist.url))
    return replace(package, wheels=wheels or None, sdist=sdist)


def _is_of(package: Package, index: Index) -> bool:
    return package.index is not None and redact(package.index).rstrip("/") == public_address(index)


def _is_for(package: Package, interpreter: Interpreter) -> bool:
    markers = {**interpreter.markers, "extra": ""}
    return package.marker is None or package.marker.evaluate(markers, context="lock_file")


def _moved(package: Package, files: Sequence[IndexFile], index: Index) -> Package:
    """Return a package whose files are those of the index.

    The index that the lock names stays: uv keeps what it downloads by that as well.
    """
    there = {file.name: file for file in files}
    wheels = [_at(wheel, there[wheel.filename]) for wheel in package.wheels or () if _is_there(wheel, there)]
    sdist = package.sdist
    found_sdist = _at(sdist, there[sdist.filename]) if sdist is not None and _is_there(sdist, there) else None
    if not wheels and found_sdist is None:
        raise _nothing_there(package, there, index)
    return replace(package, wheels=wheels or None, sdist=found_sdist)


def _is_there(file: PackageWheel | PackageSdist, there: dict[str, IndexFile]) -> bool:
    """Say whether the index has the file; an old one gives no sha256, which is verified in any case."""
    found = there.get(file.filename)
    return found is not None and found.sha256 in {None, file.hashes.get("sha256", "").lower()}


def _at(file: _Locked, found: IndexFile) -> _Locked:
    return replace(file, url=found.url, path=None)


def _nothing_there(package: Package, there: dict[str, IndexFile], index: Index) -> InstallError:
    what = f"{package.name} {package.version}"
    others = [file.filename for file in files_of(package) if file.filename in there]
    if others:
        return InstallError(
            f"The index has other files of {what} than those that the lock names: their sha256 differs.",
            looked_at=[f"{public_address(index)} ({index.source})", *others],
            hints=[
                "Don't install them. Ask whoever keeps this index; else resolve anew: kerasenv lock PROFILE --upgrade"
            ],
        )
    return InstallError(
        f"The index has no file of {what} that the lock names.",
        looked_at=[f"{public_address(index)} ({index.source})", *(file.filename for file in files_of(package))],
        hints=["Name an index that has them with --index-url, or none: files then come from the lock's addresses."],
    )
