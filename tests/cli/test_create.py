"""kerasenv create, from end to end, against the tiny packages."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.environment import RECEIPT
from kerasenv.env.variables import bin_folder
from kerasenv.folders import cache_folder
from kerasenv.venv import python_in
from tests.local_index import LocalIndex, Wheel
from tests.project import (
    BROKEN_KERAS,
    NEWER_KERAS,
    Project,
    backend_of,
    drop_our_table,
    is_whole,
    packages_in,
    packages_of,
    receipt_of,
    say,
    snapshot,
)
from tests.standard_index import standard_index, write_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import FindPython

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
INSTALLED = {
    "h5py": "3.14.0",
    "keras": "3.15.1",
    "libclang": "18.1.1",
    "ml_dtypes": "0.6.0",
    "numpy": "2.0",
    "pip": "26.0",
    "tensorflow": "2.21.0",
}


class TestFresh:
    def test_one_command_gives_a_working_environment_and_a_lock(
        self, first_create: tuple[Project, subprocess.CompletedProcess[str]]
    ) -> None:
        project, done = first_create

        assert is_whole(project.environment)
        assert packages_of(project.environment) == INSTALLED
        assert {name.replace("-", "_"): version for name, (version,) in packages_in(project.lock).items()} == INSTALLED
        assert sorted(path.name for path in project.folder.iterdir()) == [".venv", "profiles", "pylock.tiny.toml"]
        assert done.stdout.startswith(".venv is ready: tiny on CPython ")
        for next_step in ("bin/activate", "kerasenv run .venv -- python", "commit     pylock.tiny.toml"):
            assert next_step in done.stdout
        lock = project.lock.read_text("utf-8")
        for of_this_machine in (str(project.folder), sys.prefix, os.environ["PATH"]):
            assert of_this_machine not in lock

    def test_each_step_says_what_came_out_and_where_from(
        self, first_create: tuple[Project, subprocess.CompletedProcess[str]]
    ) -> None:
        _, done = first_create

        steps = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("✓ ")]
        assert steps == ["Profile", "Python", "Lock", "Environment", "Hooks", "Packages", "Smoke"]
        assert f"[{Path('profiles', 'tiny.toml')}]" in done.stderr
        assert "[runs kerasenv: " in done.stderr
        assert re.search(r"\[new, resolved by uv [\d.]+\]", done.stderr)
        assert re.search(r"\[uv [\d.]+ \(default\)\]", done.stderr)
        assert "  train: passed (loss " in done.stderr

    def test_the_receipt_says_what_it_was_made_of(self, made: Project) -> None:
        receipt = receipt_of(made.environment)

        assert receipt["profile"] == "tiny"
        assert receipt["lock_name"] == "pylock.tiny.toml"
        assert receipt["python_version"].startswith(MINOR)
        assert receipt["backend"] == "tensorflow"
        assert receipt["variables"]["KERAS_HOME"] == str(made.environment / "keras")
        assert receipt["smoke"]["passed"]
        assert [step["status"] for step in receipt["smoke"]["steps"]] == ["passed"] * 10

    def test_a_hostile_outside_does_not_reach_it(self, project: Project, home: Path) -> None:
        """What other Kerases, Pythons, uvs and virtualenvs of this user were told."""
        hostile = home / ".keras" / "keras.json"
        hostile.parent.mkdir()
        hostile.write_text('{"backend": "theano", "floatx": "float16"}')

        project.done(
            "create",
            "tiny",
            env={
                "KERAS_BACKEND": "jax",
                "KERAS_HOME": str(home / ".keras"),
                "PYTHONPATH": str(home),
                "PYTHONSTARTUP": str(home / "nowhere.py"),
                "TF_USE_LEGACY_KERAS": "1",
                "UV_PYTHON": "2.7",
                "UV_CONSTRAINT": str(home / "nowhere.txt"),
                "UV_EXCLUDE_NEWER": "2001-01-01",
                "VIRTUALENV_SYSTEM_SITE_PACKAGES": "1",
                "VIRTUAL_ENV": str(home),
            },
        )

        assert packages_of(project.environment) == INSTALLED
        assert backend_of(project.environment) == "tensorflow"
        assert say(project.environment, "import keras; print(keras.backend.floatx())") == "float32"

    def test_a_profile_can_be_a_file_anywhere(self, project: Project, tmp_path: Path) -> None:
        write_profile(tmp_path / "elsewhere", name="mine")

        project.done("create", "../elsewhere/mine.toml", "--no-smoke")

        assert receipt_of(project.environment)["profile"] == "mine"
        assert (project.folder / "pylock.mine.toml").is_file()


class TestAgain:
    def test_an_environment_that_is_right_is_only_proven_again(self, project: Project, index: LocalIndex) -> None:
        project.done("create", "tiny")
        before, lock = snapshot(project.environment), project.lock.read_bytes()
        index.forget()

        done = project.done("create", "tiny")

        assert "already there, made from this very lock" in done.stderr
        assert "✓ Smoke test" in done.stderr
        assert "commit" not in done.stdout
        assert index.requests == []
        after = snapshot(project.environment)
        assert {name for name in before | after if before.get(name) != after.get(name)} <= {RECEIPT}
        assert project.lock.read_bytes() == lock
        assert not project.leftovers()

    def test_one_that_no_longer_works_fails(self, project: Project) -> None:
        project.done("create", "tiny")
        (package,) = project.environment.rglob("site-packages/keras/__init__.py")
        package.write_text("raise RuntimeError('somebody was here')")

        error = project.refused("create", "tiny")

        assert "The model of tiny failed at step 'import'" in error
        assert "somebody was here" in error

    def test_force_makes_it_anew(self, project: Project) -> None:
        project.done("create", "tiny")
        (project.environment / "mine.txt").touch()
        lock = project.lock.read_bytes()

        project.done("create", "tiny", "--force")

        assert not (project.environment / "mine.txt").exists()
        assert is_whole(project.environment)
        assert project.lock.read_bytes() == lock
        assert not project.leftovers()

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            (["--no-hooks"], "its hooks are not those that are asked for"),
            (["--no-startup"], "its hooks are not those that are asked for"),
            (["--with", "jax", "--upgrade", "--lock", "pylock.other.toml"], "it was made from pylock.tiny.toml"),
        ],
        ids=["hooks", "startup", "lock"],
    )
    def test_another_one_is_only_replaced_by_force(self, made: Project, options: list[str], why: str) -> None:
        before = snapshot(made.folder)

        error = made.refused("create", "tiny", *options)

        assert "already holds another environment (tiny, made " in error
        assert why in error
        assert "add --force" in error
        assert snapshot(made.folder) == before

    def test_another_profiles_environment_is_only_replaced_by_force(self, project: Project) -> None:
        """Nor does a lock appear whose environment isn't there."""
        write_profile(project.folder / "profiles", name="other", requirements=["keras", "jax"], backend="jax")
        project.done("create", "other")
        before = snapshot(project.folder)

        error = project.refused("create", "tiny")

        assert "already holds another environment (other, made " in error
        assert snapshot(project.folder) == before

    def test_another_python_is_only_taken_by_force(self, made: Project, python: FindPython) -> None:
        other = python("3.12" if MINOR != "3.12" else "3.11")

        error = made.refused("create", "tiny", "--python", other)

        assert f"it has CPython {sys.version.split()[0]}, not " in error

    def test_a_lock_that_was_deleted_is_written_again_and_the_environment_stays(self, project: Project) -> None:
        """The index has nothing new, so the same lock comes out."""
        project.done("create", "tiny", "--no-smoke")
        lock = project.lock.read_bytes()
        project.lock.unlink()
        (project.environment / "mine.txt").touch()

        project.done("create", "tiny", "--no-smoke")

        assert project.lock.read_bytes() == lock
        assert (project.environment / "mine.txt").exists()

    def test_a_receipt_that_was_cut_off_is_no_dead_end(self, project: Project) -> None:
        project.environment.mkdir()
        (project.environment / RECEIPT).write_text("{")

        error = project.refused("create", "tiny")
        project.done("create", "tiny", "--force")

        assert "can't be read" in error
        assert is_whole(project.environment)


