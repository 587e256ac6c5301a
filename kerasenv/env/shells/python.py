"""activate_this.py, which a Python program runs to activate the environment for itself.

virtualenv has no way back from it, so there is none for the variables either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "Python"
SCRIPTS: tuple[str, ...] = ("activate_this.py",)


def quote(value: str) -> str:
    """Return an expression that stands for exactly this value, in Python 2 too, where text in os.environ is bytes."""
    if value.isascii():
        return ascii(value)
    return f"(lambda told: told if str is bytes else told.decode('utf-8'))({value.encode()!r})"


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:  # noqa: ARG001  # there is only one
    """Return the text with the block that sets the variables."""
    return text + block(
        "os.environ.update({",
        *(f"    {name!r}: {quote(value)}," for name, value in variables.items()),
        "})",
    )
