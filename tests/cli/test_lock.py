"""kerasenv lock, from end to end, against the tiny packages."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tomli
from packaging.pylock import Pylock

from tests.local_index import LocalIndex, Wheel
from tests.programs import start_kerasenv
from tests.project import NEWER_KERAS, Project, packages_in
from tests.standard_index import PLATFORM_TAGS, standard_index, standard_packages, write_profile

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.conftest import FindPython

NEWER_H5PY = Wheel(name="h5py", version="3.15.0", requires=("numpy",), files={"h5py/__init__.py": ""})
TOOLS = [{"requirement": "tiny-build<2", "because": "it breaks", "seen": "here"}]


def of_profile(folder: Path) -> bytes:
    return (folder / "pylock.tiny.toml").read_bytes()


class TestNew:
    def test_a_lock_and_nothing_else_is_written(self, project: Project, index: LocalIndex) -> None:
        done = project.done("lock", "tiny")

        assert sorted(path.name for path in project.folder.iterdir()) == ["profiles", "pylock.tiny.toml"]
        assert done.stdout.startswith("pylock.tiny.toml is new: 7 packages.\n")
        assert "commit     pylock.tiny.toml" in done.stdout
        assert index.downloads == []
        Pylock.from_dict(tomli.loads(project.lock.read_text("utf-8"))).validate()

    def test_it_is_the_one_that_create_writes(self, project: Project, made: Project) -> None:
        project.done("lock", "tiny")

        assert project.lock.read_bytes() == made.lock.read_bytes()

    def test_it_can_be_elsewhere(self, project: Project) -> None:
        project.done("lock", "tiny", "-o", "pylock.toml", "--with", "pandas")

        assert packages_in(project.folder / "pylock.toml")["pandas"] == ["2.0"]
        assert not project.lock.exists()

    def test_no_python_of_the_profile_is_needed(self, project: Project) -> None:
        """As long as nothing is built: whoever keeps the locks of a team need not have every old Python."""
        write_profile(project.folder / "profiles", requires_python="==3.10.99", requirements=["keras"])

        project.done("lock", "tiny")

        assert "keras" in packages_in(project.lock)

    def test_what_it_is_not_for_is_said(self, own_project: Project, own_index: LocalIndex) -> None:
        """In the lock, at the terminal, and by `environments`, so that every installer refuses."""
        own_index.add(
            *(Wheel(name="fast", version="1.0", tag=f"py3-none-{tag}") for tag in PLATFORM_TAGS if "aarch" not in tag)
        )

        done = own_project.done("lock", "tiny", "--with", "fast")

        gap = {"package": "fast 1.0", "platform": "linux-aarch64", "pythons": ["3.10", "3.11", "3.12", "3.13", "3.14"]}
        table = tomli.loads(own_project.lock.read_text("utf-8"))
        assert table["tool"]["kerasenv"]["missing"] == [gap]
        assert len(table["environments"]) == len(PLATFORM_TAGS) - 1
        assert not [marker for marker in table["environments"] if "aarch64" in marker]
        assert "fast 1.0 for Linux aarch64, Python 3.10, 3.11, 3.12, 3.13, 3.14" in done.stdout

    def test_without_a_name_there_must_be_a_lock(self, project: Project) -> None:
        assert "kerasenv lock PROFILE" in project.refused("lock")

    def test_all_that_can_be_named_but_what_fails_is_locked(self, own_project: Project, own_index: LocalIndex) -> None:
        """Shipped profiles ask for what this index hasn't got."""
        del own_index
        finished = own_project.run("lock", "--all")

        assert finished.returncode == 1
        assert "tf2-modern" in finished.stderr
        assert "pylock.tiny.toml is new" in finished.stdout
        assert own_project.lock.exists()