class TestPlace:
    @pytest.mark.parametrize("options", [[], ["--force"]], ids=["plain", "forced"])
    def test_a_folder_of_somebody_else_is_left_as_it_is(self, project: Project, options: list[str]) -> None:
        for name in (".venv/bin/python", ".venv/pyvenv.cfg", ".venv/notes.txt"):
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (project.folder / name).write_text("mine")
        (project.environment / "notes.txt").chmod(0o640)
        before = snapshot(project.folder)

        error = project.refused("create", "tiny", *options)

        assert f"{project.environment} is already there, and kerasenv didn't make it" in error
        assert "hint: " in error
        assert snapshot(project.folder) == before

    def test_a_file_in_the_way_is_left_as_it_is(self, project: Project) -> None:
        project.environment.write_text("mine")

        error = project.refused("create", "tiny", "--force")

        assert "is no folder" in error
        assert project.environment.read_text() == "mine"
        assert not project.lock.exists()

    def test_a_file_above_the_place(self, project: Project) -> None:
        (project.folder / "file").write_text("mine")

        error = project.refused("create", "tiny", "file/env")

        assert str(project.folder / "file") in error
        assert (project.folder / "file").read_text() == "mine"
        assert not project.leftovers()

    def test_an_empty_folder_is_taken(self, project: Project) -> None:
        project.environment.mkdir()

        project.done("create", "tiny", "--no-smoke")

        assert packages_of(project.environment) == INSTALLED

    @pytest.mark.parametrize(
        "name",
        [
            "not/yet/there",
            'it\'s my "project" $HOME `id` %PATH%/the env; [a-z]*? {c} \N{CJK UNIFIED IDEOGRAPH-6F22} é',
        ],
    )
    @pytest.mark.skipif(sys.platform == "win32", reason="no such names on Windows")
    def test_any_name(self, project: Project, name: str) -> None:
        place = project.folder / name

        done = project.done("create", "tiny", name)

        assert f"{name} is ready" in done.stdout
        assert f"source {shlex.quote(f'{name}/bin/activate')}\n" in done.stdout
        assert is_whole(place)
        assert [path.name for path in place.parent.iterdir()] == [place.name]
        show = 'import os; print("\\n".join(os.environ[name] for name in ("VIRTUAL_ENV", "KERAS_HOME")))'
        activated = subprocess.run(
            ["bash", "-c", f". \"$1\"; python -c '{show}'; command -v pip", "bash", place / "bin" / "activate"],
            capture_output=True,
            check=True,
            encoding="utf-8",
        )
        assert activated.stdout.splitlines() == [str(place), str(place / "keras"), str(place / "bin" / "pip")]

    @pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
    @pytest.mark.parametrize("there", [True, False], ids=["empty", "dangling"])
    def test_a_link_to_where_the_environment_shall_be(self, project: Project, tmp_path: Path, *, there: bool) -> None:
        """Such as .venv -> /big-disk/envs/this-project."""
        real = tmp_path / "big disk" / "env"
        if there:
            real.mkdir(parents=True)
        project.environment.symlink_to(real)

        project.done("create", "tiny")

        assert project.environment.is_symlink()
        assert is_whole(project.environment)
        assert [path.name for path in real.parent.iterdir()] == ["env"]

    @pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
    def test_a_link_to_a_folder_of_somebody_else(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "notes.txt").touch()
        project.environment.symlink_to(tmp_path / "mine")

        error = project.refused("create", "tiny", "--force")

        assert "didn't make it" in error
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]

    @pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
    def test_a_link_to_itself(self, project: Project) -> None:
        project.environment.symlink_to(project.environment)

        error = project.refused("create", "tiny")

        assert str(project.environment) in error

    def test_a_name_that_no_search_path_can_hold(self, project: Project) -> None:
        error = project.refused("create", "tiny", f"a{os.pathsep}b")

        assert os.pathsep in error
        assert not project.leftovers()
        assert not project.lock.exists()

    def test_two_environments_whose_names_begin_alike(self, project: Project) -> None:
        """What is left behind for one of them must not be taken for the other's."""
        work = project.folder / ".kerasenv-.venv-2-abcdefgh" / "old"
        work.mkdir(parents=True)

        project.done("create", "tiny", ".venv", "--no-smoke")

        assert work.is_dir()


