"""Progress as a person sees it: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.report.screen import PLAIN

if TYPE_CHECKING:
    from rich.status import Status

    from kerasenv.progress import Step
    from kerasenv.report.screen import Screen

_TITLE_WIDTH = 12


class TerminalProgress:
    """Shows each step as it happens, how long it took, and where a decision came from."""

    def __init__(self, screen: Screen, *, verbosity: int) -> None:
        self._screen = screen
        self._verbosity = verbosity
        self._status: Status | None = None
        self._title = ""

    def begin(self, step: Step) -> None:
        """Show that a step goes on."""
        self._title = step.title
        if self._verbosity < 0:
            return
        if self._screen.is_terminal:
            from rich.status import Status  # noqa: PLC0415  # only where something can move
            from rich.text import Text  # noqa: PLC0415  # as above

            self._status = Status(Text(step.title), console=self._screen.console)
            self._status.start()

    def passing(self, line: str) -> None:
        """Show what goes on within the step: on a terminal for the moment, unless more is to be said."""
        if self._status is not None and self._verbosity == 0:
            from rich.text import Text  # noqa: PLC0415  # as above

            self._status.update(Text(f"{self._title:<{_TITLE_WIDTH}} {line}"))
        elif self._verbosity >= 0:
            self._screen.print((f"  {line}", PLAIN))

    def substep(self, line: str) -> None:
        """Show what came out of a part of the step."""
        if self._verbosity >= 0:
            self._screen.print((f"  {line}", "dim"))

    def end(self, step: Step) -> None:
        """Show what came out."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._verbosity < 0:
            return
        self._screen.print(
            ("✗ ", "bold red") if step.failed else ("✓ ", "bold green"),
            (f"{step.title:<{_TITLE_WIDTH}} ", "bold"),
            (step.result or ("failed" if step.failed else ""), PLAIN),
            (f"  {step.seconds:.1f} s", "dim"),
            *([(f"  [{step.source}]", "dim")] if step.source else []),
        )

    def detail(self, line: str) -> None:
        """Show what helps to find out why something fails."""
        if self._verbosity > 0:
            self._screen.print((f"  {line}", "dim"))

    def note(self, text: str) -> None:
        """Show something a person should know that is no error."""
        if self._verbosity >= 0:
            self._screen.print(("! ", "bold yellow"), (text, PLAIN))
