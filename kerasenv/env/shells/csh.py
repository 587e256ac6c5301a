"""csh and tcsh.

They have no functions, so the restorer is an alias that calls one alias for each variable; `set` and `setenv` see their
values as `$NAME:q`, unquoted, since a newline would end a quotation. Of a shell variable and an environment variable of
the same name csh shows only the former, so that is the one whose value is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "csh and tcsh"
SCRIPTS: tuple[str, ...] = ("activate.csh", "deactivate.csh")

# Outside of the quotes a backslash means the same whether or not tcsh's backslash_quote is set. History is expanded
# inside of single quotes too, and a newline ends them unless a backslash stands before it.
_ESCAPES = str.maketrans({"\\": r"'\\'", "'": r"'\''", "!": r"'\!'", "\n": "\\\n''"})


def quote(value: str) -> str:
    """Return a literal that stands for exactly this value."""
    return "'" + value.translate(_ESCAPES) + "'"


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:
    """Return the text with the block that sets the variables, or the one that puts them back."""
    return _deactivation() + text if script == "deactivate.csh" else text + _activation(variables)


def _deactivation() -> str:
    # On one line with its condition an alias would not be expanded
    return block("if ($?_KERASENV_ACTIVE) then", "    _kerasenv_restore", "endif")


def _activation(variables: Mapping[str, str]) -> str:
    aliases = [f"_kerasenv_restore_{number}" for number in range(len(variables))]
    restoring = [*aliases, "unset _KERASENV_ACTIVE", *(f"unalias {alias}" for alias in (*aliases, "_kerasenv_restore"))]
    return block(
        *(line for number, name in enumerate(variables) for line in _setting(number, name, variables[name])),
        f"alias _kerasenv_restore '{'; '.join(restoring)}'",
        "set _KERASENV_ACTIVE",
    )


def _setting(number: int, name: str, value: str) -> tuple[str, ...]:
    # By number, since some releases of csh allow no more than 30 characters
    old, restore = f"_KERASENV_OLD_{number}", f"alias _kerasenv_restore_{number}"
    # No literal stands in a branch: where csh skips one it reads quotes differently
    return (
        f"{restore} 'unsetenv {name}'",
        f"if ($?{name}) then",
        f"    set {old}=${name}:q",
        f"    {restore} 'setenv {name} ${old}:q; unset {old}'",
        "endif",
        f"setenv {name} {quote(value)}",
    )