class TestLock:
    def test_it_can_be_elsewhere(self, project: Project) -> None:
        (project.folder / "locks").mkdir()

        project.done("create", "tiny", "--no-smoke", "--lock", "locks/pylock.toml")
        again = project.done("create", "tiny", "--no-smoke", "--lock", "locks/pylock.toml")

        assert "keras" in packages_in(project.folder / "locks" / "pylock.toml")
        assert not project.lock.exists()
        assert "already there" in again.stderr

    def test_its_name_must_be_a_locks_name(self, project: Project) -> None:
        error = project.refused("create", "tiny", "--lock", "requirements.lock")

        assert "no valid name for a lock" in error
        assert not project.environment.exists()

    def test_a_folder_for_it_that_is_not_there_is_told_before_the_work(
        self, project: Project, index: LocalIndex
    ) -> None:
        error = project.refused("create", "tiny", "--lock", "nowhere/pylock.toml")

        assert str(project.folder / "nowhere") in error
        assert index.requests == []
        assert not project.environment.exists()

    def test_upgrade_shows_what_changes(self, own_project: Project, own_index: LocalIndex) -> None:
        project = own_project
        project.done("create", "tiny", "--no-smoke")
        own_index.add(NEWER_KERAS)

        same = project.done("create", "tiny", "--no-smoke")
        upgraded = project.done("create", "tiny", "--no-smoke", "--upgrade")

        assert "already there" in same.stderr
        assert upgraded.stdout.startswith("pylock.tiny.toml changed:\n~ keras 3.15.1 -> 3.16.0\n")
        assert packages_of(project.environment) == INSTALLED | {"keras": "3.16.0"}
        assert packages_in(project.lock)["keras"] == ["3.16.0"]

    def test_upgrade_without_anything_new_changes_nothing(self, project: Project) -> None:
        project.done("create", "tiny", "--no-smoke")
        before = snapshot(project.folder)

        done = project.done("create", "tiny", "--no-smoke", "--upgrade")

        assert "changed" not in done.stdout
        assert snapshot(project.folder) == before

    def test_a_profile_that_changed_is_told_and_nothing_done(self, project: Project, made: Project) -> None:
        project.lock.write_bytes(made.lock.read_bytes())
        cap = {"requirement": "keras<3.15", "because": "it breaks", "seen": "here"}
        write_profile(project.folder / "profiles", backend="jax", constraints=[cap])
        before = snapshot(project.folder)

        error = project.refused("create", "tiny")

        assert "pylock.tiny.toml doesn't fit what is asked for; it was left as it is." in error
        assert "it has keras 3.15.1, and the profile wants keras<3.15 (it breaks)" in error
        assert "the profile's backend changed since it was written" in error
        assert "add --upgrade" in error
        assert snapshot(project.folder) == before

    def test_a_lock_that_is_none(self, project: Project) -> None:
        project.lock.write_text("<<<<<<< HEAD\n")

        error = project.refused("create", "tiny")

        assert f"{project.lock} is no valid lock" in error
        assert project.lock.read_text() == "<<<<<<< HEAD\n"
        assert not project.environment.exists()

    def test_a_lock_of_another_tool(self, project: Project, made: Project) -> None:
        """PEP 751 lets any tool drop [tool.kerasenv]; the profile still says what else there is to do."""
        project.lock.write_bytes(made.lock.read_bytes())
        drop_our_table(project.lock)

        project.done("create", "tiny")

        assert "tool.kerasenv" not in project.lock.read_text("utf-8")
        assert is_whole(project.environment)


