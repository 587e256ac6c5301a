"""The first line of the README, as somebody runs it who has just cloned the project."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FindPython


def first_line() -> str:
    lines = (CHECKOUT / "README.md").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith("python3 -m venv"))


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_the_first_line_of_the_readme_ends_in_a_trained_model(version: str, python: FindPython, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, clone], check=True)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "python3").symlink_to(python(version))

    answer = subprocess.run(
        ["sh", "-c", first_line()],
        cwd=clone,
        env={**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert ".venv is ready: tf2-modern" in answer.stdout
    assert (clone / "pylock.tf2-modern.toml").is_file()
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == "", "what it makes is ignored by git"
