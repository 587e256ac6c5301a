"""kerasenv python list and kerasenv python install, and how create gets a Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

from kerasenv.cli.options import downloads_from
from kerasenv.errors import UsageError
from kerasenv.interpreters.get import Downloads
from tests.project import Project, receipt_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.local_index import LocalIndex

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project on a machine that has one Python, the one that runs the tests; its profile `tiny` needs 3.7."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Project.make(
        tmp_path / "project",
        requires_python=">=3.6,<3.8",
        requirements=["tensorflow==1.15", "keras==2.3.1", "h5py<3"],
        smoke={"import": "keras", "formats": ["h5"]},
    )


@pytest.fixture
def source(conda_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine get a CPython 3.7."""
    pytest.importorskip("rattler", reason="py-rattler is not installed; it is in the group of what tests need")
    for name, value in conda_source.items():
        monkeypatch.setenv(name, value)


class TestList:
    def test_what_there_is_and_what_it_serves(self, machine: Project) -> None:
        done = machine.done("python", "list")

        first, serves = done.stdout.splitlines()[:2]
        assert first.startswith(f"CPython {MINOR}.")
        assert "(runs kerasenv)" in first
        assert "tf2-modern" in serves.split("serves")[1]
        assert "tiny" not in serves
        missing = next(line for line in done.stdout.splitlines() if line.endswith("kerasenv python install 3.7"))
        assert "tiny" in missing
        assert "tf1-legacy-standalone" in missing

    def test_what_programs_see(self, machine: Project) -> None:
        envelope = machine.json("python", "list")

        assert envelope["command"] == "python list"
        (row,) = envelope["data"]["pythons"]
        assert row.keys() == {"version", "source", "path", "profiles"}
        lacking = {one["version"]: one for one in envelope["data"]["lacking"]}
        assert "tiny" in lacking["3.7"]["profiles"]
        assert "tf2-modern" in row["profiles"]

    @pytest.mark.usefixtures("source")
    def test_what_was_got_is_listed(self, machine: Project) -> None:
        machine.done("python", "install", "3.7")

        rows = machine.json("python", "list")["data"]["pythons"]

        (got,) = [row for row in rows if row["source"] == "kerasenv"]
        assert got["version"].startswith("3.7.")
        assert {"tiny", "tf1-legacy-standalone"} <= set(got["profiles"])


class TestInstall:
    @pytest.mark.usefixtures("source")
    def test_it_gets_one(self, machine: Project, home: Path) -> None:
        done = machine.done("python", "install", "3.7")

        assert done.stdout.startswith("CPython 3.7.")
        assert f" is ready: {home}" in done.stdout
        assert "tf1-legacy-standalone" in done.stdout
        assert "Getting CPython 3.7: py-rattler downloads" in done.stderr

        again = machine.done("python", "install", "python3.7")
        assert "is already there (kerasenv)" in again.stdout

    @pytest.mark.parametrize("downloads", ["auto", "never"])
    def test_one_that_is_there(self, machine: Project, downloads: str) -> None:
        envelope = machine.json("python", "install", MINOR, env={"KERASENV_PYTHON_DOWNLOADS": downloads})

        assert not envelope["data"]["is_new"]
        assert envelope["data"]["python"]["source"] == "runs kerasenv"

    @pytest.mark.parametrize("version", ["3.99", "3", "4.0", "keras", ">=3.7", "3.5"])
    def test_one_that_nobody_knows(self, machine: Project, version: str) -> None:
        error = machine.refused("python", "install", version)

        assert f"There is no CPython {version} that kerasenv knows of." in " ".join(error.split())
        assert "3.14" in error

    def test_one_that_nobody_has(self, machine: Project) -> None:
        error = machine.refused("python", "install", "3.7", env={"KERASENV_CONDA_CHANNEL": "file:///nowhere"})

        assert error.startswith("CPython 3.7 could not be got.")
        assert "uv: it has no CPython older than 3.8" in error

    def test_the_command_alone(self, machine: Project) -> None:
        assert "kerasenv python --help" in machine.refused("python", code=2)


