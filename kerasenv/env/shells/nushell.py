"""nushell.

An environment is an overlay there: deactivation hides it, and what was there before shows again by itself. But every
environment's overlay has the same name, so one that is activated on top of another is added to it: that is when what
was kept is put back. It is kept in a record, which nushell shows to no other program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block, insert_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "nushell"
SCRIPTS: tuple[str, ...] = ("activate.nu",)

_ESCAPES = str.maketrans(
    {**{code: f"\\u{{{code:x}}}" for code in (*range(0x20), 0x7F)}, ord("\\"): r"\\", ord('"'): r"\""}
)


def quote(value: str) -> str:
    """Return a literal that stands for exactly this value."""
    return '"' + value.translate(_ESCAPES) + '"'


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:  # noqa: ARG001  # there is only one
    """Return the text with the block that sets the variables."""
    setting = block(
        "    for old in ($env._KERASENV_OLD? | default {} | transpose name value) {",
        "        if $old.value == null {",
        "            hide-env --ignore-errors $old.name",
        "        } else {",
        "            load-env {($old.name): $old.value}",
        "        }",
        "    }",
        "    load-env {",
        "        _KERASENV_OLD: {",
        *(f"            {name}: $env.{name}?" for name in variables),
        "        }",
        *(f"        {name}: {quote(value)}" for name, value in variables.items()),
        "    }",
    )
    # Of several `export-env` in a module only the last counts, so it has to be virtualenv's
    return insert_after(r"^export-env \{\n(?:(?!^\}).)*(?=^\}\n)", text, setting)
