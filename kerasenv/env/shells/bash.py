"""bash, zsh and every other shell that can source a script in the language of POSIX sh.

The block avoids everything that only some of them have, and holds under `set -eu`. A variable that was there without
being exported comes back that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.shell import block, insert_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "bash, zsh and sh"
SCRIPTS: tuple[str, ...] = ("activate",)


def quote(value: str) -> str:
    """Return a literal that stands for exactly this value."""
    return "'" + value.replace("'", r"'\''").replace("\n", "\n''") + "'"


def hook(script: str, text: str, variables: Mapping[str, str]) -> str:  # noqa: ARG001  # there is only one
    """Return the text with the blocks that set the variables and put them back."""
    restoring = block(
        "    if command -v _kerasenv_restore >/dev/null 2>&1; then",
        "        _kerasenv_restore",
        "    fi",
    )
    return insert_after(r"^deactivate \(\) \{\n", text, restoring) + _activation(variables)


def _activation(variables: Mapping[str, str]) -> str:
    return block(
        '# Without a VIRTUAL_ENV the lines above have failed, and "false" keeps their exit status',
        'if [ -z "${VIRTUAL_ENV-}" ]; then',
        "    false",
        "else",
        '    _kerasenv_exports="$(export -p)"',
        *(line for name, value in variables.items() for line in _setting(name, value)),
        "    unset _kerasenv_exports",
        "    _kerasenv_restore () {",
        *(line for name in variables for line in _restoring(name)),
        "        unset -f _kerasenv_restore",
        "    }",
        "fi",
    )


def _setting(name: str, value: str) -> tuple[str, ...]:
    return (
        f"    unset _KERASENV_OLD_{name} _KERASENV_OWN_{name}",
        f'    if [ -n "${{{name}+x}}" ]; then',
        f'        _KERASENV_OLD_{name}="${name}"',
        f'        case "$_kerasenv_exports" in *" {name}="*) ;; *) _KERASENV_OWN_{name}=1 ;; esac',
        "    fi",
        f"    {name}={quote(value)}",
        f"    export {name}",
    )


def _restoring(name: str) -> tuple[str, ...]:
    return (
        f"        unset {name}",
        f'        if [ -n "${{_KERASENV_OLD_{name}+x}}" ]; then',
        f'            if [ -n "${{_KERASENV_OWN_{name}+x}}" ]; then',
        f'                {name}="$_KERASENV_OLD_{name}"',
        "            else",
        f'                export {name}="$_KERASENV_OLD_{name}"',
        "            fi",
        f"            unset _KERASENV_OLD_{name} _KERASENV_OWN_{name}",
        "        fi",
    )
