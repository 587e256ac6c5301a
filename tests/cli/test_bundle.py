"""kerasenv bundle, and kerasenv rebuild of what it packs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.bundle.unpack import open_bundle
from kerasenv.uv import uv_command
from tests.isolation import private_environ
from tests.programs import KERASENV
from tests.project import Project, is_whole, packages_of, receipt_of, say, snapshot
from tests.python_sources import archive_for_uv

if TYPE_CHECKING:
    from tests.conftest import FindPython
    from tests.local_index import LocalIndex

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
BUILDS = {
    "requirements": ["tensorflow", "keras", "theano", "antique"],
    "build-constraints": [{"requirement": "tiny-build<2", "because": "2 makes no wheels", "seen": "here"}],
}


@cache
def _network_can_be_taken_away() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


needs_no_network = pytest.mark.skipif(
    not _network_can_be_taken_away(), reason="only a Linux that allows `unshare -n` can take the network away"
)


@pytest.fixture
def sources(tmp_path: Path, index: LocalIndex) -> Project:
    """Return a project whose lock has two source distributions; its environment was made."""
    project = Project.make(tmp_path / "project", **BUILDS)
    project.done("create", "tiny", "--no-smoke")
    index.forget()
    return project


def here(project: Project, *words: str, name: str = "x.zip") -> Path:
    """Bundle a project's lock for the Python of the tests."""
    project.done("bundle", "-o", name, "--python", MINOR, *words)
    return project.folder / name


def elsewhere(folder: Path) -> Project:
    """Return a folder where nothing is, as on another machine."""
    folder.mkdir()
    return Project(folder)


class TestWithoutNetwork:
    @needs_no_network
    def test_a_machine_with_nothing_but_the_bundle(self, sources: Project, tmp_path: Path) -> None:
        """Neither home nor cache nor network, not even the loopback interface; nothing is built."""
        bundle = here(sources)
        other = elsewhere(tmp_path / "other")
        words = ["unshare", "-n", *KERASENV, "rebuild", str(bundle)]
        environ = private_environ(tmp_path / "home")

        done = subprocess.run(words, cwd=other.folder, env=environ, capture_output=True, check=False, encoding="utf-8")

        assert done.returncode == 0, done.stderr
        assert is_whole(other.environment)
        assert packages_of(other.environment) == packages_of(sources.environment)
        assert sources.run("verify", other.environment).returncode == 0
        assert "Building" not in done.stderr

    def test_the_same_files_as_with_a_network(self, sources: Project, tmp_path: Path) -> None:
        other = elsewhere(tmp_path / "other")

        other.done("rebuild", here(sources), "--no-smoke", env=private_environ(tmp_path / "home"))

        mine, theirs = (_installed(project.environment) for project in (other, sources))
        assert mine == theirs
        for key in ("profile", "lock_name", "lock_digest", "backend"):
            assert receipt_of(other.environment)[key] == receipt_of(sources.environment)[key]

    def test_nothing_is_left_behind(self, sources: Project, tmp_path: Path) -> None:
        other, home = elsewhere(tmp_path / "other"), tmp_path / "home"

        other.done("rebuild", here(sources), env=private_environ(home))

        assert [path.name for path in other.folder.iterdir()] == [".venv"]
        assert [path.name for path in (home / ".cache" / "kerasenv" / "work").iterdir()] == ["guard"]

    def test_again_it_is_only_proven(self, sources: Project) -> None:
        """It is the lock that counts, wherever it came from."""
        done = sources.done("rebuild", here(sources))

        assert "already there, made from this very lock" in done.stderr


def _installed(environment: Path) -> dict[str, tuple[int, bytes]]:
    """Return what is installed, without what speaks of the place and of how it was built."""
    (packages,) = environment.glob("Lib/site-packages" if sys.platform == "win32" else "lib/python*/site-packages")
    return {
        name: content
        for name, content in snapshot(packages).items()
        if not name.startswith(("_kerasenv", "_virtualenv"))
        and not re.fullmatch(r"(theano|antique)\S+[/\\](RECORD|uv_build.json)", name)
    }


