from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv.errors import InterpreterError
from kerasenv.interpreters.find import find_all, find_interpreter, inspect
from kerasenv.interpreters.finders import path, pyenv, running

if TYPE_CHECKING:
    from tests.conftest import FindPython

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
FULL = ".".join(map(str, sys.version_info[:3]))
ANY = SpecifierSet()
NO_PYTHON = SpecifierSet(">=3.98")

posix = pytest.mark.skipif(sys.platform == "win32", reason="scripts are no programs on Windows")


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be found but what a test offers, and the Python that runs the tests."""
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


class Pyenv:
    """A pyenv root, where Pythons can be put in."""

    def __init__(self, root: Path) -> None:
        self.versions = root / "versions"
        (root / "shims").mkdir(parents=True)
        self.versions.mkdir()

    def add(self, name: str, python: Path | None = None) -> Path:
        """Add a version: a link to a real Python, or a folder without one; return where its Python is or would be."""
        folder = self.versions / name / "bin"
        folder.mkdir(parents=True)
        if python is not None:
            (folder / "python").symlink_to(python)
        return folder / "python"


@pytest.fixture
def pyenv_root(tmp_path: Path) -> Pyenv:
    return Pyenv(tmp_path / "pyenv")


def script(place: Path, *lines: str) -> Path:
    """Write a program that only looks like a Python."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join(("#!/bin/sh", *lines, "")))
    place.chmod(0o755)
    return place


def pretending(place: Path, **facts: Any) -> Path:
    """Write a program that answers as another Python would."""
    real = inspect(Path(sys.executable), source="")
    table = {
        "version": FULL,
        "implementation": "CPython",
        "bits": 64,
        "abi_flags": "",
        "markers": dict(real.markers),
    } | facts
    return script(place, f"printf '%s\\n' {shlex.quote(json.dumps(table))}")


def find(requires: str = "", request: str | Path | None = None) -> str:
    """Return the version and the source of what is found."""
    found = find_interpreter(
        SpecifierSet(requires), request=None if request is None else str(request), who="profile tiny"
    )
    return f"{found.version} of {found.source}"


def refused(requires: str = "", request: str | Path | None = None) -> InterpreterError:
    """Return the error that there must be."""
    with pytest.raises(InterpreterError) as caught:
        find(requires, request)
    return caught.value


