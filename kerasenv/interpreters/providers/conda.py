"""CPythons of conda-forge, through micromamba, mamba or conda: whichever the user has."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.errors import InterpreterError
from kerasenv.folders import cache_folder
from kerasenv.interpreters.provider import conda_channel, conda_obstacle, python_in_prefix
from kerasenv.process import redact, run

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

NAME = "conda"
# The quickest first. Where one is a function of the shell, a variable says which program that calls
_PROGRAMS = ("micromamba", "mamba", "conda")
_VARIABLES = ("MAMBA_EXE", "CONDA_EXE")


def obstacle(version: Version) -> str | None:
    """Say that there is no such program, or no such build."""
    return conda_obstacle(version) or (None if _program() else f"none of {', '.join(_PROGRAMS)} is on PATH")


def promise(_: Version) -> str:
    """Say where from, through what, and what a download costs."""
    return f"downloads 20 to 80 MB from {redact(conda_channel())}"


def install(version: Version, folder: Path) -> Path:
    """Let it make an environment of its own kind in a folder; it verifies each package by its sha256."""
    program = _program()
    if program is None:
        raise InterpreterError(f"None of {', '.join(_PROGRAMS)} is on PATH.")
    answer = run(
        [
            program,
            "create",
            "--yes",
            f"--prefix={folder}",
            "--override-channels",
            f"--channel={conda_channel()}",
            f"python={version}",
        ],
        environ={**os.environ, **_settings()},
        on_line=progress.passing,
        on_stdout_line=progress.passing,
    )
    if answer.returncode:
        raise InterpreterError(f"{program} could not get CPython {version}.", looked_at=answer.last_lines())
    return python_in_prefix(folder)


def _program() -> str | None:
    found = (shutil.which(name) for name in _PROGRAMS)
    named = (shutil.which(os.environ[name]) for name in _VARIABLES if os.environ.get(name))
    return next(filter(None, (*found, *named)), None)


def _settings() -> dict[str, str]:
    """Return what keeps the user's own environments and packages out of it; proxies and mirrors stay as they are."""
    return {
        "CONDA_PKGS_DIRS": str(cache_folder() / "conda-packages"),
        # No line in the user's list of environments
        "CONDA_REGISTER_ENVS": "false",
        "MAMBA_REGISTER_ENVS": "false",
        "CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false",
    }