class TestOwnRequirements:
    def test_they_are_locked_together_with_the_profile(self, project: Project) -> None:
        tool = {"requirement": "tiny-build<2", "because": "it builds", "seen": "here"}
        write_profile(project.folder / "profiles", build_constraints=[tool])

        done = project.done("create", "tiny", "--no-smoke", "--with", "pandas", "--with", "Theano>=1")
        again = project.done("create", "tiny", "--no-smoke", "--with", "pandas", "--with", "Theano>=1")

        assert packages_of(project.environment) == INSTALLED | {"pandas": "2.0", "theano": "1.0.5"}
        assert packages_in(project.lock)["pandas"] == ["2.0"]
        assert "9 packages" in done.stderr
        assert "already there" in again.stderr

    def test_what_can_not_be_had_together_says_so(self, project: Project) -> None:
        error = project.refused("create", "tiny", "--with", "numpy<2", "--with", "pandas>=2")

        assert "The requirements can't be met together" in error
        assert "pandas" in error
        assert not project.lock.exists()
        assert not project.environment.exists()

    def test_they_are_added_to_a_lock_that_is_there(self, own_project: Project, own_index: LocalIndex) -> None:
        """And to the environment that was made from it; nothing else changes."""
        project = own_project
        project.done("create", "tiny", "--no-smoke")
        own_index.add(NEWER_KERAS)

        done = project.done("create", "tiny", "--no-smoke", "--with", "pandas>=2", "--with", "h5py<3")

        assert done.stdout.startswith("pylock.tiny.toml changed:\n~ h5py 3.14.0 -> 2.10.0\n+ pandas 2.0\n.venv is")
        assert packages_of(project.environment) == INSTALLED | {"h5py": "2.10.0", "pandas": "2.0"}

    def test_a_lock_that_does_not_fit_for_other_reasons_is_left(self, made: Project, project: Project) -> None:
        """They can be added to nothing that nobody looked at."""
        project.lock.write_bytes(made.lock.read_bytes())
        write_profile(project.folder / "profiles", backend="jax")
        before = snapshot(project.folder)

        error = project.refused("create", "tiny", "--with", "pandas>=2")

        assert "it has no pandas, which is asked for" in error
        assert "the profile's backend changed since it was written" in error
        assert "kerasenv lock tiny" in error
        assert snapshot(project.folder) == before

    def test_a_requirements_file_is_read_as_pip_reads_it(self, project: Project, index: LocalIndex) -> None:
        sha256 = index.sha256("jax-0.12.0-py2.py3-none-any.whl")
        (project.folder / "requirements.txt").write_text(
            f"""\
            # what my project needs
            -r more/requirements.txt
            pandas == 2.* ; python_version >= '3'   # a marker that holds
            theano ; sys_platform == 'plan9'
            jax==0.12.0 \\
                --hash=sha256:{sha256}
            """.replace("            ", "")
        )
        (project.folder / "more").mkdir()
        (project.folder / "more" / "requirements.txt").write_text("torch\n")

        project.done("create", "tiny", "--no-smoke", "-r", "requirements.txt")

        assert packages_of(project.environment) == INSTALLED | {"pandas": "2.0", "jax": "0.12.0", "torch": "2.15.0"}

    @pytest.mark.parametrize(
        "line",
        ["-e .", "./lib", "keras @ http://127.0.0.1:9/keras-3.15.1-py3-none-any.whl", "git+http://127.0.0.1:9/a"],
    )
    def test_what_no_lock_can_promise_is_refused(self, project: Project, line: str) -> None:
        (project.folder / "lib").mkdir()
        for folder in (project.folder, project.folder / "lib"):
            (folder / "pyproject.toml").write_text('[project]\nname = "lib"\nversion = "1"\n')
        (project.folder / "requirements.txt").write_text(f"pandas\n{line}\n")

        error = project.refused("create", "tiny", "-r", "requirements.txt", code=2)

        assert "what lies there can change: a lock can't promise it" in error
        assert not project.environment.exists()

    @pytest.mark.parametrize("wish", ["no requirement!", "keras @ http://127.0.0.1:9/keras.whl", "-e ."])
    def test_what_is_no_requirement_is_refused(self, project: Project, wish: str) -> None:
        error = project.refused("create", "tiny", f"--with={wish}", code=2)

        assert repr(wish) in error

    def test_a_file_that_is_not_there(self, project: Project) -> None:
        assert "There is no nowhere.txt." in project.refused("create", "tiny", "-r", "nowhere.txt", code=2)


