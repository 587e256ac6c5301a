from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.environment import RECEIPT
from tests.project import Project, snapshot

if TYPE_CHECKING:
    from pathlib import Path


def test_an_environment_is_gone_and_nothing_else(project: Project, home: Path) -> None:
    """Not the lock, nor what is shared with other environments: weights, data sets, caches."""
    weights = home / ".keras" / "models" / "weights.h5"
    weights.parent.mkdir(parents=True)
    weights.write_text("mine")
    project.done("create", "tiny", "--no-smoke")
    (next(project.environment.rglob("site-packages")) / "read-only").mkdir(mode=0o500)

    done = project.done("remove")

    assert done.stdout == ".venv (tiny) is gone.\n"
    assert sorted(path.name for path in project.folder.iterdir()) == ["profiles", "pylock.tiny.toml"]
    assert weights.read_text() == "mine"


@pytest.mark.parametrize("content", [None, "{", "[]", '{"format": 99}', '{"format": 1}'], ids=repr)
def test_what_kerasenv_did_not_make_stays(tmp_path: Path, content: str | None) -> None:
    """A receipt that can't be read may be anybody's."""
    project = Project(tmp_path)
    project.environment.mkdir()
    (project.environment / "mine.txt").touch()
    if content is not None:
        (project.environment / RECEIPT).write_text(content)
    before = snapshot(tmp_path)

    error = project.refused("remove")

    assert str(project.environment) in error
    assert snapshot(tmp_path) == before


def test_what_is_not_there(tmp_path: Path) -> None:
    assert f"There is no environment in {tmp_path / '.venv'}." in Project(tmp_path).refused("remove")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_behind_a_link(project: Project, tmp_path: Path) -> None:
    project.done("create", "tiny", "--no-smoke", tmp_path / "real")
    (tmp_path / "keep.txt").touch()
    project.environment.symlink_to(tmp_path / "real")

    project.done("remove")

    assert not (tmp_path / "real").exists()
    assert (tmp_path / "keep.txt").exists()
