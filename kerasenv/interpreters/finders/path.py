"""Pythons on PATH (and in the Windows registry), found by python-discovery."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv.folders import cache_folder
from kerasenv.interpreters.finders import pyenv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

SOURCE = "PATH"

_PYTHON = re.compile(r"c?python[\d.]*(?:\.exe)?", re.IGNORECASE)
_OF_A_MINOR = re.compile(r"python(\d\.\d+)[a-z]*(?:\.exe)?", re.IGNORECASE)


def candidates(wanted: SpecifierSet) -> Iterator[Path]:
    """Yield the interpreters of wanted versions, newest first."""
    folders = _folders(wanted)
    if not folders and sys.platform != "win32":
        return
    import python_discovery  # noqa: PLC0415  # 60 ms that most commands don't need

    found = python_discovery.iter_interpreters(
        str(wanted) or "cpython",
        cache=python_discovery.DiskCache(cache_folder() / "interpreters"),
        # Those that uv installed have a finder of their own, and aren't on PATH
        env={**os.environ, "PATH": os.pathsep.join(folders), "UV_PYTHON_INSTALL_DIR": os.devnull},
    )
    usable = [info for info in found if info.implementation == "CPython"]
    for info in sorted(usable, key=lambda info: tuple(info.version_info[:3]), reverse=True):
        executable = info.system_executable or info.executable
        if executable:
            yield Path(executable)


def _folders(wanted: SpecifierSet) -> list[str]:
    """Return the folders of PATH in which there may be a Python of a wanted version, each once.

    All that is there would be started one after another, so a folder is left out whose Pythons all say by their names
    that they are others.
    """
    minors = lru_cache(maxsize=None)(lambda minor: _wants(wanted, minor))
    found: dict[str, str] = {}
    for folder in _path_without_shims():
        with suppress(OSError):
            place = os.path.realpath(folder)
            if place not in found and any(minors(minor) for minor in _minors_in(folder)):
                found[place] = folder
    return list(found.values())


def _minors_in(folder: str) -> Iterator[str | None]:
    """Yield of each Python in a folder which minor version its name says, once links are followed; None if none."""
    for name in filter(_PYTHON.fullmatch, os.listdir(folder)):  # noqa: PTH208  # names are all that is asked for
        said = _OF_A_MINOR.fullmatch(os.path.basename(os.path.realpath(f"{folder}/{name}")))  # noqa: PTH119
        yield said and said[1]


def _wants(wanted: SpecifierSet, minor: str | None) -> bool:
    """Say whether a minor version has patches that are wanted, as far as one can tell."""
    if minor is None or any(one.version.startswith(f"{minor}.") for one in wanted):  # such as 3.15.0rc1
        return True
    return any(wanted.contains(f"{minor}.{patch}", prereleases=True) for patch in range(100))


def _path_without_shims() -> list[str]:
    """Return PATH without pyenv's shims: they are slow, fail for versions that aren't switched on, and hide nothing."""
    shims = pyenv.root() / "shims"
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [folder for folder in folders if folder and Path(folder) != shims]