class TestWithoutRequest:
    def test_the_python_that_runs_kerasenv_comes_first(self, pyenv_root: Pyenv) -> None:
        pyenv_root.add("3.99.0", Path(sys.executable))

        found = find_interpreter(ANY, who="profile tiny")

        assert found.source == "runs kerasenv"
        assert found.version == Version(FULL)
        assert found.bits == 64
        assert found.markers["python_version"] == MINOR
        assert found.path == Path(getattr(sys, "_base_executable", sys.executable))
        assert found.platform is not None
        assert str(found) == f"CPython {FULL} (runs kerasenv)"

    def test_else_one_of_pyenv(self, pyenv_root: Pyenv, python37: Path) -> None:
        pyenv_root.add(python37.parents[1].name, python37)

        assert find(">=3.6,<3.8") == f"{python37.parents[1].name} of pyenv"

    def test_one_on_the_path_before_it(
        self, pyenv_root: Pyenv, python37: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pyenv_root.add(python37.parents[1].name, python37)
        monkeypatch.setenv("PATH", str(python37.parent))

        assert find(">=3.6,<3.8") == f"{python37.parents[1].name} of PATH"

    def test_none(self) -> None:
        error = refused(">=3.98")

        assert error.message == "profile tiny needs CPython >=3.98; no such Python was found on this machine."
        assert error.looked_at == (f"{FULL} (runs kerasenv): {find_interpreter(ANY, who='').path}",)


class TestPyenv:
    def test_folders_that_hold_no_python_are_passed_over(self, pyenv_root: Pyenv, python37: Path) -> None:
        """A build that broke off, a link to what went away, PyPy, an environment of pyenv-virtualenv, a file."""
        name = python37.parents[1].name
        pyenv_root.add("3.7.99")
        pyenv_root.add("3.7.98", python37.with_name("gone"))
        pyenv_root.add("pypy3.7-7.3.9", python37)
        pyenv_root.add("my project", python37)
        (pyenv_root.versions / "3.7.97").touch()
        script(pyenv_root.add("3.7.96"), "echo hello")
        script(pyenv_root.add("3.7.95"), "exit 127")
        pyenv_root.add(name, python37)

        assert find("==3.7.*") == f"{name} of pyenv"

    def test_the_newest_first_by_number(self, pyenv_root: Pyenv) -> None:
        for name in ("3.7.2", "3.7.10", "3.6.15", "3.8.0rc1", "2.7.18"):
            pyenv_root.add(name)

        found = [place.parents[1].name for place in pyenv.candidates(SpecifierSet(">=3.7"))]

        assert found == ["3.8.0rc1", "3.7.10", "3.7.2"]

    def test_a_folder_that_lies_about_its_version(self, pyenv_root: Pyenv, python37: Path) -> None:
        pyenv_root.add("3.97.0", python37)

        error = refused(">=3.97")

        assert any("is CPython 3.7" in line and "needs CPython >=3.97" in line for line in error.looked_at)

    def test_without_pyenv(self) -> None:
        assert list(pyenv.candidates(ANY)) == []


@posix
class TestPath:
    def test_shims_are_passed_over(self, python37: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They fail for versions that aren't switched on, and show no other Python than pyenv itself does."""
        shim = script(tmp_path / "pyenv" / "shims" / "python3.7", f": > {tmp_path}/started", f'exec {python37} "$@"')
        monkeypatch.setenv("PATH", os.pathsep.join([str(shim.parent), "", str(python37.parent)]))

        found = list(path.candidates(SpecifierSet("==3.7.*")))

        assert len(found) == 1
        assert found[0].resolve() == python37.resolve()
        assert not (tmp_path / "started").exists()

    @posix
    @pytest.mark.parametrize(
        ("name", "requires", "started"),
        [
            ("python3.90", ">=3.90", True),
            ("python3.90", "==3.90.4", True),
            ("python3.90", "==3.90.0a1", True),
            ("python3.90", "<3.90.1", True),
            ("python3.90", "", True),
            ("python3.90", ">=3.89,<3.90", False),
            ("python3.90", ">=3.91", False),
            ("python3.90t", ">=3.91", False),
            ("python3", ">=3.91", True),
            ("python", ">=3.91", True),
        ],
    )
    def test_one_is_started_unless_its_name_says_another_version(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, requires: str, *, started: bool
    ) -> None:
        place = script(tmp_path / "real" / name, f": > {tmp_path}/started", "exit 1")
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python3").symlink_to(place)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

        list(path.candidates(SpecifierSet(requires)))

        assert (tmp_path / "started").exists() is started

    @posix
    def test_a_folder_that_has_two_names_is_looked_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script(tmp_path / "bin" / "python3.90", f"echo started >> {tmp_path}/starts", "exit 2")
        (tmp_path / "link").symlink_to("bin")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        list(path.candidates(SpecifierSet(">=3.90")))
        once = (tmp_path / "starts").read_text()
        (tmp_path / "starts").unlink()

        monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "link")]))
        list(path.candidates(SpecifierSet(">=3.90")))

        assert (tmp_path / "starts").read_text() == once

    @posix
    def test_those_of_uv_are_not_called_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        uvs = script(tmp_path / "uv" / "cpython-3.90.1-linux-x86_64-gnu" / "bin" / "python", f": > {tmp_path}/started")
        script(tmp_path / "bin" / "python3", "exit 1")
        monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(uvs.parents[2]))
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

        assert not list(path.candidates(SpecifierSet(">=3.90")))
        assert not (tmp_path / "started").exists()

    def test_without_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PATH")

        assert isinstance(list(path.candidates(NO_PYTHON)), list)


def test_one_that_runs_kerasenv_is_offered_only_if_it_is_wanted() -> None:
    assert len(list(running.candidates(ANY))) == 1
    assert not list(running.candidates(NO_PYTHON))


def test_each_python_is_listed_once(pyenv_root: Pyenv, python37: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyenv_root.add(python37.parents[1].name, python37)
    pyenv_root.add("3.7.99", python37)
    monkeypatch.setenv("PATH", str(python37.parent))

    found = [one for one in find_all(ANY) if one.minor == "3.7"]

    assert len(found) == 1


class TestRequest:
    @pytest.mark.parametrize(
        "request_", [MINOR, FULL, f"python{MINOR}", f"CPython{MINOR}", f"python{FULL}", f"=={MINOR}.*", f"~={MINOR}.0"]
    )
    def test_a_version(self, request_: str) -> None:
        assert find(request=request_) == f"{FULL} of runs kerasenv"

    def test_a_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python37: Path) -> None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "my-python").symlink_to(python37)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)

        for request in (python37, python37.parents[1], "home/my-python", "~/my-python"):
            assert find(request=request) == f"{python37.parents[1].name} of --python"

    @posix
    def test_a_program_by_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python37: Path) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "my-python").symlink_to(python37)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

        assert find(request="my-python").endswith(" of --python")

    def test_a_folder_that_holds_a_python(self) -> None:
        """Such as another environment; the profile's range still counts."""
        folder = Path(sys.executable).parents[1]

        assert find(request=folder) == f"{FULL} of --python"
        assert f"is CPython {FULL}; profile tiny needs CPython <3" in refused("<3", folder).message

    @pytest.mark.parametrize(
        ("request_", "said"),
        [
            ("nowhere/python", "There is no nowhere"),
            ("no python!", "--python no python! is no path, no version and no version specifier."),
            (">=3,", "needs CPython"),
            ("folder/", "The folder folder holds no Python."),
        ],
    )
    def test_what_is_no_python(self, tmp_path: Path, request_: str, said: str) -> None:
        (tmp_path / "folder").mkdir()

        assert said in refused(">=3.98", request_).message

    def test_a_version_that_is_there_but_does_not_fit(self) -> None:
        """Not that it wasn't found: it was."""
        error = refused(">=3.6,<3.8", MINOR)

        assert error.message == f"--python {MINOR} is CPython {FULL}; profile tiny needs CPython >=3.6,<3.8."
        assert error.hints == ("Leave --python out, and kerasenv looks for one that fits.",)

    def test_a_version_that_is_not_there(self) -> None:
        error = refused(">=3.6,<3.8", "3.7.2")

        assert "profile tiny needs CPython >=3.6,<3.8 and --python asks for 3.7.2; no such Python" in error.message
        assert error.hints[0].startswith("pyenv install 3.7.2 ")

    def test_a_version_that_is_neither_there_nor_fits(self) -> None:
        error = refused(">=3.6,<3.8", "3.97")

        assert "and --python asks for 3.97; no such Python was found" in error.message
        assert error.hints[0].startswith("pyenv install 3.7 ")


