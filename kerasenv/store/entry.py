"""What an entry of the store holds."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kerasenv.store.place import Key

FORMAT = 2
TREE, SPARE = "tree", "spare"
KINDS = frozenset({"shared", "text", "link"})
_FOLDERS_IN_A_LINE = 64
_LEADING_AWAY = frozenset({"", ".", ".."})


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A file as it was when it was taken; paths are relative to an environment, with slashes."""

    path: str
    kind: str
    """'shared', 'text' or 'link'."""
    size: int
    mtime: int
    """In nanoseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What an entry is of."""

    format: int = FORMAT
    file: str
    """The wheel or source distribution that was installed."""
    site_packages: str
    """Where the environments of its Python have them, as 'lib/python3.11/site-packages'."""
    own: Mapping[str, str]
    """The state of each file whose digest the RECORD doesn't tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry that is there."""

    key: Key
    about: About

    @property
    def tree(self) -> Path:
        """Return where its files lie."""
        return self.key.folder / TREE

    @property
    def spare(self) -> Path:
        """Return where they lie once more, if nobody has taken them."""
        return self.key.folder / SPARE


def open_entry(key: Key) -> Entry | None:
    """Return an entry, None if it isn't whole or another kerasenv made it."""
    try:
        table = json.loads((key.folder / "entry.json").read_text("utf-8"))
        about = About(**table)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    whole = about.format == FORMAT and _is_sound(about) and (key.folder / TREE).is_dir()
    return Entry(key=key, about=about) if whole else None


def _is_sound(about: About) -> bool:
    texts = (about.file, about.site_packages)
    return isinstance(about.own, dict) and all(isinstance(text, str) for text in (*texts, *about.own.values()))


def rows_of(entry: Entry) -> list[Row]:
    """Return every file of an entry; raise OSError or ValueError if that can't be read, or leads elsewhere."""
    return [_row(entry, *values) for values in files_of(entry)]


def _row(entry: Entry, path: str, kind: str, size: int, mtime: int) -> Row:
    if not is_inside(path):
        raise ValueError(f"{entry.key}: {path!r} lies outside")
    if kind not in KINDS or type(size) is not int or type(mtime) is not int:
        raise ValueError(f"{entry.key}: {path!r} is of no kind that there is")
    return Row(path=path, kind=kind, size=size, mtime=mtime)


def files_of(entry: Entry) -> Iterator[tuple[str, str, int, int]]:
    """Yield the values of every row as they are written down: to be looked at, and not to be written to."""
    try:
        for folder, files in folders_of(entry.key.folder):
            start = f"{folder}/" if folder else ""
            for name, kind, size, mtime in files:
                yield f"{start}{name}", kind, size, mtime
    except TypeError as error:
        raise ValueError(f"{entry.key}: {error}") from error


def folders_of(entry: Path, share: slice = slice(None)) -> list[tuple[str, list[Any]]]:
    """Return name, kind, size and time of all files, folder by folder, as they are written down in an entry's folder.

    With a share, only those of some lines of the table. Raise OSError or ValueError if that can't be read.
    """
    try:
        lines = (entry / "files.jsonl").read_text("utf-8").split("\n")
        return [item for line in lines[share] for item in json.loads(line).items()]
    except (AttributeError, RecursionError) as error:
        raise ValueError(f"{entry}: {error}") from error


def is_inside(path: str) -> bool:
    """Say whether a path with slashes leads nowhere but into the folder that it is relative to."""
    if "\0" in path or (os.sep == "\\" and ("\\" in path or ":" in path)):
        return False
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return _LEADING_AWAY.isdisjoint(path.split("/"))


def digests_of(entry: Entry) -> dict[str, str]:
    """Return the state of every file of an entry by its path; raise OSError or ValueError if that can't be read."""
    try:
        table = json.loads((entry.key.folder / "digests.json").read_text("utf-8"))
        return {str(path): str(state) for path, state in table.items()}
    except (AttributeError, RecursionError) as error:
        raise ValueError(f"{entry.key}: {error}") from error


def write_entry(folder: Path, about: About, rows: list[Row], digests: Mapping[str, str]) -> None:
    """Write down what the entry holds that is being made in a folder."""
    by_folder: dict[str, list[tuple[str, str, int, int]]] = {}
    for row in rows:
        inside, _, name = row.path.rpartition("/")
        by_folder.setdefault(inside, []).append((name, row.kind, row.size, row.mtime))
    folders = list(by_folder.items())
    # In lines, so that several processes can read some of them each
    parts = [folders[start : start + _FOLDERS_IN_A_LINE] for start in range(0, len(folders), _FOLDERS_IN_A_LINE)]
    files = "\n".join(_as_json(dict(part)) for part in parts or [[]])
    for name, text in (
        ("files.jsonl", files),
        ("digests.json", _as_json(digests)),
        ("entry.json", _as_json(asdict(about))),
    ):
        (folder / name).write_text(text, encoding="utf-8", newline="")


def _as_json(table: Mapping[str, Any]) -> str:
    return json.dumps(table, separators=(",", ":"))
