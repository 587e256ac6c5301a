"""fish.

The variables are set in the global scope, and that is the scope whose former state is kept: a universal variable, or
one of an outer function, shows through again by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block, insert_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "fish"
SCRIPTS: tuple[str, ...] = ("activate.fish",)

_ESCAPES = str.maketrans({"\\": r"'\\'", "'": r"'\''", "\n": r"'\n'", "\r": r"'\r'"})


def quote(value: str) -> str:
    """Return a literal that stands for exactly this value."""
    return "'" + value.translate(_ESCAPES) + "'"


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:  # noqa: ARG001  # there is only one
    """Return the text with the blocks that set the variables and put them back."""
    restoring = block(
        "    if functions -q _kerasenv_restore",
        "        _kerasenv_restore",
        "    end",
    )
    return insert_after(r"^function deactivate\b[^\n]*\n", text, restoring) + _activation(variables)


def _activation(variables: Mapping[str, str]) -> str:
    return block(
        *(line for name, value in variables.items() for line in _setting(name, value)),
        "function _kerasenv_restore",
        *(line for name in variables for line in _restoring(name)),
        "    functions -e _kerasenv_restore",
        "end",
    )


def _setting(name: str, value: str) -> tuple[str, ...]:
    return (
        f"set -e -g _KERASENV_OLD_{name}",
        f"if set -q -g {name}",
        f"    set -g _KERASENV_OLD_{name} ${name}",
        f"    set -g _KERASENV_EXPORT_{name} -u",
        f"    set -q -gx {name}; and set -g _KERASENV_EXPORT_{name} -x",
        "end",
        f"set -gx {name} {quote(value)}",
    )


def _restoring(name: str) -> tuple[str, ...]:
    return (
        f"    set -e -g {name}",
        f"    if set -q -g _KERASENV_OLD_{name}",
        f"        set -g $_KERASENV_EXPORT_{name} {name} $_KERASENV_OLD_{name}",
        f"        set -e -g _KERASENV_OLD_{name}",
        f"        set -e -g _KERASENV_EXPORT_{name}",
        "    end",
    )