@posix
class TestWhatItSays:
    @pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
    def test_it_is_what_its_own_platform_module_says(self, python: FindPython, version: str) -> None:
        executable = python(version)
        program = (
            "import json, platform; print(json.dumps([platform.python_implementation(), platform.python_version(),"
            " platform.system(), platform.machine(), platform.release(), platform.version()]))"
        )
        said = json.loads(subprocess.check_output([executable, "-c", program]))

        facts = inspect(executable, source="here")

        names = ("system", "machine", "release", "version")
        markers = [facts.markers[f"platform_{name}"] for name in names]
        assert [facts.implementation, facts.markers["python_full_version"], *markers] == said
        assert facts.markers["python_version"] == version
        assert facts.markers["platform_python_implementation"] == "CPython"


class TestStrangers:
    def test_pypy_is_refused(self, tmp_path: Path) -> None:
        """Wheels of TensorFlow are built for CPython alone."""
        stranger = pretending(tmp_path / "pypy", implementation="PyPy")

        assert refused(request=stranger).message == (
            f"{stranger} is PyPy; profile tiny needs CPython, since its wheels are built for that."
        )

    def test_32_bits_are_refused(self, tmp_path: Path) -> None:
        stranger = pretending(tmp_path / "python32", bits=32)

        assert refused(request=stranger).message == (
            f"{stranger} is a 32-bit Python; profile tiny needs one of 64 bits."
        )

    @pytest.mark.parametrize(
        "lines",
        [
            ["echo hello"],
            ["echo '[]'"],
            ["echo '{}'"],
            ["echo null"],
            ['echo \'{"version": "one", "implementation": "CPython", "bits": 64, "markers": {}}\''],
            ["exit 3"],
            ["echo oh dear >&2; exit 1"],
        ],
        ids=str,
    )
    def test_what_does_not_answer_as_a_python(self, tmp_path: Path, lines: list[str]) -> None:
        stranger = script(tmp_path / "stranger", *lines)

        error = refused(request=stranger)

        assert error.message == f"{stranger} can't be used: it did not answer as a Python does."
        if "oh dear" in lines[0]:
            assert error.looked_at == ("oh dear",)

    def test_what_can_not_be_started(self, tmp_path: Path) -> None:
        (tmp_path / "stranger").write_text("I am no program")

        assert f"{tmp_path / 'stranger'} could not be started" in refused(request=tmp_path / "stranger").message

    def test_its_own_settings_do_not_reach_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"):
            monkeypatch.setenv(name, str(tmp_path))

        assert inspect(Path(sys.executable), source="here").version == Version(FULL)


class TestHints:
    @pytest.mark.parametrize(
        ("requires", "version"),
        [
            (">=3.6,<3.8", "3.7"),
            (">=3.14", "3.14"),
            ("", "3.14"),
            (">=3.15", "3.15"),
            (">=3.14.100", "3.15"),
            ("==2.7.*", "2.7"),
            ("<3", "2.7"),
            ("==3.11.2", "3.11.2"),
            (">=3.9,<3.11.5", "3.11.4"),
            ("!=3.13.*,!=3.14.*,<3.15", "3.12"),
        ],
    )
    def test_the_newest_python_that_is_known_and_fits(self, requires: str, version: str) -> None:
        error = refused(f"{requires},!={FULL}" if requires else f"!={FULL}", "==3.97.*")

        ways = [hint.split("    ")[0] for hint in error.hints]
        assert f"pyenv install {version}" in ways
        assert f"conda create -n py{version} python={version}" in ways
        assert (f"uv python install {version}" in ways) == (Version(version) >= Version("3.8"))

    def test_none_for_what_no_python_can_be(self) -> None:
        assert refused("<1").hints == ()

    def test_every_python_of_today(self, python: FindPython) -> None:
        """What is hinted at can really be found afterwards."""
        assert find("==3.12.*", python("3.12")).startswith("3.12.")
