"""Which environment variables a profile can set, and to what."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasenv.tables import Table

# Windows holds Path and PATH for one variable; zsh ties path to PATH; fish owns version and status
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")

_ACTIVATION = "activation sets it itself"
_FOREIGN_CODE = "it makes programs outside the environment run other code"
_MACHINE = "it belongs to the machine, not to an environment"
_PYTHON = "Python reads it before anything that the environment could set, or finds other packages through it"
_SHELL = "shells keep it for themselves"

_TAKEN = {
    "KERAS_BACKEND": "`backend` sets it",
    "KERAS_HOME": "every environment has a Keras folder of its own; its keras.json comes from [keras]",
    "PATH": _ACTIVATION,
    **dict.fromkeys(("COMSPEC", "HOME", "PATHEXT", "SYSTEMROOT", "USERPROFILE", "WINDIR"), _MACHINE),
    **dict.fromkeys(("ENV", "LD_AUDIT", "LD_PRELOAD", "ZDOTDIR"), _FOREIGN_CODE),
    **dict.fromkeys(("IFS", "OLDPWD", "PROMPT", "PS1", "PS2", "PS3", "PS4", "PWD", "SHELL", "SHLVL"), _SHELL),
    # Read-only, or not kept as given, in bash or zsh
    **dict.fromkeys(("ARGC", "DIRSTACK", "EGID", "EUID", "FUNCNAME", "GID", "GROUPS", "LINENO", "OPTARG"), _SHELL),
    **dict.fromkeys(("OPTIND", "PPID", "RANDOM", "SECONDS", "SHELLOPTS", "TTY", "TTYIDLE", "UID", "USERNAME"), _SHELL),
}
_TAKEN_BEGINNINGS = {
    "BASH": _SHELL,
    "DYLD_": _FOREIGN_CODE,
    "KERASENV": "kerasenv keeps such names for itself",
    "PYTHON": _PYTHON,
    "VIRTUAL_ENV": _ACTIVATION,
}


def why_refused(name: str) -> str | None:
    """Return why a profile can't set a variable, None if it can."""
    if not _NAME.fullmatch(name):
        return "must consist of A-Z, 0-9 and _: small letters are capital ones to Windows and special to some shells"
    beginnings = (reason for beginning, reason in _TAKEN_BEGINNINGS.items() if name.startswith(beginning))
    reason = _TAKEN.get(name) or next(beginnings, None)
    return f"can't be set by a profile: {reason}" if reason else None


def variable_value(text: str) -> str:
    """Read a value in which {env} stands for the environment's folder, {{ and }} for braces.

    What comes out is still that template: ``value.format(env=folder)`` is what the variable is set to.
    """
    if "\0" in text:
        raise ValueError("holds a NUL, which no variable can")
    try:
        fields = [(name, form, conversion) for _, name, form, conversion in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise ValueError("has a brace on its own; {{ and }} stand for braces") from error
    if set(fields) - {("env", "", None)}:
        raise ValueError("has something else than {env} in braces; {{ and }} stand for braces")
    return text


def variables_in(table: Table) -> dict[str, str]:
    """Return the variables of a profile's table; what can't be one becomes a fault of the table."""
    variables = {}
    for name in table:
        value = table.text(name, variable_value)
        refused = why_refused(name)
        if refused:
            table.fault(name, refused)
        elif value is not None:
            variables[name] = value
    return variables
