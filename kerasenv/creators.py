"""Make environments with what serves their Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from kerasenv.interpreters.find import find_interpreter
from kerasenv.interpreters.serving import Creator, serving
from kerasenv.venv import create_bare_environment, create_bare_environment_with

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.engine import Index
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.venv import BareEnvironment

# What the release runs on, which kerasenv itself runs on as well
_RUNS_ON = SpecifierSet(">=3.10")


def create_environment(
    interpreter: Interpreter, folder: Path, *, index: Index, prompt: str | None = None
) -> BareEnvironment:
    """Make an environment without any package; the index is asked only for a virtualenv that isn't there yet."""
    if serving(interpreter.version).creator is Creator.OWN:
        return create_bare_environment(interpreter.path, folder, prompt=prompt)
    return create_bare_environment_with(_last_for_python_2(index), interpreter.path, folder, prompt=prompt)


def create_python_2_with_pip(interpreter: Interpreter, folder: Path, *, index: Index) -> BareEnvironment:
    """Make an environment that holds pip, since no other program can install for CPython 2.7."""
    return create_bare_environment_with(_last_for_python_2(index), interpreter.path, folder, pip=True)


def _last_for_python_2(index: Index) -> Path:
    """Return the Python that has the last virtualenv for CPython 2.7."""
    from kerasenv.engines.tools import LOCKS, tool_environment  # noqa: PLC0415  # only for CPython 2.7

    runs_it = find_interpreter(_RUNS_ON, who=Creator.LAST_FOR_PYTHON_2.value)
    requirements = (LOCKS / "virtualenv-2.7.txt").read_text(encoding="utf-8")
    return tool_environment("virtualenv", requirements, interpreter=runs_it, index=index)
