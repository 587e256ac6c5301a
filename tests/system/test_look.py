"""What a system has, asked of real interpreters; the one library that every Linux surely has is the C library."""

from __future__ import annotations

import ctypes.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.errors import SystemNeedError
from kerasenv.interpreters.find import inspect
from kerasenv.system import look as looking
from kerasenv.system.look import advice, look
from kerasenv.system.need import SystemNeed
from kerasenv.system.packages import System
from tests.project import Project, receipt_of, say

if TYPE_CHECKING:
    from kerasenv.interpreters.interpreter import Interpreter
    from tests.conftest import FindPython
    from tests.local_index import LocalIndex

LIBC = ctypes.util.find_library("c") or ""
NONE = "libkerasenv-nobody-has.so.1"
LIBRARY = SystemNeed(
    name="Nobody's library", because="import fails", libraries={NONE: ()}, packages={"apt": "libnobody1"}
)
PROGRAM = SystemNeed(
    name="nobody's compiler",
    because="it takes longer",
    needed=False,
    programs=("kerasenv-nobody-has",),
    packages={"apt": "nobody-{python}"},
    without={"TINY_FLAGS": "base={env},cxx="},
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has libraries with such names")


@pytest.fixture(autouse=True)
def _debian(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine calls its packages."""
    debian = System(title="Debian", managers=("apt",), root=True)
    monkeypatch.setattr(looking, "this_system", lambda: debian)


@pytest.fixture(params=["2.7", "3.6", "3.13", "own"])
def interpreter(request: pytest.FixtureRequest, python: FindPython) -> Interpreter:
    """Return old and new ones: the probe runs in each."""
    own = request.param == "own"
    return inspect(Path(sys.executable) if own else python(request.param), source="test")


@pytest.fixture
def here() -> Interpreter:
    return inspect(Path(sys.executable), source="test")


def test_nothing_is_asked_where_nothing_is_needed(here: Interpreter) -> None:
    nowhere = replace(here, path=Path("/nowhere/python"))

    assert look([], nowhere).missing == ()
    assert look([replace(LIBRARY, platforms=("windows-x86_64", "macos-arm64"))], nowhere).missing == ()


@linux
class TestLibraries:
    def test_one_that_is_there_needs_no_link(self, interpreter: Interpreter) -> None:
        found = look([SystemNeed(name="C", because="", libraries={LIBC: ()})], interpreter)

        assert (found.missing, found.links) == ((), ())
        assert Path(found.present[0]).name == LIBC

    def test_one_that_stands_in_for_another_gets_its_name(self, interpreter: Interpreter) -> None:
        need = SystemNeed(name="C", because="", libraries={NONE: ("libkerasenv-neither.so", LIBC)}, links="tiny/libs")

        (link,) = look([need], interpreter).links

        assert link.path == f"tiny/libs/{NONE}"
        assert link.target.is_absolute()
        assert link.target.name == LIBC
        ctypes.CDLL(str(link.target))

    def test_one_that_only_the_interpreter_finds_is_linked_under_its_own_name(self, interpreter: Interpreter) -> None:
        need = SystemNeed(name="C", because="", libraries={LIBC: (LIBC,)}, links="tiny/libs")

        assert [link.path for link in look([need], interpreter).links] == [f"tiny/libs/{LIBC}"]

    def test_a_file_of_that_name_that_is_no_library_does_not_count(
        self, here: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A search by names alone would be content with it."""
        (tmp_path / NONE).write_bytes(b"\x7fELF")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

        with pytest.raises(SystemNeedError) as caught:
            look([LIBRARY], here)

        assert any("file too short" in line for line in caught.value.looked_at)

    def test_without_it_nothing_goes_on(self, here: Interpreter) -> None:
        with pytest.raises(SystemNeedError) as caught:
            look([PROGRAM, LIBRARY], here)

        assert caught.value.message == "Nobody's library is missing on this system, and without it: import fails."
        assert caught.value.looked_at[0].startswith(f"{NONE}: cannot open shared object file")
        assert caught.value.looked_at[-1] == "system Debian"
        assert caught.value.hints[0] == "Install it: apt-get install libnobody1"

    def test_where_its_package_is_not_known_others_are_named(
        self, here: Interpreter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(looking, "this_system", lambda: System(title="Slackware"))

        with pytest.raises(SystemNeedError) as caught:
            look([LIBRARY], here)

        assert caught.value.hints == ("Install Nobody's library; elsewhere it is called libnobody1 (apt)",)


class TestHeaders:
    def test_they_are_those_of_the_interpreter(self, interpreter: Interpreter, tmp_path: Path) -> None:
        need = SystemNeed(name="headers", because="slow", needed=False, headers=("Python.h", "nobody.h"))

        found = look([need], interpreter)

        assert [one.need for one in found.missing] == [need]
        assert any(line.endswith("nobody.h: not there") for line in found.missing[0].looked_at)
        assert not any(str(tmp_path) in line for line in found.missing[0].looked_at)


class TestPrograms:
    def test_one_of_them_is_enough(self, here: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
        own = Path(sys.executable)
        monkeypatch.setenv("PATH", str(own.parent))

        found = look([replace(PROGRAM, programs=("kerasenv-nobody-has", own.name))], here)

        assert (found.missing, found.variables) == ((), {})

    def test_without_it_things_go_on_in_another_way(self, here: Interpreter) -> None:
        found = look([PROGRAM], here)

        assert found.variables == {"TINY_FLAGS": "base={env},cxx="}
        assert found.told == "no nobody's compiler"
        assert advice(found.missing[0], here) == (
            "nobody's compiler is not here: it takes longer. "
            f"Install it with `apt-get install nobody-{here.minor}`, and make the environment anew (--force)."
        )


def row(need: SystemNeed) -> dict[str, object]:
    """Return a need as a row of a profile."""
    rows = {"libraries": {name: list(others) for name, others in need.libraries.items()}, "links": need.links}
    own = {"programs": list(need.programs), "without": dict(need.without), "needed": need.needed}
    said = {"name": need.name, "because": need.because, "seen": "here", **rows, **own}
    return {key: value for key, value in said.items() if value not in ({}, [], None)}


class TestCreateAndRebuild:
    @linux
    def test_without_a_library_nothing_is_fetched_or_made(self, tmp_path: Path, index: LocalIndex) -> None:
        project = Project.make(tmp_path / "project", system=[row(LIBRARY)])

        error = project.refused("create", "tiny")

        assert error.startswith("Nobody's library is missing on this system")
        assert index.requests == []
        assert sorted(path.name for path in project.folder.iterdir()) == ["profiles"]

    @linux
    def test_a_lock_alone_knows_of_it(self, tmp_path: Path, index: LocalIndex) -> None:
        """And a library that stands in for another is where packages look for it."""
        need = SystemNeed(name="C", because="import fails", libraries={NONE: (LIBC,)}, links="tiny/libs")
        project = Project.make(tmp_path / "project", system=[row(need), row(PROGRAM)])
        done = project.done("create", "tiny", "--no-smoke")
        clone = Project(tmp_path / "clone")
        clone.folder.mkdir()
        clone.lock.write_bytes(project.lock.read_bytes())

        again = clone.done("rebuild", "--no-smoke")

        for finished in (done, again):
            assert "nobody's compiler is not here: it takes longer." in finished.stderr
        for one in (project, clone):
            (link,) = one.environment.glob(f"**/tiny/libs/{NONE}")
            assert link.is_symlink()
            assert link.resolve().name.startswith("libc")
            assert receipt_of(one.environment)["variables"]["TINY_FLAGS"] == f"base={one.environment},cxx="
            assert say(one.environment, "import os; print(os.environ['TINY_FLAGS'])").endswith(",cxx=")
        clone.lock.write_text(project.lock.read_text("utf-8").replace(LIBC, "libneither.so.1"), "utf-8")
        index.forget()
        assert clone.refused("rebuild", clone.lock, "other").startswith("C is missing on this system")
        assert index.requests == []

    def test_what_is_there_leaves_the_variables_as_they_are(self, tmp_path: Path, index: LocalIndex) -> None:
        assert index.url
        need = replace(PROGRAM, programs=(Path(sys.executable).name,))
        project = Project.make(tmp_path / "project", system=[row(need)], environment={"TINY_FLAGS": "base={env}"})
        path = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"

        project.done("create", "tiny", "--no-smoke", env={"PATH": path})

        assert receipt_of(project.environment)["variables"]["TINY_FLAGS"] == f"base={project.environment}"