class TestVariant:
    def test_it_is_chosen_and_remembered(self, project: Project) -> None:
        variants = {
            "cuda": {"summary": "for a GPU", "platforms": ["linux-x86_64"], "requirements": ["tensorflow[and-cuda]"]}
        }
        write_profile(project.folder / "profiles", variants=variants)

        project.done("create", "tiny", "--no-smoke", "--variant", "cuda")
        error = project.refused("create", "tiny", "--no-smoke")

        assert receipt_of(project.environment)["variant"] == "cuda"
        assert packages_in(project.lock)["nvidia-cudnn"] == ["9.0"]
        assert "it is for variant cuda, not the plain profile" in error

    def test_one_that_is_not_there(self, project: Project) -> None:
        error = project.refused("create", "tiny", "--variant", "cuda")

        assert "cuda" in error
        assert not project.environment.exists()


class TestSwitches:
    def test_offline_uses_what_was_downloaded_before(self, project: Project, index: LocalIndex) -> None:
        project.done("create", "tiny", "--no-smoke")
        index.forget()

        project.done("create", "tiny", "another", "--offline")
        project.done("create", "tiny", "third", "--no-smoke", "--offline", "--upgrade")

        assert is_whole(project.folder / "another")
        assert index.requests == []

    def test_offline_with_an_empty_cache_says_what_to_do(
        self, project: Project, made: Project, index: LocalIndex
    ) -> None:
        without_lock = project.refused("create", "tiny", "--offline")
        project.lock.write_bytes(made.lock.read_bytes())
        with_lock = project.refused("create", "tiny", "--offline")

        for error in (without_lock, with_lock):
            assert "Leave --offline out" in error
        assert index.requests == []
        assert not project.environment.exists()
        assert not project.leftovers()

    def test_without_smoke_test_a_broken_model_is_made(self, own_project: Project, own_index: LocalIndex) -> None:
        project = own_project
        own_index.add(BROKEN_KERAS)

        done = project.done("create", "tiny", "--no-smoke")

        assert "It is not proven: --no-smoke." in done.stdout
        assert receipt_of(project.environment)["smoke"] is None

    def test_without_hooks_activation_sets_nothing(self, project: Project) -> None:
        done = project.done("create", "tiny", "--no-smoke", "--no-hooks")

        for script in bin_folder(project.environment).glob("*activate*"):
            assert "KERAS" not in script.read_text("utf-8")
        assert say(project.environment, "import os; print(os.environ['KERAS_BACKEND'])") == "tensorflow"
        assert "(at interpreter start)" in done.stderr

    def test_without_startup_the_interpreter_sets_nothing(self, project: Project) -> None:
        done = project.done("create", "tiny", "--no-smoke", "--no-startup")

        assert not list(project.environment.rglob("_kerasenv*"))
        assert say(project.environment, "import os; print(os.environ.get('KERAS_BACKEND'))") == "None"
        assert "KERAS_BACKEND" in (bin_folder(project.environment) / "activate").read_text("utf-8")
        assert "(8 activation scripts)" in done.stderr

    def test_without_both(self, project: Project) -> None:
        done = project.done("create", "tiny", "--no-hooks", "--no-startup")

        assert "both hooks are switched off" in done.stderr
        assert is_whole(project.environment)

    def test_quiet_says_only_the_result_and_twice_nothing_that_is_no_error(self, made: Project) -> None:
        quiet = made.done("create", "tiny", "--no-smoke", "-q")
        silent = made.done("create", "tiny", "--no-smoke", "-qq")
        error = made.refused("create", "tiny", "-qq", "--no-hooks")

        assert quiet.stdout.startswith(".venv is ready: tiny ")
        assert (silent.stdout, quiet.stderr, silent.stderr) == ("", "", "")
        assert error.startswith(f"{made.environment} already holds another environment")

    def test_verbose_says_what_is_run(
        self, project: Project, first_create: tuple[Project, subprocess.CompletedProcess[str]]
    ) -> None:
        verbose = project.done("create", "tiny", "--no-smoke", "-v")

        assert "pip sync" in verbose.stderr
        assert "pip sync" not in first_create[1].stderr


