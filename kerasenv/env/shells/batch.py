"""cmd.exe.

It reads a script line by line and has no empty variables: a value with a line break is refused, and an empty one leaves
the variable unset. A variable that held a line break before comes back as its last line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kerasenv.env.shell import block, insert_after
from kerasenv.errors import HookError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "cmd.exe"
SCRIPTS: tuple[str, ...] = ("activate.bat", "deactivate.bat")

_ESCAPES = str.maketrans({"%": "%%", **{operator: f"^{operator}" for operator in '&|<>()^"'}})
_UNWRITABLE = re.compile(r"[\n\r\x1a]")  # cmd.exe drops carriage returns and stops reading at Ctrl-Z


def quote(value: str) -> str:
    """Return the value as it stands in `set ^"NAME=value^"`, where cmd.exe is not in a quotation."""
    found = _UNWRITABLE.search(value)
    if found:
        raise HookError(
            f"cmd.exe can't set a variable to {value!r}.",
            looked_at=[f"{found.group()!r} at position {found.start()}: it would end the line of the batch file"],
        )
    return value.translate(_ESCAPES)


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:
    """Return the text with the block that sets the variables, or the one that puts them back."""
    if script == "deactivate.bat":
        return text + block(*_deactivation(), comment="@REM")
    setting = block(
        *(line for name, value in variables.items() for line in _setting(name, value)),
        f"@set _KERASENV_NAMES={' '.join(variables)}",
        comment="@REM",
    )
    # The code page is UTF-8 only up to these lines
    return insert_after(r"(?=^@if defined _OLD_CODEPAGE \(\n[^\n]*%_OLD_CODEPAGE%)", text, setting)


def _deactivation() -> tuple[str, ...]:
    return (
        "@for %%n in (%_KERASENV_NAMES%) do @call :kerasenv_restore %%n",
        "@set _KERASENV_NAMES=",
        "@goto :eof",
        "",
        ":kerasenv_restore",
        '@set "%1="',
        *_copy("_KERASENV_OLD_%1", "%1"),
        '@set "_KERASENV_OLD_%1="',
    )


def _setting(name: str, value: str) -> tuple[str, ...]:
    save = (f'@set "_KERASENV_OLD_{name}="', *_copy(name, f"_KERASENV_OLD_{name}"))
    literal = quote(value)
    if "!" not in value:
        return (*save, f'@set ^"{name}={literal}^"')
    # With delayed expansion a line that holds an exclamation mark is unescaped once more
    twice = quote(value.replace("^", "^^").replace("!", "^!"))
    return (*save, f'@if not "!!"=="" @set ^"{name}={literal}^"', f'@if "!!"=="" @set ^"{name}={twice}^"')


def _copy(source: str, target: str) -> tuple[str, str]:
    """Return the lines that give a variable the value of another one, if that has any.

    It is read as !NAME!, because %NAME% would be parsed again and executed. Unless that is enabled already (only then
    is "!!" nothing), it is enabled for the length of a `for`, whose variable carries the value out. The control
    character stands in for the semicolon, since `for` takes a line that begins with it for a comment.
    """
    carry = f'for /f "eol=\x01 delims=" %%v in ("!{source}!") do @endlocal & @set "{target}=%%v"'
    return (
        f'@if defined {source} @if "!!"=="" @set "{target}=!{source}!"',
        f'@if defined {source} @if not "!!"=="" @setlocal EnableDelayedExpansion & @{carry}',
    )