SETTINGS = [
    {"TZ": "UTC", "LANG": "C", "LC_ALL": "C"},
    {"TZ": "Pacific/Chatham", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"},
]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
def test_the_same_bytes_everywhere(project: Project, tmp_path: Path) -> None:
    """Whatever home, time zone, language, umask, cache and folder, and in whatever order it was asked for."""
    asked = [["--with", "pandas", "--with", "h5py>=3"], ["--with", "h5py>=3", "--with", "pandas"]]
    contents = []
    for number, (settings, words, mask) in enumerate(zip(SETTINGS, asked, (0o077, 0o002), strict=True)):
        home = tmp_path / f"home of user {number}"
        folder = home / "one" / "two" if number else home
        folder.mkdir(parents=True)
        shutil.copytree(project.folder / "profiles", folder / "profiles")
        environ = {**settings, "HOME": str(home), "UV_CACHE_DIR": str(home / "uv"), "XDG_CACHE_HOME": str(home / "c")}
        for _ in ("with an empty cache", "with a full one"):
            (folder / "pylock.tiny.toml").unlink(missing_ok=True)
            with start_kerasenv("lock", "tiny", *words, cwd=folder, env=environ, umask=mask) as process:
                _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
            contents.append(of_profile(folder))

    assert len(set(contents)) == 1


class TestThere:
    def test_one_that_fits_is_left_to_the_byte(self, made: Project, project: Project, index: LocalIndex) -> None:
        """Even in a spelling that kerasenv would not write."""
        project.lock.write_bytes(b"# mine\n" + made.lock.read_bytes())
        before = project.lock.read_bytes(), project.lock.stat().st_mtime_ns
        index.forget()

        done = project.done("lock", "tiny", "--with", "numpy>=1")

        assert "gives what is asked for, and stays as it is" in done.stdout
        assert (project.lock.read_bytes(), project.lock.stat().st_mtime_ns) == before
        assert index.requests == []

    def test_one_that_does_not_changes_no_more_than_must(self, own_project: Project, own_index: LocalIndex) -> None:
        project = own_project
        project.done("lock", "tiny")
        own_index.add(NEWER_KERAS, NEWER_H5PY)
        write_profile(project.folder / "profiles", requirements=["tensorflow", "keras>=3.16"])

        done = project.done("lock", "tiny")

        assert done.stdout.startswith("pylock.tiny.toml changed:\n~ keras 3.15.1 -> 3.16.0\n\n")
        assert packages_in(project.lock)["h5py"] == ["3.14.0"]

    def test_what_is_asked_for_is_added_and_remembered(self, own_project: Project, own_index: LocalIndex) -> None:
        project = own_project
        project.done("lock", "tiny", "--with", "pandas")
        own_index.add(NEWER_KERAS, NEWER_H5PY)

        project.done("lock", "tiny", "--with", "jax")
        project.done("lock", "tiny", "--with", "torch")

        assert tomli.loads(project.lock.read_text("utf-8"))["tool"]["kerasenv"]["with"] == ["jax", "pandas", "torch"]
        packages = packages_in(project.lock)
        assert {"jax", "pandas", "torch"} <= packages.keys()
        assert (packages["keras"], packages["h5py"]) == (["3.15.1"], ["3.14.0"])

    def test_what_is_asked_for_anew_replaces_what_was_asked_for(self, project: Project) -> None:
        project.done("lock", "tiny", "--with", "h5py<3")

        done = project.done("lock", "tiny", "--with", "h5py>=3")

        assert "~ h5py 2.10.0 -> 3.14.0" in done.stdout
        assert tomli.loads(project.lock.read_text("utf-8"))["tool"]["kerasenv"]["with"] == ["h5py>=3"]

    def test_create_adds_to_it_as_well(self, own_project: Project, own_index: LocalIndex) -> None:
        project = own_project
        project.done("create", "tiny", "--no-smoke")
        own_index.add(NEWER_KERAS)

        done = project.done("create", "tiny", "--no-smoke", "--with", "pandas")

        assert done.stdout.startswith("pylock.tiny.toml changed:\n+ pandas 2.0\n.venv is ready")
        assert packages_in(project.lock)["keras"] == ["3.15.1"]

    def test_a_conflict_is_told_with_the_reasons_of_the_profile(self, project: Project) -> None:
        cap = {"requirement": "numpy<3", "because": "arrays break", "seen": "here"}
        write_profile(project.folder / "profiles", constraints=[cap])
        project.done("lock", "tiny")
        before = project.lock.read_bytes()

        error = project.refused("lock", "tiny", "--with", "numpy>=3")

        assert "numpy<3 because without it: arrays break (here)" in error
        assert "Loosen what you asked for with --with" in error
        assert project.lock.read_bytes() == before


class TestUpgrade:
    @pytest.fixture
    def locked(self, own_project: Project, own_index: LocalIndex) -> Project:
        own_project.done("lock", "tiny", "--with", "pandas")
        own_index.add(NEWER_KERAS, NEWER_H5PY)
        return own_project

    def test_all(self, locked: Project) -> None:
        done = locked.done("lock", "tiny", "--upgrade")

        assert "~ h5py 3.14.0 -> 3.15.0\n~ keras 3.15.1 -> 3.16.0\n" in done.stdout
        assert "pandas" in packages_in(locked.lock)

    def test_only_what_is_named(self, locked: Project) -> None:
        done = locked.done("lock", "tiny", "H5py", "--upgrade")

        assert done.stdout.startswith("pylock.tiny.toml changed:\n~ h5py 3.14.0 -> 3.15.0\n\n")

    def test_one_that_has_nothing_newer_is_told(self, locked: Project) -> None:
        done = locked.done("lock", "tiny", "numpy", "--upgrade")

        assert "numpy stays as it is" in done.stderr
        assert "stays as it is" in done.stdout

    def test_a_file_that_is_new_of_a_version_that_stays_is_not_taken(
        self, locked: Project, own_index: LocalIndex
    ) -> None:
        """A diff shows what was meant, and nothing that the index did meanwhile."""
        own_index.add(Wheel(name="numpy", version="2.0", tag="cp312-cp312-win_amd64", requires_python=">=3.10"))

        done = locked.done("lock", "tiny", "h5py", "--upgrade")

        assert "numpy" not in done.stdout

    def test_a_stranger(self, locked: Project) -> None:
        assert "has no nonesuch to upgrade" in locked.refused("lock", "tiny", "nonesuch", "--upgrade")

    def test_packages_without_it(self, locked: Project) -> None:
        assert "only with --upgrade" in locked.refused("lock", "tiny", "numpy", code=2)

    def test_a_version_that_vanished(self, locked: Project, own_index: LocalIndex) -> None:
        """It can't stay, and everything else does."""
        own_index.remove("h5py-3.14.0*")

        done = locked.done("lock", "tiny", "--with", "jax")

        assert "~ h5py 3.14.0 -> 3.15.0" in done.stdout


class TestCheck:
    def test_what_fits(self, made: Project, index: LocalIndex) -> None:
        done = made.done("lock", "--check")

        assert done.stdout == "pylock.tiny.toml gives what is asked for.\n"
        assert index.requests == []

    def test_what_does_not(self, made: Project, project: Project) -> None:
        project.lock.write_bytes(made.lock.read_bytes())
        cap = {"requirement": "keras<3.15", "because": "it breaks", "seen": "here"}
        write_profile(project.folder / "profiles", constraints=[cap])
        before = project.lock.read_bytes()

        error = project.refused("lock", "tiny", "--check", "--with", "pandas>=2")

        assert "hint: Mend it, changing no more than must: kerasenv lock tiny --with 'pandas>=2'" in error
        assert "it has no pandas, which is asked for" in error
        assert "it has keras 3.15.1, and the profile wants keras<3.15 (it breaks)" in error
        assert "kerasenv lock tiny" in error
        assert project.lock.read_bytes() == before
        envelope = project.json("lock", "tiny", "--check")
        assert envelope["exit_code"] == 1
        assert len(envelope["data"][0]["differences"]) == 1

    def test_what_an_earlier_with_asked_for_still_counts(self, project: Project) -> None:
        project.done("lock", "tiny", "--with", "pandas")
        text = project.lock.read_text("utf-8")
        head, _, rest = text.partition('[[packages]]\nname = "pandas"')
        project.lock.write_text(head + "[[packages]]" + rest.partition("[[packages]]")[2], "utf-8")

        assert "it has no pandas, which is asked for" in project.refused("lock", "tiny", "--check")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("cp311-manylinux2014_x86_64.whl", "cp311-manylinux2014_ppc64le.whl", "has no file of ml-dtypes 0.6.0"),
            ('version = "3.15.1"', 'version = "3.1.1"', "is no valid lock: "),
            ("sha256 = ", "md5 = ", "without its sha256"),
        ],
    )
    def test_an_edit_by_hand(self, made: Project, project: Project, old: str, new: str, said: str) -> None:
        text = made.lock.read_text("utf-8")
        assert old in text
        project.lock.write_text(text.replace(old, new), "utf-8")
        cap = {"requirement": "keras>=3.12", "because": "it breaks", "seen": "here"}
        write_profile(project.folder / "profiles", constraints=[cap])

        assert said in project.refused("lock", "--check")

    def test_a_lock_of_a_newer_kerasenv(self, made: Project, project: Project) -> None:
        project.lock.write_text(made.lock.read_text("utf-8").replace("format = 1", "format = 2"), "utf-8")

        assert "written by a newer kerasenv" in project.refused("lock", "tiny")

    def test_none_there(self, project: Project) -> None:
        assert "There is no pylock.tiny.toml" in project.refused("lock", "tiny", "--check")


