from __future__ import annotations

import pytest

from kerasenv.engines.choose import ENGINES
from kerasenv.errors import InterpreterError
from kerasenv.interpreters.serving import SERVING, Creator, served_by, serving
from kerasenv.platforms import KNOWN_PYTHONS


@pytest.mark.parametrize("version", ["2.7.18", "2.7"])
def test_python_2_has_a_creator_of_its_own_and_one_engine(version: str) -> None:
    row = serving(version)

    assert row.creator is Creator.LAST_FOR_PYTHON_2
    assert row.engines == ("pip-tools",)


@pytest.mark.parametrize("version", ["3.6.0", "3.11.7", "3.14", "3.15.0a1"])
def test_python_3_has_both_engines(version: str) -> None:
    row = serving(version)

    assert row.creator is Creator.OWN
    assert row.engines == ("uv", "pip-tools")


@pytest.mark.parametrize("version", ["2.6.9", "3.5.10"])
def test_what_nothing_serves_is_a_clear_error(version: str) -> None:
    with pytest.raises(InterpreterError, match=f"can't make environments of CPython {version}") as caught:
        serving(version)

    assert len(caught.value.looked_at) == len(SERVING)


@pytest.mark.parametrize("python", KNOWN_PYTHONS)
def test_every_python_that_locks_know_is_served(python: str) -> None:
    assert serving(python).engines


def test_every_engine_of_the_table_is_there() -> None:
    assert {engine for row in SERVING for engine in row.engines} == set(ENGINES)


def test_the_pythons_of_an_engine() -> None:
    assert served_by("uv", ("2.7", "3.6", "3.7")) == ("3.6", "3.7")
    assert served_by("pip-tools", ("2.7", "3.6")) == ("2.7", "3.6")
