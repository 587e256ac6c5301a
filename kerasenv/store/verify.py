"""Compare what the store keeps with what it was when it was taken, byte by byte."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from kerasenv import progress
from kerasenv.env.inventory import differing
from kerasenv.errors import UsageError
from kerasenv.store.entry import SPARE, TREE, digests_of, open_entry, rows_of
from kerasenv.store.info import name_and_version
from kerasenv.store.place import keys_there, needing
from kerasenv.store.take import discard, discard_spare
from kerasenv.store.uses import read_uses
from kerasenv.tables import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kerasenv.store.entry import Entry, Row
    from kerasenv.store.place import Key

_ITSELF = "entry.json"
_LINK = "link"


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """A file of the store that isn't what it was."""

    entry: str
    package: str
    version: str
    file: str
    """Its path within the entry, with slashes."""
    what: str
    """'missing', 'changed', 'extra', or why it can't be used."""
    environments: tuple[str, ...] = ()
    """Those that have the very same file, which is damaged there too."""

    def __str__(self) -> str:
        return f"{self.entry}: {self.file}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What was compared, and what came out."""

    entries: int
    files: int
    damages: tuple[Damage, ...]
    removed: tuple[str, ...]
    """The entries that were taken out of the store."""
    spares_removed: tuple[str, ...]
    """Those of which only what lay ready for the next environment was damaged, and taken away."""


def verify(packages: Sequence[str] = ()) -> Verified:
    """Compare every file of the store, or of some packages; take out of the store what isn't as it was.

    No process takes away meanwhile what is compared.
    """
    keys = keys_there()
    if packages:
        keys = _of_packages(keys, packages)
    damages: list[Damage] = []
    removed, spares = [], []
    files = 0
    if not keys:
        return Verified(entries=0, files=0, damages=(), removed=(), spares_removed=())
    with needing(keys) as there:
        for key in sorted(there, key=str):
            progress.passing(key.package)
            before = _identity(key.folder)
            found, compared = _compare(key)
            files += compared
            if not found or _identity(key.folder) != before:  # somebody else took it out
                continue
            damages += [replace(one, environments=_sharing(key, one.file)) for one in found]
            if all(one.file.startswith(f"{SPARE}/") or one.file == SPARE for one in found):
                discard_spare(key)
                spares.append(str(key))
            else:
                discard(key)
                removed.append(str(key))
    return Verified(
        entries=len(there),
        files=files,
        damages=tuple(damages),
        removed=tuple(removed),
        spares_removed=tuple(spares),
    )


def _of_packages(keys: Sequence[Key], packages: Sequence[str]) -> list[Key]:
    names = {key: name_and_version(key)[0] for key in keys}
    wanted = {canonicalize_name(package): package for package in packages}
    for name, package in wanted.items():
        if name not in names.values():
            known = sorted(set(names.values()))
            raise UsageError(f"The store has nothing of {package!r}.", hints=[did_you_mean(package, known)])
    return [key for key in keys if names[key] in wanted]


def _identity(place: Path) -> tuple[int, int] | None:
    with suppress(OSError, ValueError):  # what others wrote there may be no path at all
        state = place.lstat()
        return state.st_dev, state.st_ino
    return None


def _sharing(key: Key, file: str) -> tuple[str, ...]:
    """Return the environments in which a file of an entry has another name."""
    mine = _identity(key.folder / file)
    path = file.removeprefix(f"{TREE}/")
    folders = [use.environment for use in read_uses().values() if use is not None and str(key) in use.entries]
    return tuple(sorted(folder for folder in folders if mine and _identity(Path(folder, path)) == mine))


def _compare(key: Key) -> tuple[list[Damage], int]:
    """Return what of an entry isn't as it was, and how many files were compared."""
    package, version = name_and_version(key)

    def damages(found: Mapping[str, str]) -> list[Damage]:
        return [
            Damage(entry=str(key), package=package, version=version, file=file, what=what)
            for file, what in sorted(found.items())
        ]

    entry = open_entry(key)
    if entry is None:
        return damages({_ITSELF: "it isn't whole, or of a kind that this kerasenv doesn't know"}), 0
    try:
        rows, digests = {row.path: row for row in rows_of(entry)}, digests_of(entry)
    except (OSError, ValueError, RecursionError) as error:
        return damages({"files.jsonl": f"it or digests.json can't be read: {error}"}), 0
    found = {f"digests.json of {path}": "missing" for path in rows.keys() - digests.keys()}
    found |= {f"{TREE}/{path}": what for path, what in _differing(entry.tree, rows, digests, {}).items()}
    spare = _of_spare(entry, rows, digests) if not found else {}
    return damages(found | spare), len(rows)


def _of_spare(entry: Entry, rows: Mapping[str, Row], digests: Mapping[str, str]) -> dict[str, str]:
    """Return what of the spare isn't as it should be; nothing if there is none, or if a process takes it meanwhile."""
    before = _identity(entry.spare)
    if before is None:
        return {}
    if not stat.S_ISDIR(entry.spare.lstat().st_mode):
        return {SPARE: "no folder"}
    known = {path: identity for path in rows if (identity := _identity(entry.tree / path))}
    found = _differing(entry.spare, rows, digests, known)
    return {f"{SPARE}/{path}": what for path, what in found.items()} if _identity(entry.spare) == before else {}


def _differing(
    folder: Path, rows: Mapping[str, Row], digests: Mapping[str, str], known: Mapping[str, tuple[int, int]]
) -> dict[str, str]:
    """Return the files of a folder that aren't as they should be.

    Those are not read that are files `known` to be good under other names, nor any that no row tells of: what the
    store itself says may be damaged, and name files that lie elsewhere.
    """
    found: dict[str, str] = {}
    expected: dict[str, frozenset[str]] = {}
    states = dict(_walk(folder, ""))
    for path, row in rows.items():
        state = states.get(path)
        if state is None:
            found[path] = "missing"
        elif stat.S_IFMT(state.st_mode) != (stat.S_IFLNK if row.kind == _LINK else stat.S_IFREG):
            found[path] = "changed"
        else:
            if row.kind != _LINK and state.st_mtime_ns != row.mtime:
                found[path] = "its time is another"  # by which Python knows whether bytecode is of it
            if path in digests and (state.st_dev, state.st_ino) != known.get(path):
                expected[path] = frozenset({digests[path]})
    extra = dict.fromkeys(states.keys() - rows.keys(), "extra")
    return found | extra | differing(folder, expected)


def _walk(folder: Path, inside: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file and link, and what is neither."""
    with suppress(OSError), os.scandir(folder / inside) as found:
        for one in found:
            path = f"{inside}/{one.name}" if inside else one.name
            if one.is_dir(follow_symlinks=False):
                yield from _walk(folder, path)
            else:
                yield path, os.lstat(one.path)
