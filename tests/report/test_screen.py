from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from kerasenv.report.screen import PLAIN, Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def as_rich_writes(parts: list[tuple[str, str]]) -> str:
    shown = io.StringIO()
    Console(file=shown, highlight=False, soft_wrap=True, force_terminal=False).print(Text.assemble(*parts))
    return shown.getvalue()


STYLES = st.sampled_from([PLAIN, "dim", "bold", "bold red"])
PARTS = st.lists(st.tuples(st.text() | st.text("a\n\t \x07\r\x1b\u202e\u4e2d"), STYLES), max_size=4)


@given(PARTS)
def test_without_a_terminal_it_writes_as_rich_does(parts: list[tuple[str, str]]) -> None:
    shown = io.StringIO()

    Screen(shown).print(*parts)

    assert shown.getvalue() == as_rich_writes(parts)


def test_a_long_line_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    for shown in (io.StringIO(), Terminal()):
        Screen(shown).print(("x" * 100, PLAIN))

        assert shown.getvalue() == "x" * 100 + "\n"


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"CI": "true"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
    ids=str,
)
def test_plain_for_those_who_want_it(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], *, terminal: bool, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    shown = Terminal()
    screen = Screen(shown)

    screen.print(("x", "red"))

    assert screen.is_terminal or not terminal
    assert ("\x1b[31m" in shown.getvalue()) == coloured


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_coloured_for_those_who_say_that_they_look(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, "1")
    shown = io.StringIO()

    Screen(shown).print(("x", "red"))

    assert shown.getvalue() == "\x1b[31mx\x1b[0m\n"


def test_nowhere_to_write_is_no_error() -> None:
    """As under pythonw, or where standard error is closed."""
    screen = Screen(None)

    screen.print(("x", "red"))

    assert not screen.is_terminal
