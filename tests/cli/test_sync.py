"""kerasenv sync: an environment becomes what its lock says, by way of what differs."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
import tomli
import tomli_w

from kerasenv.env.environment import RECEIPT
from kerasenv.env.variables import bin_folder
from tests.programs import start_kerasenv
from tests.project import BROKEN_KERAS, NEWER_KERAS, Project, is_whole, packages_of, receipt_of, snapshot, work_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local_index import LocalIndex, Wheel


@pytest.fixture
def own(made: Project, tmp_path: Path) -> Project:
    """Return a project with an environment of its own, made from the shared cache."""
    project = Project.make(tmp_path / "project")
    project.lock.write_bytes(made.lock.read_bytes())
    project.done("rebuild", "--no-smoke")
    return project


def site_packages(project: Project) -> Path:
    return next(project.environment.rglob("site-packages"))


def put(path: Path, content: str) -> None:
    """Write a file anew, since its content may be shared with the cache of uv."""
    path.unlink(missing_ok=True)
    path.write_text(content, "utf-8")


def install_stray(project: Project) -> None:
    """Install what the lock doesn't have, as pip does."""
    info = site_packages(project) / "stray-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stray\nVersion: 1.0\n")
    (info / "RECORD").write_text("stray.py,,\nstray-1.0.dist-info/METADATA,,\nstray-1.0.dist-info/RECORD,,\n")
    (site_packages(project) / "stray.py").write_text("answer = 42\n")


def lock_with(project: Project, index: LocalIndex, wheel: Wheel) -> None:
    """Put another lock into the project, as somebody's commit does: it has a newer Keras."""
    index.add(wheel)
    table = tomli.loads(project.lock.read_text("utf-8"))
    (keras,) = (package for package in table["packages"] if package["name"] == "keras")
    keras["version"] = wheel.version
    (file,) = keras["wheels"]
    for key in ("size", "upload-time"):
        file.pop(key, None)
    file |= {"url": index.file_url(wheel.filename), "hashes": {"sha256": index.sha256(wheel.filename)}}
    if "name" in file:
        file["name"] = wheel.filename
    project.lock.write_text(tomli_w.dumps(table), "utf-8")


def edit(lock: Path, change: Callable[[dict[str, Any]], None]) -> None:
    table = tomli.loads(lock.read_text("utf-8"))
    change(table)
    lock.write_text(tomli_w.dumps(table), "utf-8")


class TestNothingDiffers:
    def test_nothing_is_touched(self, made: Project, index: LocalIndex) -> None:
        before = snapshot(made.environment)

        done = made.done("sync")

        assert done.stdout == ".venv is as pylock.tiny.toml says; nothing was done.\n"
        assert snapshot(made.environment) == before
        assert index.requests == []

    def test_a_lock_that_only_looks_different(self, own: Project) -> None:
        """The receipt speaks of the lock as it is now, and all else stays the very same."""
        own.lock.write_bytes(b"# a comment\n" + own.lock.read_bytes())
        place = own.environment.stat().st_ino
        assert own.run("verify").returncode == 1

        done = own.done("sync")

        assert "* pylock.tiny.toml (it changed since (" in done.stderr
        assert own.environment.stat().st_ino == place
        assert (own.environment / "pylock.tiny.toml").read_bytes() == own.lock.read_bytes()
        own.done("verify")


class TestAnotherLock:
    def test_only_what_differs_is_installed(self, own: Project, index: LocalIndex, own_index: LocalIndex) -> None:
        lock_with(own, own_index, NEWER_KERAS)
        index.forget()

        envelope = own.json("sync")

        assert envelope["status"] == "ok"
        assert [(one["kind"], one["name"]) for one in envelope["data"]["actions"]] == [
            ("change", "keras"),
            ("lock", "pylock.tiny.toml"),
        ]
        assert own_index.downloads == [NEWER_KERAS.filename]
        assert index.requests == []
        assert packages_of(own.environment)["keras"] == "3.16.0"
        assert is_whole(own.environment)
        assert not own.leftovers()
        own.done("verify")

    def test_a_dry_run_says_what_would_be_done(self, own: Project, own_index: LocalIndex) -> None:
        lock_with(own, own_index, NEWER_KERAS)
        before = snapshot(own.environment)

        done = own.done("sync", "--dry-run")

        assert done.stdout.splitlines()[0] == ".venv is not as pylock.tiny.toml says. This would be done:"
        assert "~ keras 3.15.1 -> 3.16.0" in done.stdout.splitlines()
        assert snapshot(own.environment) == before
        assert own_index.requests == []

    def test_one_whose_model_fails_leaves_the_environment_as_it_is(self, own: Project, own_index: LocalIndex) -> None:
        lock_with(own, own_index, BROKEN_KERAS)
        before = snapshot(own.environment)

        error = own.refused("sync")

        assert "The model of tiny failed at step 'import'" in error
        assert snapshot(own.environment) == before
        assert not own.leftovers()

    def test_a_hash_that_somebody_edited(self, own: Project, own_index: LocalIndex) -> None:
        """The version is there already, but it is not the file that the lock names."""
        lock_with(own, own_index, NEWER_KERAS)
        own.done("sync", "--no-smoke")

        def flip(table: dict[str, Any]) -> None:
            (keras,) = (package for package in table["packages"] if package["name"] == "keras")
            keras["wheels"][0]["hashes"]["sha256"] = "0" * 64

        edit(own.lock, flip)
        before = snapshot(own.environment)

        assert "keras: the lock names other files of 3.16.0" in own.refused("verify")
        assert "their sha256 differs" in own.refused("sync")
        assert snapshot(own.environment) == before

    def test_another_backend_is_another_hook(self, own: Project) -> None:
        edit(own.lock, lambda table: table["tool"]["kerasenv"].update({"backend": "jax"}))

        own.done("sync", "--no-smoke")

        assert receipt_of(own.environment)["backend"] == "jax"
        assert "KERAS_BACKEND='jax'" in (bin_folder(own.environment) / "activate").read_text("utf-8")
        own.done("verify")

    def test_one_of_another_profile_is_refused(self, own: Project, tmp_path: Path) -> None:
        other = tmp_path / "pylock.other.toml"
        other.write_bytes(own.lock.read_bytes())
        edit(other, lambda table: table["tool"]["kerasenv"].update({"profile": "other"}))

        error = own.refused("sync", "--lock", other)

        assert "pylock.other.toml is for profile other, and " in error
        assert "hint: To replace the environment as a whole: kerasenv rebuild LOCKFILE DIR --force" in error