class TestCreate:
    @pytest.mark.usefixtures("source")
    def test_it_gets_the_python_that_it_needs(self, machine: Project, index: LocalIndex) -> None:
        assert not index.requests
        made = machine.done("create", "tiny", "--python-downloads", "auto")

        assert "Getting CPython 3.7: py-rattler downloads" in made.stderr
        assert "[got by py-rattler: " in made.stderr
        receipt = receipt_of(machine.environment)
        assert receipt["python_version"].startswith("3.7.")
        assert receipt["smoke"]["passed"]

        machine.done("rebuild", "pylock.tiny.toml", "again", env={"KERASENV_PYTHON_DOWNLOADS": "never"})
        assert receipt_of(machine.folder / "again")["python_path"] == receipt["python_path"]

    @pytest.mark.parametrize(
        ("words", "env", "why"),
        [
            ((), {}, "this is no terminal"),
            (("--python-downloads", "never"), {"KERASENV_PYTHON_DOWNLOADS": "auto"}, "--python-downloads is never"),
            ((), {"KERASENV_PYTHON_DOWNLOADS": "never"}, "KERASENV_PYTHON_DOWNLOADS is never"),
            ((), {"CI": "true"}, "CI is set"),
            (("--offline", "--python-downloads", "auto"), {}, "--offline"),
        ],
    )
    @pytest.mark.usefixtures("source")
    def test_with_downloads_off(self, machine: Project, words: tuple[str, ...], env: dict[str, str], why: str) -> None:
        error = " ".join(machine.refused("create", "tiny", *words, env=env).split())

        assert "profile tiny needs CPython >=3.6,<3.8; no such Python was found on this machine." in error
        assert f"kerasenv gets none by itself: {why}." in error
        assert "hint: kerasenv python install 3.7 (py-rattler downloads 20 to 80 MB from " in error
        assert "--python-downloads auto" in error
        assert sorted(path.name for path in machine.folder.iterdir()) == ["profiles"]

    def test_what_is_neither(self, machine: Project) -> None:
        error = machine.refused("create", "tiny", "--python-downloads", "maybe", code=2)

        assert error.startswith("--python-downloads is 'maybe'.")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
class TestTheDefault:
    @pytest.fixture
    def terminal(self) -> Iterator[TextIO]:
        """Return a terminal, for standard input and standard error alike."""
        ours, theirs = os.openpty()
        with os.fdopen(theirs) as tty:
            yield tty
        os.close(ours)

    @pytest.fixture
    def sit_down(self, terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Return what lets this process run on a terminal; to be called in the test, since pytest changes its files."""

        def patch() -> None:
            monkeypatch.setattr(sys, "stdin", terminal)
            monkeypatch.setattr(sys, "stderr", terminal)

        return patch

    def test_on_a_terminal_it_is_got(self, sit_down: Callable[[], None]) -> None:
        sit_down()

        assert downloads_from(None, offline=False) == Downloads(allowed=True, why="this is a terminal")

    def test_where_the_other_end_is_no_terminal_it_is_not(
        self, sit_down: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sit_down()
        with Path(os.devnull).open() as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)

            assert not downloads_from(None, offline=False).allowed

    def test_in_ci_it_is_not(self, sit_down: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
        sit_down()
        monkeypatch.setenv("CI", "1")

        assert not downloads_from(None, offline=False).allowed
        assert downloads_from("auto", offline=False).allowed

    def test_the_variable_counts_before_the_terminal(
        self, sit_down: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sit_down()
        monkeypatch.setenv("KERASENV_PYTHON_DOWNLOADS", "never")

        assert not downloads_from(None, offline=False).allowed
        assert downloads_from("auto", offline=False).allowed

    def test_offline_nothing_is_got(self) -> None:
        assert not downloads_from("auto", offline=True).allowed

    def test_a_variable_that_is_neither(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERASENV_PYTHON_DOWNLOADS", "ask")

        with pytest.raises(UsageError, match="KERASENV_PYTHON_DOWNLOADS is 'ask'"):
            downloads_from(None, offline=False)