class TestTheFile:
    def test_the_same_lock_gives_the_same_bytes(self, sources: Project, tmp_path: Path) -> None:
        """Whatever the home, the time zone, the locale and the umask; even of what is built."""
        first = here(sources)
        away = private_environ(tmp_path / "home") | {
            **{name: os.environ[name] for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL")},
            "TZ": "Pacific/Kiritimati",
            "LANG": "de_DE.UTF-8",
        }
        previous = os.umask(0o077)
        try:
            sources.done("bundle", "-o", "y.zip", "--python", MINOR, env=away)
        finally:
            os.umask(previous)

        assert (sources.folder / "y.zip").read_bytes() == first.read_bytes()

    def test_what_is_in_it(self, sources: Project, index: LocalIndex) -> None:
        data = sources.json("bundle", "-o", "x.zip", "--python", MINOR)["data"]

        with open_bundle(sources.folder / "x.zip") as bundle:
            names = list(bundle.manifest.files)
            assert bundle.lock.content == sources.lock.read_bytes()
        assert data["targets"] == [{"python": MINOR, "platform": data["targets"][0]["platform"]}]
        assert (data["lock"], data["wheels"], data["python"]) == ("pylock.tiny.toml", 7, None)
        assert sum(name.startswith("wheels/") for name in names) == 7
        assert [name.partition("-")[0] for name in data["built"]] == [f"built/{MINOR}"] * 2
        assert min(index.downloads) == "antique-1.0.tar.gz"

    def test_several_machines(self, made: Project, tmp_path: Path) -> None:
        words = [f"--platform={name}" for name in ("windows-x86_64", "macos-arm64")]
        made.done("bundle", "-o", tmp_path / "x.zip", "--python=3.12", "--python=3.13", *words)

        with zipfile.ZipFile(tmp_path / "x.zip") as archive:
            names = [name for name in archive.namelist() if "ml_dtypes" in name]
        assert [name.partition("0.6.0-")[2] for name in names] == [
            *("cp312-cp312-macosx_12_0_arm64.whl", "cp312-cp312-win_amd64.whl"),
            *("cp313-cp313-macosx_12_0_arm64.whl", "cp313-cp313-win_amd64.whl"),
        ]

    def test_every_python_of_the_lock_by_default(self, made: Project, tmp_path: Path) -> None:
        data = made.json("bundle", "-o", tmp_path / "x.zip")["data"]

        assert [target["python"] for target in data["targets"]] == ["3.10", "3.11", "3.12", "3.13", "3.14"]

    def test_its_name_by_default(self, sources: Project) -> None:
        done = sources.done("bundle", "--python", MINOR)

        assert "kerasenv rebuild tiny.zip" in done.stdout
        assert (sources.folder / "tiny.zip").is_file()

    def test_the_old_one_stays_until_the_new_one_is_good(self, own_project: Project, own_index: LocalIndex) -> None:
        own_project.done("create", "tiny", "--no-smoke")
        old = here(own_project).read_bytes()
        with own_index.trouble("numpy-*", status=500):
            error = own_project.refused("bundle", "-o", "x.zip", "--python", MINOR)

        assert "numpy-2.0-py2.py3-none-any.whl can't be downloaded" in error
        assert (own_project.folder / "x.zip").read_bytes() == old
        assert not own_project.leftovers()

    def test_from_another_index(self, made: Project, own_index: LocalIndex, tmp_path: Path) -> None:
        """The very same bytes."""
        here_ = ["--python", MINOR]
        made.done("bundle", "-o", tmp_path / "x.zip", *here_)
        own_index.forget()
        made.done("bundle", "-o", tmp_path / "y.zip", *here_, "--index-url", own_index.url)

        assert len(own_index.downloads) == 7
        assert (tmp_path / "x.zip").read_bytes() == (tmp_path / "y.zip").read_bytes()


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--python", "3.9"], "pylock.tiny.toml is not for CPython 3.9."),
            (["--python", "2.7"], "pylock.tiny.toml is not for CPython 2.7."),
            (["-o", "none/x.zip"], "There is no folder "),
            (["-o", "."], " is a folder."),
        ],
    )
    def test_what_can_not_be(self, words: list[str], expected: str, made: Project, index: LocalIndex) -> None:
        assert expected in made.refused("bundle", *words)
        assert not index.requests

    def test_what_is_there_and_is_no_bundle_stays(self, made: Project, tmp_path: Path) -> None:
        lock, other = made.lock.read_bytes(), tmp_path / "thesis.zip"
        other.write_bytes(b"years of work")

        assert "pylock.tiny.toml is the lock itself." in made.refused("bundle", "-o", made.lock)
        assert "thesis.zip is there already, and is no bundle." in made.refused("bundle", "-o", other)
        assert made.lock.read_bytes() == lock
        assert other.read_bytes() == b"years of work"

    @pytest.mark.parametrize("words", [["--python", "4.0"], ["--platform", "linux"]])
    def test_what_is_not_known(self, words: list[str], made: Project) -> None:
        assert "There is no " in made.refused("bundle", *words, code=2)

    def test_python_2(self, made: Project, tmp_path: Path) -> None:
        lock = tmp_path / "pylock.tiny.toml"
        text = re.sub(r'requires-python = ".*"', 'requires-python = ">=2.7"', made.lock.read_text("utf-8"))
        lock.write_text(text, "utf-8")

        error = Project(tmp_path).refused("bundle", "--python", "2.7")

        assert "There are no bundles for CPython 2.7, since uv installs what is in a bundle" in error

    def test_no_python_to_build_with(self, sources: Project, python: FindPython) -> None:
        """3.14 is among those of the lock, and rarely on a machine of today."""
        absent = next((one for one in ("3.14", "3.13", "3.12") if not _is_there(one, python)), None)
        if absent is None:
            pytest.skip("this machine has every Python that the lock is for")

        error = sources.refused("bundle", "--python", absent, "--python", MINOR)

        assert "building " in error
        assert f"hint: Or pack only for those that are there: --python {MINOR}" in error

    def test_a_source_that_can_not_be_built(self, own_project: Project, own_index: LocalIndex) -> None:
        Project.make(own_project.folder, **BUILDS)
        own_project.done("create", "tiny", "--no-smoke")
        own_index.remove("tiny_build-1*")

        error = own_project.refused("bundle", "--python", MINOR)

        assert "antique-1.0.tar.gz can't be built." in error

    def test_a_machine_it_is_not_for(self, made: Project, tmp_path: Path) -> None:
        platform = "macos-arm64" if sys.platform != "darwin" else "linux-x86_64"
        made.done("bundle", "-o", tmp_path / "x.zip", f"--platform={platform}", "--python=3.12")

        error = elsewhere(tmp_path / "other").refused("rebuild", tmp_path / "x.zip")

        assert "x.zip is not for " in error
        assert "it is for CPython 3.12 on " in error

    def test_an_engine_that_can_not(self, made: Project, tmp_path: Path) -> None:
        made.done("bundle", "-o", tmp_path / "x.zip", "--python", MINOR)

        error = elsewhere(tmp_path / "other").refused("rebuild", tmp_path / "x.zip", "--engine", "pip-tools", code=2)

        assert "A bundle is installed by uv." in error

    def test_one_that_was_changed(self, made: Project, tmp_path: Path) -> None:
        made.done("bundle", "-o", tmp_path / "x.zip", "--python", MINOR)
        content = bytearray((tmp_path / "x.zip").read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / "x.zip").write_bytes(content)
        other = elsewhere(tmp_path / "other")

        error = other.refused("rebuild", tmp_path / "x.zip")

        assert "x.zip is no bundle that can be trusted: it was changed since it was made" in error
        assert not list(other.folder.iterdir())


