"""CPythons that uv manages: builds for 3.8 and newer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.errors import InterpreterError
from kerasenv.process import run
from kerasenv.uv import uv_command, uv_environ

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

NAME = "uv"
_OLDEST = (3, 8)


def obstacle(version: Version) -> str | None:
    """Say that it is too old for uv, if it is."""
    return f"it has no CPython older than {'.'.join(map(str, _OLDEST))}" if version.release < _OLDEST else None


def promise(_: Version) -> str:
    """Say what a download costs."""
    return "downloads about 30 MB"


def install(version: Version, folder: Path) -> Path:
    """Let uv put it into a folder; it verifies the archive by the sha256 of its list."""
    answer = run(
        [
            *uv_command(),
            "python",
            "install",
            "--no-config",
            f"--install-dir={folder}",
            "--no-bin",  # nothing on the user's PATH, nothing in the registry
            "--no-registry",
            f"cpython@{version}",
        ],
        environ=uv_environ(),
        on_line=progress.passing,
    )
    if answer.returncode:
        raise InterpreterError(f"uv could not get CPython {version}.", looked_at=answer.last_lines())
    for build in folder.glob("cpython-*"):
        python = build / "python.exe" if sys.platform == "win32" else build / "bin" / "python3"
        if python.exists() and not build.is_symlink():  # uv links the minor version to its newest patch
            return python
    raise InterpreterError(f"uv says that it got CPython {version}, but it is not there.", looked_at=[str(folder)])
