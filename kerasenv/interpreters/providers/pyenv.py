"""CPythons that pyenv compiles."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.errors import InterpreterError
from kerasenv.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

NAME = "pyenv"
# What switches a version on for the user would confuse the build; the others are how the user wants it built
_SWITCHES = frozenset({"PYENV_VERSION", "PYENV_DIR", "PYENV_HOOK_PATH", "PYTHONHOME", "PYTHONPATH"})


def obstacle(_: Version) -> str | None:
    """Say that there is no pyenv, or none that can build elsewhere than in its own folder."""
    if sys.platform == "win32":
        return "on Windows it installs into its own folder only"
    return None if shutil.which("pyenv") else "it is not on PATH"


def promise(_: Version) -> str:
    """Say how long that takes."""
    return "compiles it, which takes 2 to 15 minutes and a C compiler"


def install(version: Version, folder: Path) -> Path:
    """Let pyenv build it in a folder that it takes for its root; it verifies the sources by their sha256."""
    folder.mkdir()
    environ = {name: value for name, value in os.environ.items() if name not in _SWITCHES}
    answer = run(
        ["pyenv", "install", str(version)],
        environ={**environ, "PYENV_ROOT": str(folder)},
        cwd=folder,
        on_line=progress.passing,
        on_stdout_line=progress.passing,
    )
    if answer.returncode:
        raise InterpreterError(f"pyenv could not build CPython {version}.", looked_at=answer.last_lines())
    for python in folder.glob("versions/*/bin/python"):
        return python
    raise InterpreterError(f"pyenv says that it built CPython {version}, but it is not there.", looked_at=[str(folder)])