class TestPython:
    @pytest.mark.parametrize("by", ["version", "path"])
    def test_it_can_be_named(self, project: Project, python: FindPython, by: str) -> None:
        there = python("3.12")

        project.done(
            "create",
            "tiny",
            "--no-smoke",
            "--python",
            "3.12" if by == "version" else there,
            env={"PATH": f"{there.parent}{os.pathsep}{os.environ['PATH']}"},
        )

        assert receipt_of(project.environment)["python_version"].startswith("3.12.")
        assert say(project.environment, "import sys; print(sys.version_info[:2])") == "(3, 12)"

    @pytest.mark.parametrize("request_", ["3.99", "/no/such/python", "no python!", "==3.99.*"])
    def test_one_that_can_not_be_had(self, project: Project, request_: str) -> None:
        error = project.refused("create", "tiny", "--python", request_)

        assert request_ in error
        assert "hint: " in error
        assert not project.environment.exists()

    def test_one_that_does_not_fit_the_profile(self, project: Project) -> None:
        write_profile(project.folder / "profiles", requires_python=">=3.6,<3.8")

        error = project.refused("create", "tiny", "--python", MINOR)

        version = sys.version.split()[0]
        assert f"--python {MINOR} is CPython {version}; profile tiny needs CPython " in error

    def test_an_old_python_gets_a_model_and_a_pip_of_its_time(
        self, tmp_path: Path, index: LocalIndex, python37: Path
    ) -> None:
        project = Project.make(
            tmp_path,
            requires_python=">=3.6,<3.8",
            requirements=["tensorflow==1.15", "keras==2.3.1", "h5py<3"],
            smoke={"import": "keras", "formats": ["h5"]},
        )

        project.done("create", "tiny", "--python", python37)

        assert packages_of(project.environment)["pip"] == "24.0"
        assert is_whole(project.environment)
        assert "GET /simple/keras/" in index.requests


