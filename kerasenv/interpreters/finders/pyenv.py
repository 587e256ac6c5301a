"""Pythons that pyenv (or pyenv-win) built, whether or not its shims reach them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

SOURCE = "pyenv"


def root() -> Path:
    """Return pyenv's folder, whether it is there or not."""
    named = os.environ.get("PYENV_ROOT")
    if named:
        return Path(named)
    home = Path.home() / ".pyenv"
    return home / "pyenv-win" if sys.platform == "win32" else home


def candidates(wanted: SpecifierSet) -> Iterator[Path]:
    """Yield the interpreters whose folder names a wanted version, newest first."""
    versions = root() / "versions"
    found: list[tuple[Version, Path]] = []
    for folder in versions.iterdir() if versions.is_dir() else ():
        try:
            version = Version(folder.name)
        except InvalidVersion:
            continue  # pypy3.9-7.3.11, and environments of pyenv-virtualenv
        if wanted.contains(version, prereleases=True):
            found.append((version, folder))
    for _, folder in sorted(found, reverse=True):
        yield folder / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"
