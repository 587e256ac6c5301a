"""Pythons on PATH (and in the Windows registry), found by python-discovery."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv.folders import cache_folder
from kerasenv.interpreters.finders import pyenv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

SOURCE = "PATH"


def candidates(wanted: SpecifierSet) -> Iterator[Path]:
    """Yield the interpreters of wanted versions, newest first."""
    import python_discovery  # noqa: PLC0415  # 60 ms that most commands don't need

    found = python_discovery.iter_interpreters(
        str(wanted) or "cpython",
        cache=python_discovery.DiskCache(cache_folder() / "interpreters"),
        env={**os.environ, "PATH": _path_without_shims()},
    )
    usable = [info for info in found if info.implementation == "CPython"]
    for info in sorted(usable, key=lambda info: tuple(info.version_info[:3]), reverse=True):
        executable = info.system_executable or info.executable
        if executable:
            yield Path(executable)


def _path_without_shims() -> str:
    """Return PATH without pyenv's shims: they are slow, fail for versions that aren't switched on, and hide nothing."""
    shims = pyenv.root() / "shims"
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder and Path(folder) != shims)