class TestAsOf:
    def test_what_came_later_is_not_there(self, project: Project) -> None:
        """Keras 3.15.1 came in 2026, all else in 2024."""
        project.done("lock", "tiny", "--as-of", "2024-01-01")

        assert packages_in(project.lock)["keras"] == ["3.12.0"]
        text = project.lock.read_text("utf-8")
        assert tomli.loads(text)["tool"]["kerasenv"]["as-of"] == "2024-01-01"
        assert os.environ["UV_DEFAULT_INDEX"].rstrip("/") in text, "the index, and not the view of it"
        assert text.count("127.0.0.1") == text.count(os.environ["UV_DEFAULT_INDEX"].partition("/simple")[0])

    def test_it_is_remembered_until_an_upgrade(self, project: Project) -> None:
        project.done("lock", "tiny", "--as-of", "2024-01-01")

        project.done("lock", "tiny", "--with", "pandas")
        assert packages_in(project.lock)["keras"] == ["3.12.0"]
        project.done("lock", "tiny", "--upgrade")
        assert packages_in(project.lock)["keras"] == ["3.15.1"]
        assert "as-of" not in tomli.loads(project.lock.read_text("utf-8"))["tool"]["kerasenv"]

    def test_create_knows_it(self, project: Project) -> None:
        project.done("create", "tiny", "--no-smoke", "--as-of", "2024-01-01")
        error = project.refused("create", "tiny", "--no-smoke", "--as-of", "2025-01-01")

        assert "it was resolved as of 2024-01-01, not as of 2025-01-01" in error

    def test_before_everything(self, project: Project) -> None:
        error = project.refused("lock", "tiny", "--as-of", "2020-01-01")

        assert "the index was asked as it stood on 2020-01-01" in error
        assert "Name a later day" in error

    @pytest.mark.parametrize("day", ["2999-01-01", "yesterday", "20200601"])
    def test_no_day(self, project: Project, day: str) -> None:
        assert "--as-of: " in project.refused("lock", "tiny", "--as-of", day, code=2)

    def test_a_password_is_in_no_file(self, tmp_path: Path, home: Path) -> None:
        """The pages of that day lead to the files with it."""
        project = Project.make(tmp_path / "project")
        with LocalIndex(credentials=("somebody", "p@ss/word")) as closed:
            standard_index(closed)
            project.done("lock", "tiny", "--as-of", "2024-01-01", "--index-url", closed.url_with_credentials)

        written = [path for folder in (home, project.folder) for path in folder.rglob("*") if path.is_file()]
        assert project.lock in written
        assert not [path for path in written if re.search(rb"p(@|%40)ss", path.read_bytes())]

    def test_offline(self, project: Project) -> None:
        assert "Leave --offline out" in project.refused("lock", "tiny", "--as-of", "2024-01-01", "--offline")