class TestProfile:
    def test_an_unknown_one_names_the_nearest(self, project: Project) -> None:
        error = project.refused("create", "tf2-modrn")

        assert "there is no profile 'tf2-modrn'" in error
        assert "tf2-modern" in error

    def test_a_broken_one_tells_all_its_faults(self, project: Project) -> None:
        write_profile(project.folder / "profiles", backend="teapot", platforms=["moon"], nonsense=1)

        error = project.refused("create", "tiny")

        for fault in ("backend", "platforms", "nonsense"):
            assert fault in error


class TestWhatThisMachineOffers:
    """Only the index that a user names, and nothing else that pip or uv are configured with."""

    @pytest.fixture
    def trap(self, tmp_path: Path) -> Iterator[LocalIndex]:
        with LocalIndex() as trap:
            standard_index(trap)
            trap.add(
                Wheel(
                    name="keras",
                    version="3.98.0",
                    requires=("h5py", "numpy"),
                    files={"keras/__init__.py": "", "keras/_version.py": ""},
                )
            )
            wheels = tmp_path / "wheels"
            wheels.mkdir()
            for filename in trap.filenames("keras"):
                (wheels / filename).write_bytes(trap.find_file(filename) or b"")
            yield trap

    def test_no_other_index_is_asked(self, project: Project, trap: LocalIndex, tmp_path: Path, home: Path) -> None:
        wheels = str(tmp_path / "wheels")
        (home / ".config" / "uv").mkdir(parents=True)
        (home / ".config" / "uv" / "uv.toml").write_text(
            f'extra-index-url = ["{trap.url}"]\nfind-links = ["{wheels}"]\n'
        )
        (home / ".config" / "pip").mkdir()
        (home / ".config" / "pip" / "pip.conf").write_text(f"[global]\nextra-index-url = {trap.url}\n")
        (project.folder / "uv.toml").write_text(f'extra-index-url = ["{trap.url}"]\n')
        (project.folder / "pyproject.toml").write_text(f'[tool.uv.pip]\nextra-index-url = ["{trap.url}"]\n')

        project.done(
            "create",
            "tiny",
            "--no-smoke",
            env={
                "PIP_EXTRA_INDEX_URL": trap.url,
                "PIP_FIND_LINKS": wheels,
                "PIP_CONFIG_FILE": None,
                "UV_EXTRA_INDEX_URL": trap.url,
                "UV_INDEX": trap.url,
                "UV_FIND_LINKS": wheels,
                "UV_NO_CONFIG": None,
            },
        )

        assert trap.requests == []
        assert packages_of(project.environment) == INSTALLED
        lock = project.lock.read_text("utf-8")
        assert trap.url not in lock
        assert wheels not in lock

    @pytest.mark.parametrize("name", ["--index-url", "UV_DEFAULT_INDEX", "PIP_INDEX_URL"])
    def test_the_index_that_the_user_names_is_used(self, project: Project, trap: LocalIndex, name: str) -> None:
        named = dict.fromkeys(("UV_DEFAULT_INDEX", "PIP_INDEX_URL"))
        options = ["--index-url", trap.url] if name == "--index-url" else []

        project.done("create", "tiny", "--no-smoke", *options, env=named | ({} if options else {name: trap.url}))

        assert packages_of(project.environment)["keras"] == "3.98.0"
        assert trap.url.removesuffix("simple/") in project.lock.read_text("utf-8")

    def test_credentials_are_written_nowhere(self, tmp_path: Path, home: Path) -> None:
        """Neither in a file nor in what is said, however they were given."""
        secrets = ("somebody", "s3cr3t:p@ss/w0rd")
        project = Project.make(tmp_path / "project")
        with LocalIndex(credentials=secrets) as closed:
            standard_index(closed)

            done = project.done("create", "tiny", "-vv", "--index-url", closed.url_with_credentials)
            failed = project.run("create", "tiny", "-vv", "--upgrade", "--with", "nonesuch", env=closed.environ)
            said = json.dumps(project.json("create", "tiny", "--force", env=closed.environ))

        assert failed.returncode == 1
        forms = (secrets[1], closed.url_with_credentials.partition("://")[2].partition("@")[0], "s3cr3t")
        everything = {
            path: path.read_bytes() for root in (tmp_path, home) for path in root.rglob("*") if path.is_file()
        }
        texts = {"stdout": done.stdout, "stderr": done.stderr, "failed": failed.stderr, "json": said}
        for form in forms:
            assert not [name for name, text in texts.items() if form in text]
            assert not [path for path, content in everything.items() if form.encode() in content]
        assert cache_folder().is_dir()
        assert python_in(project.environment).exists()
