from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from kerasenv.engines.choose import choose_engine
from kerasenv.errors import UsageError
from kerasenv.interpreters.find import inspect

if TYPE_CHECKING:
    from kerasenv.interpreters.interpreter import Interpreter


def python(version: str) -> Interpreter:
    return replace(inspect(Path(sys.executable), source="test"), version=Version(version))


@pytest.mark.parametrize(
    ("asked", "version", "name", "why"),
    [
        (None, "3.11.7", "uv", "default"),
        ("uv", "3.6.15", "uv", "--engine"),
        ("pip-tools", "3.6.15", "pip-tools", "--engine"),
        (None, "2.7.18", "pip-tools", "serves CPython 2.7"),
        ("pip-tools", "2.7.18", "pip-tools", "--engine"),
    ],
)
def test_which_engine_and_why(asked: str | None, version: str, name: str, why: str) -> None:
    engine, said = choose_engine(asked, python(version))

    assert (engine.name, said) == (name, why)


def test_an_engine_that_does_not_serve_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match=r"uv can't work for CPython 2\.7") as caught:
        choose_engine("uv", python("2.7.18"))

    assert "what works for it: pip-tools" in caught.value.looked_at
    assert caught.value.hints == ("Leave --engine out, or type --engine pip-tools",)
