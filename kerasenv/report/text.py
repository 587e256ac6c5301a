"""Results and errors as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.report.screen import PLAIN

if TYPE_CHECKING:
    from kerasenv.errors import KerasenvError
    from kerasenv.outcome import Outcome
    from kerasenv.report.screen import Screen


def print_outcome(screen: Screen, outcome: Outcome[object]) -> None:
    """Print what came out, and what to do next."""
    for line in outcome.text:
        screen.print((line, PLAIN))
    if outcome.next_steps:
        screen.print()
        for line in outcome.next_steps:
            screen.print((f"  {line}", PLAIN))


def print_error(screen: Screen, error: KerasenvError) -> None:
    """Print what happened, what was looked at, and what to type next."""
    screen.print(("error: ", "bold red"), (error.message, "bold"))
    for line in error.looked_at:
        for part in line.splitlines() or [""]:
            screen.print((f"  {part}", "dim"))
    for hint in error.hints:
        screen.print(("hint: ", "bold cyan"), (hint, PLAIN))
