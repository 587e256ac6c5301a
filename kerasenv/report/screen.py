"""Where results and progress are written: plainly where that is all, else by rich, which takes long to import."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN = ""
"""The style of what is written as it is."""


class Screen:
    """Standard output or standard error, with somebody who looks at it or not."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """Return the console of rich, which is plain where nobody looks: no terminal, NO_COLOR, CI."""
        if self._console is None:
            from rich.console import Console  # noqa: PLC0415  # 45 ms, which plain text can do without

            in_ci = bool(os.environ.get("CI"))
            self._console = Console(
                file=self._stream,
                highlight=False,
                soft_wrap=True,
                force_terminal=False if in_ci else None,
                no_color=True if in_ci else None,
            )
        return self._console

    @property
    def is_terminal(self) -> bool:
        """Say whether somebody looks, so that something can move."""
        return self._may_be_terminal and self.console.is_terminal

    def print(self, *parts: tuple[str, str]) -> None:
        """Print a line of parts, each a text and its style."""
        if self._stream is not None and self._can_do_without_rich(parts):
            self._stream.write("".join(text for text, _ in parts) + "\n")
            return
        from rich.text import Text  # noqa: PLC0415  # as above

        self.console.print(Text.assemble(*parts))

    def _can_do_without_rich(self, parts: tuple[tuple[str, str], ...]) -> bool:
        """Say whether rich would write just this text, and isn't needed for anything else."""
        if not all(line.isprintable() for text, _ in parts for line in text.split("\n")):
            return False  # it leaves out what rings or goes back, and makes spaces of tabs
        if not self._may_be_terminal:
            return True
        # Once it is there, something may be moving that it has to write above
        return self._console is None and not any(style for _, style in parts)

    @property
    def _may_be_terminal(self) -> bool:
        # By these variables rich is told that there is one; else it asks the stream
        told = not {"FORCE_COLOR", "TTY_COMPATIBLE"}.isdisjoint(os.environ)
        return self._stream is not None and (told or self._stream.isatty())
