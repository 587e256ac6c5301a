from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.resources import shipped_profiles
from tests.project import Project
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = sorted(path.stem for path in shipped_profiles().glob("*.toml"))


def test_shipped_profiles_and_the_users_own(tmp_path: Path, home: Path) -> None:
    project = Project.make(tmp_path, name="mine")
    write_profile(home / ".config" / "kerasenv" / "profiles", name="of-the-user")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.kerasenv.profiles.of-pyproject]\nextends = "tf2-modern"\nsummary = "Ours"\n'
    )

    done = project.done("list")

    names = [line.split()[0] for line in done.stdout.partition("\n\n")[0].splitlines()]
    assert names == sorted([*SHIPPED, "mine", "of-the-user", "of-pyproject"])
    assert {"tf1-legacy-standalone", "tf2-modern", "theano-legacy"} <= set(names)
    assert "kerasenv show PROFILE" in done.stdout


def test_a_broken_profile_is_told_and_hides_no_other(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    (tmp_path / "profiles" / "broken.toml").write_text("name = 1")

    done = project.done("list")
    envelope = project.json("list")

    assert [row["name"] for row in envelope["data"]] == sorted([*SHIPPED, "tiny"])
    (note,) = envelope["notes"]
    assert note.startswith("left out: profiles/broken.toml: name: must be text")
    assert note in done.stderr


def test_columns_stand_below_each_other(tmp_path: Path) -> None:
    done = Project(tmp_path).done("list")

    rows = [line for line in done.stdout.splitlines() if line.startswith("t")]
    assert len({line.index("Python ") for line in rows}) == 1
    assert len({line.index("verified ") for line in rows if "unverified" not in line}) == 1


def test_what_programs_see(tmp_path: Path) -> None:
    envelope = Project(tmp_path).json("list")

    assert envelope["status"] == "ok"
    modern = next(row for row in envelope["data"] if row["name"] == "tf2-modern")
    assert modern.keys() == {"name", "summary", "requires_python", "verified", "source"}
    assert "3.10" in modern["requires_python"]
