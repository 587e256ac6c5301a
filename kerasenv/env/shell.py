"""What a shell is to kerasenv: scripts that virtualenv wrote for it, and a way to write variables into them.

Every shell is hooked by the same scheme. A block at the end of its activation script keeps what the variables were,
sets them, and leaves a restorer behind: a function, a list of commands or plain data, as the shell allows. A block in
`deactivate` uses the restorer that is there. It may stem from another environment, since virtualenv calls `deactivate`
when one environment is activated on top of another, so nothing in that block names a variable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from kerasenv.errors import HookError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK = re.compile(
    r"^(?P<comment>#|@REM) >>> kerasenv >>>\n.*?^(?P=comment) <<< kerasenv <<<\n", re.MULTILINE | re.DOTALL
)


class Shell(Protocol):
    """A module of kerasenv.env.shells."""

    NAME: str
    """What people call it."""

    SCRIPTS: tuple[str, ...]
    """Its activation scripts, of which virtualenv writes all or none."""

    def quote(self, value: str) -> str:
        """Return a literal that stands for exactly this value.

        None of its lines can be taken for the end of a block. Raises HookError if the shell can't write the value.
        """

    def hook(self, script: str, text: str, variables: Mapping[str, str]) -> str:
        """Return the text of one of the SCRIPTS, whose lines end in a newline, with the blocks that it needs."""


def block(*lines: str, comment: str = "#") -> str:
    """Mark lines as written by kerasenv."""
    return "\n".join((f"{comment} >>> kerasenv >>>", *lines, f"{comment} <<< kerasenv <<<", ""))


def without_blocks(text: str) -> str:
    """Take out what was marked."""
    return _BLOCK.sub("", text)


def insert_after(anchor: str, text: str, what: str) -> str:
    """Insert `what` where the one match of `anchor` ends, a regular expression for whole lines."""
    places = list(re.finditer(anchor, text, re.MULTILINE | re.DOTALL))
    if len(places) != 1:
        raise HookError(
            "An activation script is not built as the known releases of virtualenv build it.",
            looked_at=[f"the pattern {anchor!r} fits {len(places)} places instead of one"],
        )
    end = places[0].end()
    return text[:end] + what + text[end:]
