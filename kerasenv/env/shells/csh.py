"""csh and tcsh.

They have no functions, so the restorer is a list of commands for `eval`. Values are read as `$NAME:q` without quotes,
which a newline would end. Of a shell variable and an environment variable of the same name csh shows only the former,
so that is the one whose value is kept.
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
    return block(
        "if ($?_KERASENV_RESTORE) then",
        "    eval $_KERASENV_RESTORE:q",
        "    unset _KERASENV_RESTORE",
        "endif",
    )


def _activation(variables: Mapping[str, str]) -> str:
    return block(
        "set _KERASENV_RESTORE=()",
        *(line for number, name in enumerate(variables) for line in _setting(number, name, variables[name])),
    )


def _setting(number: int, name: str, value: str) -> tuple[str, ...]:
    old = f"_KERASENV_OLD_{number}"  # since some releases of csh take no more than 30 characters for a name
    # No value stands in a branch: where csh skips one it reads quotes differently
    return (
        f"if ($?{name}) then",
        f"    set {old}=${name}:q",
        f"    set _KERASENV_RESTORE=($_KERASENV_RESTORE:q 'setenv {name} ${old}:q; unset {old};')",
        "else",
        f"    set _KERASENV_RESTORE=($_KERASENV_RESTORE:q 'unsetenv {name};')",
        "endif",
        f"setenv {name} {quote(value)}",
    )
