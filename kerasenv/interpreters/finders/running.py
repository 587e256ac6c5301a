"""The Python that runs kerasenv."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

SOURCE = "runs kerasenv"


def candidates(wanted: SpecifierSet) -> Iterator[Path]:
    """Yield the interpreter below the environment that kerasenv is installed in, if its version is wanted."""
    if sys.implementation.name == "cpython" and wanted.contains(".".join(map(str, sys.version_info[:3]))):
        # Not sys.executable: an environment made from an environment breaks when the first one goes
        yield Path(getattr(sys, "_base_executable", None) or sys.executable)