class TestBuilds:
    def test_only_where_the_profile_says_by_what(self, project: Project) -> None:
        error = project.refused("lock", "tiny", "--with", "theano")
        write_profile(project.folder / "profiles", build_constraints=TOOLS)
        project.done("lock", "tiny", "--with", "theano")

        assert "[[build-constraints]]" in error
        assert packages_in(project.lock)["theano"] == ["1.0.5"]

    def test_never_with_only_binary(self, project: Project) -> None:
        write_profile(project.folder / "profiles", build_constraints=TOOLS)
        error = project.refused("lock", "tiny", "--with", "theano", "--only-binary")
        project.done("lock", "tiny", "--only-binary")
        later = project.refused("lock", "tiny", "--with", "theano")

        assert "Leave --only-binary out" in error
        assert "Leave --only-binary out" in later

    def test_a_lock_that_names_a_source_does_not_do_then(self, project: Project) -> None:
        write_profile(project.folder / "profiles", build_constraints=TOOLS)
        project.done("lock", "tiny", "--with", "theano")

        error = project.refused("lock", "tiny", "--check", "--only-binary")

        assert "theano 1.0.5 is built from source, and --only-binary refuses that" in error


class TestIndex:
    def test_that_is_down(self, own_project: Project, own_index: LocalIndex) -> None:
        with own_index.trouble("*", status=503):
            error = own_project.refused("lock", "tiny", env={"UV_HTTP_RETRIES": "0"})

        assert "503" in error
        assert not own_project.lock.exists()

    def test_what_was_withdrawn_is_not_chosen(self, own_project: Project, own_index: LocalIndex) -> None:
        own_index.add(replace(NEWER_KERAS, yanked="breaks pickles"))

        own_project.done("lock", "tiny")

        assert packages_in(own_project.lock)["keras"] == ["3.15.1"]

    def test_an_upper_bound_on_python_is_heeded(self, own_project: Project, own_index: LocalIndex) -> None:
        """Otherwise the lock would name, for Python 3.14, a version that says it is none for it."""
        own_index.add(replace(NEWER_KERAS, requires_python=">=3.10,<3.14"))

        own_project.done("lock", "tiny")

        assert packages_in(own_project.lock)["keras"] == ["3.15.1"]


def test_both_engines(own_project: Project, own_index: LocalIndex, python: FindPython) -> None:
    """The second one needs a pip-tools from the index, which has none: that is told, and nothing written."""
    del own_index, python
    assert {package.name for package in standard_packages()}.isdisjoint({"pip-tools"})

    error = own_project.refused("lock", "tiny", "--engine", "both")

    assert "pip-tools could not be installed" in error
    assert not own_project.lock.exists()


def test_what_is_asked_for_must_make_sense(project: Project) -> None:
    assert "--check changes nothing" in project.refused("lock", "tiny", "--check", "--upgrade", code=2)
    assert "for one profile" in project.refused("lock", "--all", "-o", "pylock.toml", code=2)
    assert "There is no engine 'conda'" in project.refused("lock", "tiny", "--engine", "conda", code=2)
    assert isinstance(project.json("lock", "tiny")["data"], list)


def test_help_names_the_engines(project: Project) -> None:
    finished: subprocess.CompletedProcess[str] = project.done("lock", "--help")

    assert "uv|pip-tools|both" in finished.stdout
