from __future__ import annotations

import io

import pytest
from rich.console import Console

from kerasenv import progress
from kerasenv.report.progress import TerminalProgress, make_console


def shown(*, verbosity: int = 0, terminal: bool = False, failing: bool = False) -> str:
    """Return what is shown of a step with all that can happen in it."""
    console = Console(file=io.StringIO(), width=200, highlight=False, force_terminal=terminal, no_color=True)
    with progress.listening(TerminalProgress(console, verbosity=verbosity)):
        progress.note("a note [x]")
        with pytest.MonkeyPatch.context(), progress.step("Lock") as step:
            progress.passing("a line [x]")
            progress.substep("a part [x]")
            progress.detail("$ a command [x]")
            step.done("7 packages [x]", source="here [x]")
            step.failed = failing
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_plain_lines_where_nobody_looks() -> None:
    note, passing, substep, end = lines(shown())

    assert (note, passing, substep) == ("! a note [x]", "  a line [x]", "  a part [x]")
    assert end.startswith("✓ Lock         7 packages [x]  0.")
    assert end.endswith(" s  [here [x]]")


def test_a_failed_step() -> None:
    assert "✗ Lock " in shown(failing=True)


def test_more_and_less() -> None:
    assert "$ a command [x]" not in shown()
    assert "  $ a command [x]\n" in shown(verbosity=1)
    assert shown(verbosity=-1) == ""


def test_on_a_terminal_what_passes_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    live, verbose = shown(terminal=True), shown(terminal=True, verbosity=1)

    assert "Lock         a line [x]" in live
    assert "✓ " in live
    assert "Lock         a line [x]" not in verbose
    assert "  a line [x]\n" in verbose
    assert "  a part [x]\x1b[0m\n" in live


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
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", Screen())
    console = make_console(stderr=True)

    console.print("[red]x", end="")

    assert console.is_terminal or not terminal
    assert isinstance(console.file, Screen)
    assert ("\x1b[31m" in console.file.getvalue()) == coloured
