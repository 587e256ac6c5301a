"""Progress as a person sees it: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status
from rich.text import Text

if TYPE_CHECKING:
    from kerasenv.progress import Step

_TITLE_WIDTH = 12


def make_console(*, stderr: bool) -> Console:
    """Return a console that is plain where nobody looks: no terminal, NO_COLOR, CI."""
    in_ci = bool(os.environ.get("CI"))
    return Console(
        stderr=stderr,
        highlight=False,
        soft_wrap=True,
        force_terminal=False if in_ci else None,
        no_color=True if in_ci else None,
    )


class TerminalProgress:
    """Shows each step as it happens, how long it took, and where a decision came from."""

    def __init__(self, console: Console, *, verbosity: int) -> None:
        self._console = console
        self._verbosity = verbosity
        self._status: Status | None = None
        self._title = ""

    def begin(self, step: Step) -> None:
        """Show that a step goes on."""
        self._title = step.title
        if self._verbosity < 0:
            return
        if self._console.is_terminal:
            self._status = Status(Text(step.title), console=self._console)
            self._status.start()

    def passing(self, line: str) -> None:
        """Show what goes on within the step: on a terminal for the moment, unless more is to be said."""
        if self._status is not None and self._verbosity == 0:
            self._status.update(Text(f"{self._title:<{_TITLE_WIDTH}} {line}"))
        elif self._verbosity >= 0:
            self._console.print(Text(f"  {line}"))

    def substep(self, line: str) -> None:
        """Show what came out of a part of the step."""
        if self._verbosity >= 0:
            self._console.print(Text(f"  {line}", style="dim"))

    def end(self, step: Step) -> None:
        """Show what came out."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._verbosity < 0:
            return
        line = Text()
        line.append("✗ " if step.failed else "✓ ", style="bold red" if step.failed else "bold green")
        line.append(f"{step.title:<{_TITLE_WIDTH}} ", style="bold")
        line.append(step.result or ("failed" if step.failed else ""))
        line.append(f"  {step.seconds:.1f} s", style="dim")
        if step.source:
            line.append(f"  [{step.source}]", style="dim")
        self._console.print(line)

    def detail(self, line: str) -> None:
        """Show what helps to find out why something fails."""
        if self._verbosity > 0:
            self._console.print(Text(f"  {line}", style="dim"))

    def note(self, text: str) -> None:
        """Show something a person should know that is no error."""
        if self._verbosity >= 0:
            self._console.print(Text.assemble(("! ", "bold yellow"), text))
