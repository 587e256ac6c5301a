from __future__ import annotations

import io
from typing import TYPE_CHECKING

from kerasenv.errors import LockError
from kerasenv.outcome import Outcome
from kerasenv.report.screen import Screen
from kerasenv.report.text import print_error, print_outcome

if TYPE_CHECKING:
    import pytest


def test_a_result_and_what_to_do_next() -> None:
    shown = io.StringIO()

    print_outcome(Screen(shown), Outcome(data=None, text=("it is ready",), next_steps=("do this", "or that")))

    assert shown.getvalue() == "it is ready\n\n  do this\n  or that\n"


def test_nothing_to_say() -> None:
    shown = io.StringIO()

    print_outcome(Screen(shown), Outcome(data=None))

    assert shown.getvalue() == ""


def test_an_error() -> None:
    shown = io.StringIO()

    print_error(Screen(shown), LockError("it broke", looked_at=["here:\n  there", ""], hints=["do this", "or that"]))

    assert shown.getvalue() == "error: it broke\n  here:\n    there\n  \nhint: do this\nhint: or that\n"


def test_what_looks_like_markup_is_text_and_long_lines_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, an extra or a path can hold brackets; who copies a command wants one line."""
    monkeypatch.setenv("COLUMNS", "20")
    shown = io.StringIO()
    text = "tensorflow[and-cuda] [bold]x[/bold] [/] :smile: " + "y" * 100

    print_outcome(Screen(shown), Outcome(data=None, text=(text,), next_steps=(text,)))
    print_error(Screen(shown), LockError(text, looked_at=[text], hints=[text]))

    assert shown.getvalue().count(text) == 5


def test_colours_say_nothing_that_words_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    shown = io.StringIO()

    print_error(Screen(shown), LockError("it broke", hints=["do this"]))

    assert "\x1b[1;31merror: " in shown.getvalue()
