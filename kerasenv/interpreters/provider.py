"""What a provider is: something that can bring a CPython to this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version


class Provider(Protocol):
    """Brings CPythons from one source; a module with these names is one.

    A version is a minor one, such as 3.7, which stands for its newest patch, or a patch, such as 3.7.16.
    """

    NAME: str

    def obstacle(self, version: Version) -> str | None:
        """Say why this version can't be had from here, or return None if it can be tried."""

    def promise(self, version: Version) -> str:
        """Say what will be done, and what that costs."""

    def install(self, version: Version, folder: Path) -> Path:
        """Put it into a folder, which isn't there yet and which it can't leave later; return its interpreter.

        What is fetched is verified by the program that fetches it. Raises InterpreterError or ProgramError.
        """


def conda_channel() -> str:
    """Return the conda channel that Pythons come from, by its name or its address."""
    return os.environ.get("KERASENV_CONDA_CHANNEL") or "conda-forge"


def conda_obstacle(version: Version) -> str | None:
    """Say why no program can get this version from the channel, None if one can try."""
    # No builds of these were ever made for Apple's own chips
    if sys.platform == "darwin" and os.uname().machine == "arm64" and version.release < (3, 8):
        return f"{conda_channel()} has no CPython {version} for Apple silicon, since it is older than that"
    return None


def python_in_prefix(prefix: Path) -> Path:
    """Return where a conda package of Python puts the interpreter."""
    return prefix / "python.exe" if sys.platform == "win32" else prefix / "bin" / "python"
