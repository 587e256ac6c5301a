from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv.errors import InterpreterError
from kerasenv.interpreters import find
from kerasenv.interpreters.finders import kept, running
from kerasenv.interpreters.get import Downloads, find_or_get
from kerasenv.interpreters.provide import get_python
from tests.programs import start_kerasenv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kerasenv.interpreters.interpreter import Interpreter

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
AUTO = Downloads(allowed=True, why="a test")
NEVER = Downloads(allowed=False, why="a test")

posix = pytest.mark.skipif(sys.platform == "win32", reason="scripts are no programs on Windows")


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be no Python but the one that runs the tests, and neither conda nor pyenv."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


@pytest.fixture
def sources(
    uv_source: Mapping[str, str], conda_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """Let uv offer a 3.8 and the conda channel a 3.7."""
    pytest.importorskip("rattler", reason="py-rattler is not installed; it is in the group of what tests need")
    for name, value in (both := {**uv_source, **conda_source}).items():
        monkeypatch.setenv(name, value)
    return both


def wanted(requires: str, downloads: Downloads = AUTO, request: str | None = None) -> Interpreter:
    return find_or_get(SpecifierSet(requires), request=request, who="profile tiny", downloads=downloads)


def refused(requires: str, downloads: Downloads = AUTO, request: str | None = None) -> InterpreterError:
    with pytest.raises(InterpreterError) as caught:
        wanted(requires, downloads, request)
    assert type(caught.value) is InterpreterError, "programs know the error by its name"
    return caught.value


def stand_in_for_conda(place: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program on PATH that makes a prefix with a link to a Python."""
    monkeypatch.setenv("PATH", os.pathsep.join((str(place.parent), "/usr/bin", "/bin")))
    place.write_text(
        "#!/bin/sh\n"
        "for word; do case $word in --prefix=*) prefix=${word#*=};; esac; done\n"
        f'mkdir -p "$prefix/bin" && ln -s {shlex.quote(str(python))} "$prefix/bin/python"\n'
    )
    place.chmod(0o755)


def prepared() -> set[str]:
    """Return what lies in the folder of Pythons, but for locks, which stay."""
    return {path.name for path in kept.pythons_folder().glob("*") if path.suffix != ".lock"}


class TestGetting:
    def test_what_is_there_is_taken(self) -> None:
        assert wanted(f"=={MINOR}.*").source == "runs kerasenv"
        assert not kept.pythons_folder().exists()

    @pytest.mark.usefixtures("sources")
    def test_what_is_missing_is_got_and_found_next_time(self, home: Path) -> None:
        first = wanted(">=3.6,<3.8")

        assert (first.minor, first.source) == ("3.7", "got by py-rattler")
        assert first.path.is_relative_to(home / ".local" / "share" / "kerasenv" / "pythons")
        second = wanted(">=3.6,<3.8", NEVER)
        assert (second.path, second.source) == (first.path, "kerasenv")

    @pytest.mark.usefixtures("sources")
    def test_the_newest_that_fits_is_got(self) -> None:
        """And from uv, which comes first where it has one."""
        assert wanted(">=3.6,<3.9").source == "got by uv"

    @pytest.mark.usefixtures("sources")
    def test_what_was_asked_for_by_its_version(self) -> None:
        assert wanted(">=3.6,<3.9", request="3.7").minor == "3.7"

    @pytest.mark.usefixtures("sources")
    def test_what_is_got_but_does_not_fit(self) -> None:
        error = refused(">=3.7.90,<3.8")

        assert error.message.startswith("profile tiny needs CPython >=3.7.90,<3.8; no such Python was found")
        assert "The newest CPython 3.7 that could be got is 3.7." in error.message

    def test_a_path_that_leads_nowhere_gets_nothing(self) -> None:
        assert refused(">=3.6,<3.8", request="./no/python").message == "There is no no/python."

    def test_what_no_python_can_be(self) -> None:
        error = refused("<1")

        assert error.message == "profile tiny needs CPython <1; no such Python was found on this machine."
        assert error.hints == ()

    def test_what_is_still_to_come_is_not_tried(self) -> None:
        """No lock is for it, and `kerasenv python install` doesn't know it."""
        error = refused(">=3.97")

        assert not any("kerasenv" in hint for hint in error.hints)
        assert not kept.pythons_folder().exists()


class TestNever:
    def test_one_clear_error_with_the_commands_to_type(self) -> None:
        pytest.importorskip("rattler", reason="py-rattler is not installed; it is in the group of what tests need")

        error = refused(">=3.6,<3.8", Downloads(allowed=False, why="this is no terminal"))

        assert error.message == (
            "profile tiny needs CPython >=3.6,<3.8; no such Python was found on this machine. "
            "kerasenv gets none by itself: this is no terminal."
        )
        assert error.hints[:2] == (
            "kerasenv python install 3.7    (py-rattler downloads 20 to 80 MB from conda-forge)",
            "Or let the same command do that: --python-downloads auto",
        )
        assert any(hint.startswith("conda create ") for hint in error.hints)
        assert any(hint.startswith("pyenv install 3.7 ") for hint in error.hints)
        assert not kept.pythons_folder().exists()

    def test_a_machine_with_nothing_but_too_new_a_python(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Such as 3.14, for which there is no TensorFlow; no machine of the developers has just that one."""
        newest = tmp_path / "python3.14"
        said = {"version": "3.14.2", "implementation": "CPython", "bits": 64, "abi_flags": "", "markers": {}}
        facts = json.dumps(said)
        newest.write_text(f"#!/bin/sh\necho {shlex.quote(facts)}\n")
        newest.chmod(0o755)
        monkeypatch.setattr(find, "_FINDERS", (running,))
        monkeypatch.setattr(running, "candidates", lambda _: [newest])

        error = refused(">=3.10,<3.14", NEVER)

        assert error.looked_at[0] == f"3.14.2 (runs kerasenv): {newest}"
        assert error.hints[0] == "kerasenv python install 3.13    (uv downloads about 30 MB)"
        assert "uv python install 3.13" in error.hints

    def test_nobody_can_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then what to install first is told, and nothing that would fail."""
        monkeypatch.setitem(sys.modules, "rattler", None)

        error = refused(">=3.6,<3.8", AUTO)

        assert error.hints[0].startswith(f"{sys.executable} -m pip install py-rattler ")
        assert not any("kerasenv python install" in hint for hint in error.hints)


class TestEveryProviderFails:
    @pytest.mark.usefixtures("sources")
    def test_each_says_why(self) -> None:
        error = refused("==3.6.*")

        assert error.message == (
            "profile tiny needs CPython ==3.6.*; no such Python was found on this machine. "
            "CPython 3.6 could not be got."
        )
        said = "\n".join(error.looked_at)
        assert "(runs kerasenv)" in said
        assert "uv: it has no CPython older than 3.8" in said
        assert "conda: none of micromamba, mamba, conda is on PATH" in said
        assert "py-rattler could not get CPython 3.6.\n" in said
        assert "pyenv: it is not on PATH" in said
        assert not prepared()

    @pytest.mark.usefixtures("sources")
    def test_the_next_one_is_tried(self) -> None:
        """The list of uv here has 3.8 alone, and the channel only 3.7."""
        with pytest.raises(InterpreterError) as caught:
            get_python(Version("3.9"))

        said = [line for line in caught.value.looked_at if not line.startswith(" ")]
        assert said == [
            "uv could not get CPython 3.9.",
            "conda: none of micromamba, mamba, conda is on PATH",
            "py-rattler could not get CPython 3.9.",
            "pyenv: it is not on PATH",
        ]
        assert not prepared()


class TestWholeOrNotAtAll:
    @pytest.mark.usefixtures("sources")
    def test_half_of_one_is_never_taken(self) -> None:
        """As a run leaves it that was killed: the folder is there and the interpreter works, but for the mark."""
        first = get_python(Version("3.7"))
        name = "3.7-py-rattler"
        kept.unmark(name)
        rest = kept.pythons_folder() / name / "rest"
        rest.touch()

        assert not list(kept.candidates(SpecifierSet()))
        assert get_python(Version("3.7")).path == first.path
        assert not rest.exists(), "it was made anew"

    @pytest.mark.usefixtures("sources")
    def test_one_whose_interpreter_is_gone_is_made_anew(self) -> None:
        first = get_python(Version("3.7"))
        first.path.unlink()

        assert not list(kept.candidates(SpecifierSet()))
        assert get_python(Version("3.7")) == first

    @posix
    @pytest.mark.usefixtures("sources")
    def test_one_that_no_longer_starts_is_made_anew(self) -> None:
        """As after an upgrade of the system, which took a library away."""
        first = get_python(Version("3.7"))
        first.path.unlink()
        first.path.write_text("#!/bin/sh\nexit 127\n")
        first.path.chmod(0o755)

        assert get_python(Version("3.7")) == first

    @posix
    @pytest.mark.usefixtures("sources")
    def test_one_that_no_longer_starts_stays_if_no_other_can_be_had(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may start again, and environments were made from it."""
        first = get_python(Version("3.7"))
        whole = first.path.read_bytes()
        first.path.unlink()
        first.path.write_text("#!/bin/sh\nexit 127\n")
        first.path.chmod(0o755)
        monkeypatch.setenv("KERASENV_CONDA_CHANNEL", "file:///nowhere")

        with pytest.raises(InterpreterError):
            get_python(Version("3.7"))
        first.path.write_bytes(whole)

        assert get_python(Version("3.7")) == first
        assert prepared() == {"3.7-py-rattler", "3.7-py-rattler.json"}

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": "x", "python": "x"}', '{"version": 3}'])
    def test_a_mark_that_nobody_can_read(self, content: str) -> None:
        kept.pythons_folder().mkdir(parents=True)
        (kept.pythons_folder() / "3.7-uv.json").write_text(content)

        assert not list(kept.candidates(SpecifierSet()))

    @pytest.mark.usefixtures("sources")
    def test_two_at_the_same_time_get_one(self, tmp_path: Path) -> None:
        words = ("python", "install", "3.7", "--json")
        started = [start_kerasenv(*words, cwd=tmp_path) for _ in range(2)]

        answers = [json.loads(process.communicate(timeout=120)[0]) for process in started]

        assert [answer["status"] for answer in answers] == ["ok", "ok"]
        assert len({answer["data"]["python"]["path"] for answer in answers}) == 1
        assert prepared() == {"3.7-py-rattler", "3.7-py-rattler.json"}

    @posix
    def test_who_is_interrupted_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path / "bin"), "/usr/bin", "/bin")))
        slow = tmp_path / "bin" / "conda"
        slow.write_text(
            "#!/bin/sh\n"
            "for word; do case $word in --prefix=*) prefix=${word#*=};; esac; done\n"
            'mkdir -p "$prefix/bin" && echo half of it is there && exec sleep 60\n'
        )
        slow.chmod(0o755)

        with start_kerasenv("python", "install", "2.7", "--verbose", cwd=tmp_path) as process:
            assert process.stderr is not None
            assert any("half of it is there" in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)

        assert process.returncode == 128 + signal.SIGTERM, said
        assert "Interrupted" in said
        assert not prepared()

    @posix
    def test_what_is_not_what_was_asked_for_is_refused(
        self, tmp_path: Path, python37: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A channel of somebody's own can hold anything."""
        monkeypatch.setitem(sys.modules, "rattler", None)
        stand_in_for_conda(tmp_path / "bin" / "conda", python37, monkeypatch)

        with pytest.raises(InterpreterError) as caught:
            get_python(Version("3.6"))

        said = "\n".join(caught.value.looked_at)
        assert "conda was asked for CPython 3.6 and gave CPython 3.7." in said
        assert not prepared()

    @posix
    def test_one_of_conda_is_kept_as_well(
        self, tmp_path: Path, python37: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stand_in_for_conda(tmp_path / "bin" / "conda", python37, monkeypatch)

        got = get_python(Version("3.7"))

        assert got.source == "got by conda"

        assert list(kept.candidates(SpecifierSet("==3.7.*"))) == [got.path]
        assert not list(kept.candidates(SpecifierSet("==3.8.*")))

    def test_a_folder_that_can_not_be_made(self, home: Path) -> None:
        (home / ".local").write_text("no folder")

        error = refused(">=3.6,<3.9")

        assert any(str(home) in line for line in error.looked_at)
