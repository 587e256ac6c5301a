"""kerasenv rebuild: from a lock alone, as somebody else does who only has the repository."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli
import tomli_w

from kerasenv.env.variables import bin_folder
from tests.isolation import private_environ
from tests.project import Project, backend_of, drop_our_table, is_whole, packages_of, receipt_of, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local_index import LocalIndex


@pytest.fixture
def clone(made: Project, tmp_path: Path) -> Project:
    """Return a folder that holds nothing but the lock of a project."""
    clone = Project(tmp_path / "a clone")
    clone.folder.mkdir()
    clone.lock.write_bytes(made.lock.read_bytes())
    return clone


def edit(lock: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change a lock as somebody does by hand."""
    table = tomli.loads(lock.read_text("utf-8"))
    change(table)
    lock.write_text(tomli_w.dumps(table), "utf-8")


def recorded(environment: Path) -> dict[str, set[tuple[str, ...]]]:
    """Return every installed file with its digest by package, except scripts, which speak of their environment."""
    inside = bin_folder(environment).name
    found: dict[str, set[tuple[str, ...]]] = {}
    for record in environment.rglob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as stream:
            rows = [tuple(row) for row in csv.reader(stream)]
        found[record.parent.name] = {row for row in rows if f"/{inside}/" not in row[0]}
    return found


class TestTheSameEverywhere:
    def test_another_home_and_an_empty_cache_give_the_same_files(
        self, made: Project, clone: Project, tmp_path: Path, index: LocalIndex
    ) -> None:
        environ = private_environ(tmp_path / "another home") | index.environ

        done = clone.done("rebuild", env=environ)

        assert is_whole(clone.environment)
        assert packages_of(clone.environment) == packages_of(made.environment)
        assert recorded(clone.environment) == recorded(made.environment)
        assert len(recorded(clone.environment)) == 7
        assert not index.pages
        assert "commit" not in done.stdout
        assert sorted(path.name for path in clone.folder.iterdir()) == [".venv", "pylock.tiny.toml"]

    def test_the_lock_alone_says_what_else_there_is_to_do(self, made: Project, clone: Project) -> None:
        """The profile isn't there, nor is its name known."""
        clone.done("rebuild", "--no-smoke")

        mine, theirs = receipt_of(clone.environment), receipt_of(made.environment)
        for key in ("profile", "variant", "backend", "lock_name", "lock_digest", "smoke_plan"):
            assert mine[key] == theirs[key]
        assert clone.lock.read_bytes() == made.lock.read_bytes()
        assert say(clone.environment, "import os; print(os.environ['KERAS_HOME'])") == str(clone.environment / "keras")

    def test_what_the_lock_does_not_name_is_not_installed(self, clone: Project) -> None:
        """Even if a package wants it."""
        edit(clone.lock, lambda table: _drop_package(table, "libclang"))

        clone.done("rebuild", "--no-smoke")

        assert "libclang" not in packages_of(clone.environment)
        assert "tensorflow" in packages_of(clone.environment)

    def test_again_it_is_only_proven(self, made: Project, index: LocalIndex) -> None:
        again = made.done("rebuild", "--no-smoke")

        assert "already there, made from this very lock" in again.stderr
        assert index.requests == []

    def test_folder_and_lock_can_be_named(self, clone: Project, tmp_path: Path) -> None:
        done = clone.done("rebuild", clone.lock, "../env", "--no-smoke")

        assert packages_of(tmp_path / "env")["keras"] == "3.15.1"
        assert "../env is ready" in done.stdout

    def test_an_environment_of_another_lock_is_only_replaced_by_force(self, made: Project, tmp_path: Path) -> None:
        other = tmp_path / "pylock.other.toml"
        other.write_bytes(made.lock.read_bytes() + b"\n")

        error = made.refused("rebuild", other)

        assert "already holds another environment (tiny, made " in error


def _drop_package(table: dict[str, object], name: str) -> None:
    packages = table["packages"]
    assert isinstance(packages, list)
    packages[:] = [package for package in packages if package["name"] != name]