class TestRepair:
    def test_all_that_is_broken_is_mended_without_the_network(self, own: Project, index: LocalIndex) -> None:
        site = site_packages(own)
        put(site / "numpy" / "__init__.py", "print('spoilt')\n")
        put(bin_folder(own.environment) / "activate", "exit\n")
        put(site / "extra.pth", "import os\n")
        for path in site.glob("h5py*"):
            shutil.rmtree(path)
        install_stray(own)
        index.forget()

        envelope = own.json("sync", "--offline")

        kinds = {(one["kind"], one["name"].rpartition("/")[2]) for one in envelope["data"]["actions"]}
        assert kinds == {
            ("repair", "numpy"),
            ("write", "activate"),
            ("remove", "extra.pth"),
            ("install", "h5py"),
            ("remove", "stray"),
        }
        assert index.requests == []
        own.done("verify")
        assert is_whole(own.environment)

    def test_what_somebody_added_can_stay(self, own: Project) -> None:
        put(site_packages(own) / "numpy" / "__init__.py", "")
        put(site_packages(own) / "mine.pth", "import os\n")
        install_stray(own)

        own.done("sync", "--keep-extra", "--no-smoke")

        differing = {one["name"].rpartition("/")[2] for one in own.json("verify")["data"]["differences"]}
        assert differing == {"stray", "mine.pth"}
        assert own.done("sync", "--keep-extra").stdout.endswith("nothing was done.\n")
        own.done("sync", "--no-smoke")
        own.done("verify")

    def test_what_lies_beside_the_packages_stays_in_any_case(self, own: Project) -> None:
        (own.environment / "share" / "jupyter").mkdir(parents=True)
        for name in ("share/jupyter/kernel.json", "keras/mine.h5", "notes.txt"):
            (own.environment / name).write_text("mine")
        put(site_packages(own) / "numpy" / "__init__.py", "")

        own.done("sync", "--no-smoke")

        for name in ("share/jupyter/kernel.json", "keras/mine.h5", "notes.txt"):
            assert (own.environment / name).read_text() == "mine"
        own.done("verify")

    def test_a_python_that_is_gone(self, own: Project) -> None:
        receipt = receipt_of(own.environment)
        python = receipt["python_path"]
        receipt["python_path"] = "/nowhere/python"
        put(own.environment / RECEIPT, json.dumps(receipt))
        assert "/nowhere/python" in own.refused("verify")

        own.done("sync", "--no-smoke", "--python", python)

        assert receipt_of(own.environment)["python_path"] == python
        own.done("verify")

    def test_an_environment_that_was_moved(self, own: Project) -> None:
        moved = own.folder / "moved"
        own.environment.rename(moved)

        own.done("sync", "moved", "--no-smoke")

        own.done("verify", "moved")
        assert str(moved) in (bin_folder(moved) / "activate").read_text("utf-8")

    def test_the_hooks_that_were_not_wanted_stay_away(self, made: Project, tmp_path: Path) -> None:
        project = Project(tmp_path / "plain")
        project.folder.mkdir()
        project.lock.write_bytes(made.lock.read_bytes())
        project.done("rebuild", "--no-smoke", "--no-hooks", "--no-startup")
        put(site_packages(project) / "numpy" / "__init__.py", "")

        project.done("sync", "--no-smoke")

        assert not list(site_packages(project).glob("_kerasenv*"))
        assert "kerasenv" not in (bin_folder(project.environment) / "activate").read_text("utf-8").replace(
            str(project.folder), ""
        )
        project.done("verify")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_leaves_the_environment_as_it_was(own: Project, own_index: LocalIndex) -> None:
    lock_with(own, own_index, NEWER_KERAS)
    before = snapshot(own.environment)
    with (
        own_index.trouble(NEWER_KERAS.filename, hold=True) as trouble,
        start_kerasenv("sync", cwd=own.folder) as process,
    ):
        assert trouble.met.wait(60)
        process.kill()
        process.wait()

    assert snapshot(own.environment) == before
    own.done("sync", "--no-smoke")
    assert not work_folders(own.folder)
    own.done("verify")


def test_no_environment(own: Project) -> None:
    assert "There is no environment in " in own.refused("sync", "nowhere")
