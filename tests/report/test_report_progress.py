from __future__ import annotations

import io

import pytest

from kerasenv import progress
from kerasenv.report.progress import TerminalProgress
from kerasenv.report.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")


def shown(*, verbosity: int = 0, terminal: bool = False, failing: bool = False) -> str:
    """Return what is shown of a step with all that can happen in it."""
    stream = Terminal() if terminal else io.StringIO()
    with progress.listening(TerminalProgress(Screen(stream), verbosity=verbosity)):
        progress.note("a note [x]")
        with progress.step("Lock") as step:
            progress.passing("a line [x]")
            progress.substep("a part [x]")
            progress.detail("$ a command [x]")
            step.done("7 packages [x]", source="here [x]")
            step.failed = failing
    return stream.getvalue()


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


def test_on_a_terminal_what_passes_does_not_stay() -> None:
    live, verbose = shown(terminal=True), shown(terminal=True, verbosity=1)

    assert "Lock         a line [x]" in live
    assert "✓ " in live
    assert "Lock         a line [x]" not in verbose
    assert "  a line [x]\n" in verbose
    assert "  a part [x]\x1b[0m\n" in live