class TestWithoutOurTable:
    """PEP 751 lets any tool drop [tool.kerasenv]."""

    def test_the_profile_comes_from_the_files_name(self, clone: Project) -> None:
        Project.make(clone.folder)
        drop_our_table(clone.lock)

        envelope = clone.json("rebuild")

        assert backend_of(clone.environment) == "tensorflow"
        assert envelope["notes"] == [
            "pylock.tiny.toml has no [tool.kerasenv]: backend, variables and smoke test are those of profile tiny."
        ]

    def test_a_profile_that_nobody_knows(self, clone: Project) -> None:
        drop_our_table(clone.lock)

        error = clone.refused("rebuild")

        assert "there is no profile 'tiny'" in error

    def test_a_name_that_gives_no_profile(self, clone: Project) -> None:
        drop_our_table(clone.lock)
        clone.lock.rename(clone.folder / "pylock.toml")

        error = clone.refused("rebuild")

        assert "pylock.toml has no [tool.kerasenv], and its name gives no profile" in error
        assert "hint: Name it pylock.PROFILE.toml" in error


class TestWhichLock:
    def test_none(self, tmp_path: Path, index: LocalIndex) -> None:
        error = Project(tmp_path).refused("rebuild")

        assert f"There is no pylock.*.toml in {tmp_path}." in error
        assert not index.requests

    def test_several(self, clone: Project) -> None:
        (clone.folder / "pylock.toml").write_bytes(clone.lock.read_bytes())

        error = clone.refused("rebuild")

        assert "There are 2 locks in " in error
        assert "\n  pylock.tiny.toml\n  pylock.toml\n" in error

    def test_one_that_is_not_there(self, clone: Project) -> None:
        assert f"{clone.folder / 'pylock.none.toml'} can't be read" in clone.refused("rebuild", "pylock.none.toml")

    def test_a_folder_in_its_place(self, clone: Project) -> None:
        """As `kerasenv create tiny DIR` would take it."""
        error = clone.refused("rebuild", ".venv")

        assert "A folder comes after the lock: kerasenv rebuild pylock.NAME.toml DIR" in error


class TestLocksThatDoNotServe:
    def test_one_for_another_machine(self, clone: Project) -> None:
        def elsewhere(table: dict[str, object]) -> None:
            table["environments"] = ["sys_platform == 'plan9' and platform_machine == 'mips'"]

        edit(clone.lock, elsewhere)

        error = clone.refused("rebuild")

        assert "pylock.tiny.toml is not for this machine: " in error
        assert 'the lock is for: sys_platform == "plan9"' in error
        assert not clone.environment.exists()

    def test_one_for_another_python(self, clone: Project) -> None:
        edit(clone.lock, lambda table: table.update({"requires-python": ">=3.98"}))

        error = clone.refused("rebuild")

        assert "pylock.tiny.toml needs CPython >=3.98" in error

    def test_a_hash_that_somebody_edited(self, clone: Project, index: LocalIndex) -> None:
        digest = index.sha256("numpy-2.0-py2.py3-none-any.whl")
        clone.lock.write_text(clone.lock.read_text("utf-8").replace(digest, "0" * 64), "utf-8")

        error = clone.refused("rebuild")

        assert "A file is not the one that the lock names: its sha256 differs." in error
        assert "numpy" in error
        assert digest in error
        assert not clone.environment.exists()
        assert not clone.leftovers()

    def test_a_file_without_a_hash(self, clone: Project) -> None:
        def bare(table: dict[str, object]) -> None:
            packages = table["packages"]
            assert isinstance(packages, list)
            for package in packages:
                for wheel in package["wheels"]:
                    wheel["hashes"] = {}

        edit(clone.lock, bare)

        error = clone.refused("rebuild")

        assert "hashes" in error
        assert not clone.environment.exists()

    def test_one_that_would_set_what_a_profile_must_not(self, clone: Project) -> None:
        """A lock can come from a stranger."""

        def hostile(table: dict[str, dict[str, dict[str, object]]]) -> None:
            table["tool"]["kerasenv"]["variables"] = {"LD_PRELOAD": "/tmp/theirs.so"}  # noqa: S108  # only a name

        edit(clone.lock, hostile)  # type: ignore[arg-type]  # a table of tables

        error = clone.refused("rebuild")

        assert "tool.kerasenv.variables.LD_PRELOAD" in error


def test_nothing_is_asked_of_the_profile(clone: Project) -> None:
    """A profile of that name which is there says something else by now; the lock counts."""
    Project.make(clone.folder, backend="jax", requirements=["jax"])

    clone.done("rebuild")

    assert backend_of(clone.environment) == "tensorflow"
    assert Path(receipt_of(clone.environment)["python_path"]).exists() or sys.platform == "win32"
