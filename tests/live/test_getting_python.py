"""A machine whose only Python is too new gets the one that a profile needs, and trains a real model with it.

The Python comes from a conda channel that is made here of a Python of this machine; the packages are the real ones.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import find_python, run_kerasenv

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILE = "tf1-legacy-standalone"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder on a machine with nothing but a Python 3.12 on PATH."""
    commands, room = tmp_path / "bin", tmp_path / "room"
    commands.mkdir()
    room.mkdir()
    (commands / "python3.12").symlink_to(find_python("3.12"))
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    return room


def test_a_profile_gets_its_python_by_itself(room: Path, home: Path, conda_source: Mapping[str, str]) -> None:
    pytest.importorskip("rattler", reason="py-rattler is not installed; it is in the group of what tests need")
    env = {**conda_source, "KERASENV_PYTHON_DOWNLOADS": "auto"}

    answer = run_kerasenv("create", PROFILE, "--json", cwd=room, env=env, timeout=1800)

    envelope = json.loads(answer.stdout)
    assert answer.returncode == 0, envelope["error"]
    receipt = envelope["data"]["environment"]["receipt"]
    assert receipt["python_version"].startswith("3.7.")
    assert Path(receipt["python_path"]).is_relative_to(home / ".local" / "share" / "kerasenv" / "pythons")
    assert receipt["smoke"]["passed"]
    assert "train" in {step["name"] for step in receipt["smoke"]["steps"]}

    listed = json.loads(run_kerasenv("python", "list", "--json", cwd=room).stdout)["data"]
    (got,) = [row for row in listed["pythons"] if row["source"] == "kerasenv"]
    assert PROFILE in got["profiles"]
    assert any(row["version"].startswith("3.12.") for row in listed["pythons"])


def test_with_downloads_off_one_error_says_what_to_type(room: Path, conda_source: Mapping[str, str]) -> None:
    answer = run_kerasenv("create", PROFILE, "--python-downloads", "never", cwd=room, env=conda_source)

    error = " ".join(answer.stderr.split())
    assert answer.returncode == 1
    assert answer.stderr.count("error: ") == 1
    assert f"profile {PROFILE} needs CPython >=3.6,<3.8; no such Python was found on this machine." in error
    assert "(PATH): " in error
    for command in ("kerasenv python install 3.7", "--python-downloads auto", "conda create ", "pyenv install 3.7"):
        assert command in error
    assert os.listdir(room) == []  # noqa: PTH208  # nothing at all
