"""Command lines that are read without typer mean what they mean to typer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.cli.app import GROUPS, VERBS, load
from kerasenv.cli.full import app_with
from kerasenv.cli.parameter import taken_by
from kerasenv.cli.plain import plainly

if TYPE_CHECKING:
    from kerasenv.cli.face import Verb


def noted(verb: Verb) -> Verb:
    """Return what takes the same as a verb, and does nothing but return what it was called with."""

    def called(**arguments: Any) -> Any:
        return arguments

    called.__doc__ = verb.__doc__
    called.__signature__ = verb.__signature__  # type: ignore[attr-defined]
    return called


TAKEN = {name: taken_by(load(name)) for name in VERBS}
READ_BY_TYPER = typer.main.get_command(app_with({name: noted(load(name)) for name in VERBS}, GROUPS))
VALUES = ("a", "3.7", ".venv", "x=y", "a b", "\u03ba", "-", "", "create")


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a verb and words that it may know."""
    verb = draw(st.sampled_from(list(VERBS)))
    spellings = [spelling for one in TAKEN[verb] for spelling in one.parameter.spellings]
    odd = ["--", "--help", "--bogus", "-qv", *(f"{spelling}=1" for spelling in spellings)]
    values = st.sampled_from(VALUES)
    words = st.sampled_from(spellings) | values | (st.sampled_from(odd) if draw(st.booleans()) else values)
    return verb, draw(st.lists(words, max_size=6))


@given(command_lines())
def test_what_is_read_plainly_is_what_typer_reads(line: tuple[str, list[str]]) -> None:
    verb, words = line

    plain = plainly(TAKEN[verb], words)

    if plain is not None:
        full = READ_BY_TYPER.main([*verb.split(), *words], standalone_mode=False)
        assert plain == full
        assert {name: type(value) for name, value in plain.items()} == {
            name: type(value) for name, value in full.items()
        }


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "list --json -q",
        "create tiny",
        "create tiny .venv --lock pylock.toml --with a --with b -r c.txt --offline -v -v",
        "rebuild",
        "rebuild pylock.toml .venv --force",
        "lock tiny a b --upgrade -o x.toml",
        "run .venv",
        "export requirements -o x.txt",
        "python install 3.7",
    ],
)
def test_what_is_usual_needs_no_typer(line: str) -> None:
    words = line.split()
    count = 2 if words[0] in GROUPS else 1

    assert plainly(TAKEN[" ".join(words[:count])], words[count:]) is not None


@pytest.mark.parametrize(
    "line",
    [
        "list --help",
        "list extra",
        "list -qq",
        "list --bogus",
        "create",
        "create tiny .venv more",
        "create tiny --lock",
        "create tiny --lock --force",
        "create tiny --lock=x",
        "create -- tiny",
        "create ",
        "python install",
    ],
)
def test_what_is_off_or_rare_is_for_typer(line: str) -> None:
    words = line.split(" ")
    count = 2 if words[0] in GROUPS else 1

    assert plainly(TAKEN[" ".join(words[:count])], words[count:]) is None


def test_every_verb_takes_the_options_of_all() -> None:
    for taken in TAKEN.values():
        assert {"json", "quiet", "verbose"} <= {one.name for one in taken}
