"""CPython 2.7 for real: the last virtualenv and the last pip-tools that know it, from the index."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from kerasenv.creators import create_environment
from kerasenv.engine import Index, ResolveRequest
from kerasenv.engines.pip_tools import PipToolsEngine
from kerasenv.env.hooks import write_activation_hooks, write_startup
from kerasenv.env.relocate import relocate
from kerasenv.interpreters.find import inspect
from kerasenv.platforms import PLATFORMS

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.venv import BareEnvironment
    from tests.conftest import FindPython

VARIABLES = {"KERAS_BACKEND": "theano", "THEANO_FLAGS": "it's \N{LATIN SMALL LETTER E WITH ACUTE}"}
SAY = "import os, sys; print([sys.prefix, os.environ.get('KERAS_BACKEND'), os.environ.get('THEANO_FLAGS')])"


@pytest.fixture
def interpreter(python: FindPython) -> Interpreter:
    return inspect(python("2.7"), source="test")


@pytest.fixture
def environment(interpreter: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BareEnvironment:
    """Give one whose path has what shells stumble over, made among files that are called as modules of Python are."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "random.py").write_text("raise SystemExit('a file of the user was imported')\n", "utf-8")
    monkeypatch.chdir(repository)
    return create_environment(interpreter, tmp_path / "it's an $env", index=Index(), prompt="an env")


def said(*words: str | Path) -> list[str | None]:
    answer = subprocess.run(words, capture_output=True, text=True, check=True, encoding="utf-8")
    assert answer.stderr == ""
    found: list[str | None] = ast.literal_eval(answer.stdout)
    # In Python 2 a text is bytes, and is shown so
    return [text and text.encode("latin-1").decode("utf-8") for text in found]


def test_it_holds_nothing_and_starts_without_a_word(environment: BareEnvironment) -> None:
    assert said(environment.python, "-c", SAY) == [str(environment.folder), None, None]
    assert {path.stem for path in environment.site_packages.iterdir()} <= {"_virtualenv"}


def test_its_interpreter_brings_the_variables(environment: BareEnvironment) -> None:
    write_startup(environment.site_packages, VARIABLES)

    assert said(environment.python, "-c", SAY) == [str(environment.folder), *VARIABLES.values()]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
def test_so_does_activation(environment: BareEnvironment) -> None:
    hooked = write_activation_hooks(environment.bin_dir, VARIABLES)

    script = '. "$1"/bin/activate && python -c "$2"'
    assert said("bash", "-c", script, "bash", environment.folder, SAY) == [
        str(environment.folder),
        *VARIABLES.values(),
    ]
    assert {path.name for path in hooked.written} >= {"activate", "activate.fish", "activate.csh", "activate.nu"}
    assert not hooked.unknown


def test_so_does_a_program_that_activates_it_for_itself(environment: BareEnvironment, interpreter: Interpreter) -> None:
    write_activation_hooks(environment.bin_dir, VARIABLES)

    script = f"import sys; name = sys.argv[1]; exec(open(name).read(), {{'__file__': name}}); {SAY}"
    answer = said(interpreter.path, "-c", script, environment.bin_dir / "activate_this.py")
    assert answer == [str(environment.folder), *VARIABLES.values()]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
def test_it_can_be_moved_to_its_place(interpreter: Interpreter, tmp_path: Path) -> None:
    work = tmp_path / ".kerasenv-env-abcd1234"
    work.mkdir()
    built = create_environment(interpreter, work / "env", index=Index(), prompt="env")
    write_startup(built.site_packages, VARIABLES)
    write_activation_hooks(built.bin_dir, VARIABLES)
    relocate(built.bin_dir, [built.site_packages], work=work)
    place = (work / "env").rename(tmp_path / "env")

    assert said(place / "bin" / "python", "-c", SAY) == [str(place), *VARIABLES.values()]
    assert said("bash", "-c", '. "$1"/bin/activate && python -c "$2"', "bash", place, SAY)[0] == str(place)
    left = [path for path in place.rglob("*") if path.is_file() and work.name.encode() in path.read_bytes()]
    assert [path.name for path in left if path.suffix != ".pyc"] == []


def test_the_engine_resolves_under_it(interpreter: Interpreter) -> None:
    resolution = PipToolsEngine().resolve(
        ResolveRequest(
            requirements=(Requirement("numpy"), Requirement("pip")),
            pythons=("2.7",),
            platforms=tuple(PLATFORMS.values()),
            interpreter=interpreter,
        )
    )

    assert {package.name: str(package.version) for package in resolution.packages} == {
        "numpy": "1.16.6",
        "pip": "20.3.4",
    }
    assert resolution.only_here
