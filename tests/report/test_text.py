from __future__ import annotations

import io

from rich.console import Console

from kerasenv.errors import LockError
from kerasenv.outcome import Outcome
from kerasenv.report.text import print_error, print_outcome


def console(*, width: int = 20, colours: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False, soft_wrap=True, force_terminal=colours)


def shown(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


def test_a_result_and_what_to_do_next() -> None:
    plain = console()

    print_outcome(plain, Outcome(data=None, text=("it is ready",), next_steps=("do this", "or that")))

    assert shown(plain) == "it is ready\n\n  do this\n  or that\n"


def test_nothing_to_say() -> None:
    plain = console()

    print_outcome(plain, Outcome(data=None))

    assert shown(plain) == ""


def test_an_error() -> None:
    plain = console()

    print_error(plain, LockError("it broke", looked_at=["here:\n  there", ""], hints=["do this", "or that"]))

    assert shown(plain) == "error: it broke\n  here:\n    there\n  \nhint: do this\nhint: or that\n"


def test_what_looks_like_markup_is_text_and_long_lines_stay_whole() -> None:
    """A traceback, an extra or a path can hold brackets; who copies a command wants one line."""
    plain = console()
    text = "tensorflow[and-cuda] [bold]x[/bold] [/] :smile: " + "y" * 100

    print_outcome(plain, Outcome(data=None, text=(text,), next_steps=(text,)))
    print_error(plain, LockError(text, looked_at=[text], hints=[text]))

    assert shown(plain).count(text) == 5


def test_colours_say_nothing_that_words_do_not() -> None:
    coloured = console(colours=True)

    print_error(coloured, LockError("it broke", hints=["do this"]))

    assert "\x1b[1;31merror: " in shown(coloured)
