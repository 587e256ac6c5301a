"""Pythons that kerasenv got, which all environments share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from kerasenv.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

SOURCE = "kerasenv"


def pythons_folder() -> Path:
    """Return the folder that they lie in, whether it is there or not."""
    return data_folder() / "pythons"


def mark(name: str, *, python: Path, version: Version) -> None:
    """Write that a Python is whole: without this it is never taken."""
    folder = pythons_folder()
    table = {"python": python.relative_to(folder).as_posix(), "version": str(version)}
    unfinished = folder / f"{name}.json.tmp"
    unfinished.write_text(json.dumps(table), encoding="utf-8")
    unfinished.replace(_mark_of(name))


def unmark(name: str) -> None:
    """Take that back."""
    _mark_of(name).unlink(missing_ok=True)


def marked(name: str) -> tuple[Version, Path] | None:
    """Return what was marked as whole and is still there."""
    try:
        table = json.loads(_mark_of(name).read_text("utf-8"))
        version, python = Version(table["version"]), pythons_folder() / table["python"]
    except (OSError, ValueError, KeyError, TypeError, InvalidVersion):
        return None  # nothing to take is no error: it can be got again
    return (version, python) if python.exists() else None


def candidates(wanted: SpecifierSet) -> Iterator[Path]:
    """Yield the interpreters of wanted versions, newest first."""
    names = sorted(path.stem for path in pythons_folder().glob("*.json"))
    found = filter(None, map(marked, names))
    for version, python in sorted(found, reverse=True):
        if wanted.contains(version, prereleases=True):
            yield python


def _mark_of(name: str) -> Path:
    return pythons_folder() / f"{name}.json"