def _is_there(version: str, python: FindPython) -> bool:
    try:
        python(version)
    except pytest.skip.Exception:
        return False
    return True


class TestWithPython:
    def test_one_that_is_bound_to_its_folder(self, made: Project, tmp_path: Path) -> None:
        """As those of pyenv and of systems are."""
        error = made.refused("bundle", "-o", tmp_path / "x.zip", "--python", MINOR, "--with-python")

        assert f"No CPython {MINOR} of this machine can go into a bundle" in error
        assert "bound to its folder: " in error
        assert f"hint: Get one: uv python install {MINOR}" in error

    def test_several(self, made: Project, tmp_path: Path) -> None:
        error = made.refused("bundle", "-o", tmp_path / "x.zip", "--with-python")

        assert "A bundle holds one interpreter" in error

    @needs_no_network
    def test_it_comes_along(self, made: Project, tmp_path: Path, python: FindPython, home: Path) -> None:
        """It is uv that got it, from an archive of a Python of this machine."""
        (tmp_path / "archives").mkdir()
        variables = archive_for_uv(python("3.12"), tmp_path / "archives")
        install = [*uv_command(), "python", "install", "--no-bin", "3.12"]
        subprocess.run(install, env={**os.environ, **variables, "UV_PYTHON_DOWNLOADS": "manual"}, check=True)

        for name in ("x.zip", "y.zip"):
            made.done("bundle", "-o", tmp_path / name, "--python", "3.12", "--with-python")
        assert (tmp_path / "x.zip").read_bytes() == (tmp_path / "y.zip").read_bytes()
        assert os.fsencode(home) not in (tmp_path / "x.zip").read_bytes()

        other = elsewhere(tmp_path / "other")
        shutil.rmtree(home)
        words = ["unshare", "-n", *KERASENV, "rebuild", str(tmp_path / "x.zip")]
        environ = private_environ(tmp_path / "another home")
        done = subprocess.run(words, cwd=other.folder, env=environ, capture_output=True, check=False, encoding="utf-8")

        assert done.returncode == 0, done.stderr
        assert "from x.zip" in done.stderr
        base = say(other.environment, "import sys; print(sys.base_prefix)")
        assert Path(base).is_relative_to(tmp_path / "another home")
        assert say(other.environment, "import sys; print(sys.version_info[:2])") == "(3, 12)"
