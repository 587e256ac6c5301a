"""Pythons that uv installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from kerasenv.process import run
from kerasenv.uv import uv_command, uv_environ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

SOURCE = "uv"


def candidates(wanted: SpecifierSet) -> Iterator[Path]:
    """Yield the CPythons of wanted versions that uv manages, newest first."""
    listed = run(
        [
            *uv_command(),
            "python",
            "list",
            "--managed-python",
            "--only-installed",
            "--offline",
            "--no-config",
            "--output-format=json",
        ],
        environ=uv_environ(),
    )
    if listed.returncode:
        return  # an older uv, or one that can't read its own folder, has nothing to offer
    rows = [row for row in json.loads(listed.stdout or "[]") if row.get("implementation") == "cpython"]
    for row in sorted(rows, key=lambda row: Version(row["version"]), reverse=True):
        if wanted.contains(row["version"], prereleases=True) and row.get("variant", "default") == "default":
            yield Path(row["path"])
