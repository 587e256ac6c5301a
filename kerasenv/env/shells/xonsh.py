"""xonsh.

By xonsh's own rule a variable whose name ends in PATH or DIRS is a list of paths, in which it expands `~` and `$NAME`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block, insert_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "xonsh"
SCRIPTS: tuple[str, ...] = ("activate.xsh",)


def quote(value: str) -> str:
    """Return a literal that stands for exactly this value."""
    return ascii(value)


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:  # noqa: ARG001  # there is only one
    """Return the text with the blocks that set the variables and put them back."""
    restoring = block(
        '        for name, old in getattr(__xonsh__, "kerasenv_old", {}).items():',
        "            if old is None:",
        "                self.env.pop(name, None)",
        "            else:",
        "                self.env[name] = old",
        "        __xonsh__.kerasenv_old = {}",
    )
    setting = block(
        "__xonsh__.kerasenv_old = {",
        *(f"    {name!r}: __xonsh__.env.get({name!r})," for name in variables),
        "}",
        "__xonsh__.env.update({",
        *(f"    {name!r}: {quote(value)}," for name, value in variables.items()),
        "})",
    )
    return insert_after(r"^    def deactivate\(self[^\n]*:\n", text, restoring) + setting
