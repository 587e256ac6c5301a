"""Let an environment bring its variables: when it is activated, and when its interpreter starts without that."""

from __future__ import annotations

import codecs
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv.env.shell import without_blocks
from kerasenv.env.shells import bash, batch, csh, fish, nushell, powershell, python, xonsh
from kerasenv.errors import HookError
from kerasenv.resources import probe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kerasenv.env.shell import Shell

SHELLS: tuple[Shell, ...] = (bash, batch, csh, fish, nushell, powershell, python, xonsh)

STARTUP = ("_kerasenv.env", "_kerasenv.py", "_kerasenv.pth")
"""What sets the variables when the interpreter starts, in the order in which it is written."""

_SCRIPT = re.compile(r"(?:de)?activate(?:_this)?(?:\.\w+)?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class HookedScripts:
    """The activation scripts that set the variables now, and those of shells that kerasenv doesn't know."""

    written: tuple[Path, ...]
    unknown: tuple[Path, ...]


def is_hook(path: str) -> bool:
    """Say whether a file of an environment is one that sets its variables, by its path."""
    name = path.rpartition("/")[2]
    return name in STARTUP or any(name in shell.SCRIPTS for shell in SHELLS)


def write_activation_hooks(bin_dir: Path, variables: Mapping[str, str]) -> HookedScripts:
    """Let every activation script in `bin_dir` set the variables, and deactivation put them back.

    What an earlier call wrote is replaced; with no variables it is taken out. If any script can't be hooked, HookError
    is raised and none is changed.
    """
    _check(variables)
    contents: dict[Path, bytes] = {}
    for shell in SHELLS:
        present = [bin_dir / script for script in shell.SCRIPTS if (bin_dir / script).is_file()]
        if present and len(present) < len(shell.SCRIPTS):
            raise HookError(
                f"The activation scripts for {shell.NAME} are incomplete, so variables could not be put back.",
                looked_at=[f"{bin_dir} has {', '.join(path.name for path in present)} of {', '.join(shell.SCRIPTS)}"],
                hints=["Install a newer virtualenv: pip install --upgrade virtualenv"],
            )
        for path in present:
            contents[path] = _hooked(shell, path, variables)
    for path, content in contents.items():
        _replace(path, content)
    unknown = (path for path in sorted(bin_dir.iterdir()) if _SCRIPT.fullmatch(path.name) and path not in contents)
    return HookedScripts(written=tuple(contents), unknown=tuple(unknown))


def write_startup(site_packages: Path, variables: Mapping[str, str]) -> list[Path]:
    """Let the interpreter set the variables when it starts, unless the process has them already.

    Python runs each .pth file of its site-packages; this one comes last, so that it never starts what isn't there.
    """
    _check(variables)
    contents = (
        b"".join(f"{name}\0{value}\0".encode() for name, value in variables.items()),
        probe("startup").read_bytes(),
        b"import _kerasenv\n",
    )
    written = [site_packages / name for name in STARTUP]
    for path, content in zip(written, contents, strict=True):
        _replace(path, content)
    return written


def _check(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise HookError(
                f"{name!r} can't be the name of a variable: only letters, digits and underscores work in every shell."
            )
        if "\0" in value:
            raise HookError(f"{name} can't be {value!r}: no variable can hold a null character.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise HookError(f"{name} can't be {value!r}: it is not text that UTF-8 can hold.") from None


def _hooked(shell: Shell, path: Path, variables: Mapping[str, str]) -> bytes:
    """Return what a script should hold, in the encoding and with the line ends that it has."""
    content = path.read_bytes()
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    text = content.removeprefix(mark).decode()
    crlf = text.partition("\n")[0].endswith("\r")
    text = without_blocks(text.replace("\r\n", "\n") if crlf else text)
    if variables:
        try:
            text = shell.hook(path.name, text, variables)
        except HookError as error:
            raise HookError(error.message, looked_at=[str(path), *error.looked_at], hints=error.hints) from error
    return mark + (text.replace("\n", "\r\n") if crlf else text).encode()


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place whole, with the permissions of the one that it replaces."""
    temporary = path.with_name(f".{path.name}.kerasenv")
    try:
        temporary.write_bytes(content)
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HookError(f"{path} can't be written: {error.strerror or error}") from error
