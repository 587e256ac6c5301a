"""Results and errors as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from kerasenv.errors import KerasenvError
    from kerasenv.outcome import Outcome


def print_outcome(console: Console, outcome: Outcome[object]) -> None:
    """Print what came out, and what to do next."""
    for line in outcome.text:
        console.print(Text(line))
    if outcome.next_steps:
        console.print()
        for line in outcome.next_steps:
            console.print(Text(f"  {line}"))


def print_error(console: Console, error: KerasenvError) -> None:
    """Print what happened, what was looked at, and what to type next."""
    console.print(Text.assemble(("error: ", "bold red"), (error.message, "bold")))
    for line in error.looked_at:
        for part in line.splitlines() or [""]:
            console.print(Text(f"  {part}", style="dim"))
    for hint in error.hints:
        console.print(Text.assemble(("hint: ", "bold cyan"), hint))
