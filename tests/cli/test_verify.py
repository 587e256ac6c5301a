"""kerasenv verify: what a person and a program hear of an environment that is not as its lock says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local_index import LocalIndex
    from tests.project import Project


@pytest.fixture
def spoilt(made: Project) -> Iterator[Path]:
    """Return a module of the environment that is changed for a moment."""
    module = next(made.environment.rglob("numpy/__init__.py"))
    content = module.read_bytes()
    module.unlink()  # it may be shared with the cache of uv
    module.write_bytes(content + b"#")
    yield module
    module.unlink()
    module.write_bytes(content)


def test_one_that_is_whole(made: Project, index: LocalIndex) -> None:
    envelope = made.json("verify")

    assert (envelope["status"], envelope["error"]) == ("ok", None)
    assert envelope["data"].keys() == {"folder", "profile", "lock", "packages", "files", "differences"}
    assert (envelope["data"]["packages"], envelope["data"]["differences"]) == (7, [])
    assert envelope["data"]["lock"] == str(made.lock)
    assert made.done("verify").stdout == ".venv is as pylock.tiny.toml says.\n"
    assert index.requests == []


def test_one_that_is_not(made: Project, spoilt: Path) -> None:
    inside = spoilt.relative_to(made.environment).as_posix()

    finished = made.run("verify")

    assert finished.returncode == 1
    assert finished.stderr.endswith(
        "error: .venv differs from pylock.tiny.toml in 1 thing.\n"
        f"  {inside}: changed (numpy)\n"
        "hint: Make it as the lock says: kerasenv sync .venv\n"
    )


def test_programs_hear_of_each_difference(made: Project, spoilt: Path) -> None:
    envelope = made.json("verify")

    assert (envelope["status"], envelope["exit_code"], envelope["error"]["kind"]) == ("failed", 1, "VerifyError")
    assert envelope["data"]["differences"] == [
        {
            "kind": "file",
            "name": spoilt.relative_to(made.environment).as_posix(),
            "what": "changed",
            "text": "changed (numpy)",
            "package": "numpy",
        }
    ]


def test_the_copy_of_the_lock_does(made: Project, tmp_path: Path) -> None:
    """Where the lock lies is nothing that an environment knows."""
    away = tmp_path / "pylock.tiny.toml"
    made.lock.rename(away)
    try:
        done = made.done("verify")
        assert "the copy that the environment keeps: " in done.stderr
        made.done("verify", "--lock", away)
        assert "can't be read" in made.refused("verify", "--lock", "pylock.none.toml")
    finally:
        away.rename(made.lock)


def test_no_environment(made: Project) -> None:
    assert "There is no environment in " in made.refused("verify", "nowhere")
