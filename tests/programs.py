"""The programs that tests start: kerasenv as a user starts it, and the Pythons of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.isolation import MACHINE

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[1]

# `python -m kerasenv` of this checkout, without PYTHONPATH, which would reach every program that kerasenv starts
KERASENV = (
    sys.executable,
    "-c",
    f"import runpy, sys; sys.path[0] = {str(CHECKOUT)!r}; runpy.run_module('kerasenv', None, '__main__', True)",
)

# Of the one who runs the tests, whose home they otherwise don't see
PYENV_ROOT = Path(MACHINE.get("PYENV_ROOT") or Path(MACHINE.get("HOME") or MACHINE.get("USERPROFILE", "")) / ".pyenv")


def start_kerasenv(
    *args: str | Path, cwd: Path | None = None, env: Mapping[str, str | None] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start the command line in a process of its own; `env` changes variables, and None takes one away."""
    environ = {name: value for name, value in (os.environ | (env or {})).items() if value is not None}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*KERASENV, *map(str, args)], cwd=cwd, env=environ, encoding="utf-8", **pipes)


def run_kerasenv(
    *args: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    stdin: str = "",
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; one that hangs is killed, and fails the test."""
    with start_kerasenv(*args, cwd=cwd, env=env) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def find_python(version: str) -> Path:
    """Return the newest CPython of a minor version such as '3.7', of pyenv or on PATH, or skip the test."""
    windows = sys.platform == "win32"
    versions = PYENV_ROOT / "pyenv-win" / "versions" if windows else PYENV_ROOT / "versions"
    patches = [folder for folder in versions.glob(f"{version}.*") if folder.suffix[1:].isdigit()]
    for folder in sorted(patches, key=lambda folder: int(folder.suffix[1:]), reverse=True):
        python = folder / "python.exe" if windows else folder / "bin" / "python"
        if python.is_file():
            return python
    on_path = shutil.which(f"python{version}")
    if on_path is None:
        pytest.skip(f"there is no CPython {version} on this machine, neither of pyenv nor on PATH")
    return Path(on_path)
