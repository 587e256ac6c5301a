"""PowerShell 7 and Windows PowerShell 5.1.

Before 7.5, and on Windows in any case before .NET 9, PowerShell takes the assignment of an empty string for a removal:
an empty variable is then unset in the environment, and one that was empty before is unset after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block, insert_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "PowerShell"
SCRIPTS: tuple[str, ...] = ("activate.ps1",)

# PowerShell lets typographic quotes end a string too
_ESCAPES = str.maketrans(
    {
        **{quote: quote * 2 for quote in "'\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"},
        **{quote: quote * 2 for quote in "\N{SINGLE LOW-9 QUOTATION MARK}\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}"},
        "\n": "' + [char]10 + '",
        "\r": "' + [char]13 + '",
    }
)


def quote(value: str) -> str:
    """Return a literal that stands for exactly this value."""
    return "'" + value.translate(_ESCAPES) + "'"


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:  # noqa: ARG001  # there is only one
    """Return the text with the blocks that set the variables and put them back."""
    restoring = block(
        "    if (Test-Path variable:_KERASENV_OLD) {",
        "        foreach ($entry in $global:_KERASENV_OLD.GetEnumerator()) {",
        "            if ($null -eq $entry.Value) {",
        '                Remove-Item -LiteralPath "env:$($entry.Key)" -ErrorAction SilentlyContinue',
        "            } else {",
        '                Set-Item -LiteralPath "env:$($entry.Key)" -Value $entry.Value',
        "            }",
        "        }",
        "        Remove-Variable -Name _KERASENV_OLD -Scope global",
        "    }",
    )
    setting = block(
        "# What was not set is kept as $null",
        "$global:_KERASENV_OLD = @{",
        *(f"    '{name}' = $env:{name}" for name in variables),
        "}",
        *(f"$env:{name} = {quote(value)}" for name, value in variables.items()),
    )
    return insert_after(r"^function global:deactivate\([^\n]*\) \{\n", text, restoring) + setting
