"""kerasenv diff, from end to end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.standard_index import write_profile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

CAP = {"requirement": "numpy<3", "because": "arrays break", "seen": "here"}


def two_locks(project: Project) -> None:
    """Write old.toml, and beside it a lock with pandas, with another h5py and another file of keras."""
    write_profile(project.folder / "profiles", constraints=[CAP])
    project.done("lock", "tiny")
    project.lock.rename(project.folder / "old.toml")
    project.done("lock", "tiny", "--with", "pandas", "--with", "h5py<3")
    text = project.lock.read_text("utf-8")
    before, mark, after = text.partition('name = "keras"')
    project.lock.write_text(before + mark + after.replace('sha256 = "', 'sha256 = "0', 1), "utf-8")


def test_what_differs_and_who_asked_for_it(project: Project) -> None:
    two_locks(project)

    done = project.done("diff", "old.toml", "pylock.tiny.toml")

    assert done.stdout.splitlines() == [
        "~ h5py 3.14.0 -> 2.10.0  (--with h5py<3)",
        "~ keras 3.15.1: another sha256 of keras-3.15.1-py2.py3-none-any.whl  (profile tiny asks for keras)",
        "+ pandas 2.0  (--with pandas)",
        "with: nothing -> h5py<3, pandas",
    ]


def test_the_other_way_round_and_as_json(project: Project) -> None:
    two_locks(project)

    envelope = project.json("diff", "pylock.tiny.toml", "old.toml")

    assert envelope["exit_code"] == 0
    pandas = next(one for one in envelope["data"]["packages"] if one["name"] == "pandas")
    assert pandas == {
        "name": "pandas",
        "before": ["2.0"],
        "after": [],
        "details": [],
        "because": ["--with pandas"],
    }
    assert envelope["data"]["settings"] == [{"name": "with", "before": "h5py<3, pandas", "after": ""}]


def test_the_exit_code_can_say_it(made: Project, tmp_path: Path) -> None:
    other = tmp_path / "pylock.other.toml"
    other.write_text(made.lock.read_text("utf-8").replace("trains = true", "trains = false"), "utf-8")

    assert made.run("diff", made.lock, made.lock, "--exit-code").returncode == 0
    finished = made.run("diff", made.lock, other, "--exit-code")
    assert finished.returncode == 1
    assert "smoke: " in finished.stdout


def test_the_same(made: Project) -> None:
    assert made.done("diff", made.lock, made.lock).stdout == "They name the same packages and files.\n"


def test_what_is_no_lock(made: Project, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("<<<<<<< HEAD\n")

    assert "no valid lock" in made.refused("diff", made.lock, tmp_path / "x.toml")
    assert "can't be read" in made.refused("diff", made.lock, tmp_path / "nowhere.toml")
    assert json.loads(made.run("diff", "--json", made.lock, tmp_path / "x.toml").stdout)["exit_code"] == 1
