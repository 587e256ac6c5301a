"""An environment.yml: conda brings Python, and its pip everything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kerasenv.exporter import ABOUT, build_notes, lines_of, promise_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kerasenv.lock.lockfile import Lock

NAME = "conda"
READERS = "conda, mamba"


def export(lock: Lock, name: str, *, hashes: bool) -> Mapping[str, str]:
    """Return the one file.

    A text in double quotes is written in YAML as it is in JSON. Variables that name the environment's folder are left
    out, since conda doesn't put it in.
    """
    promise = promise_of(lock)
    variables = {"KERAS_BACKEND": promise.backend} if promise.backend else {}
    variables |= {key: value for key, value in promise.variables.items() if value == value.format(env="")}
    left_out = sorted({"KERAS_HOME", *(key for key in promise.variables if key not in variables)})
    python = f"python {lock.pylock.requires_python}" if lock.pylock.requires_python else "python"
    notes = [*build_notes(lock), f"Not set here, since they name the environment's folder: {', '.join(left_out)}."]
    lines = [
        *(f"# {line}" for line in (ABOUT.format(name=lock.path.name), *notes)),
        f"name: {json.dumps(promise.profile)}",
        "channels:",
        '  - "conda-forge"',
        "dependencies:",
        f"  - {json.dumps(python)}",
        '  - "pip"',
        "  - pip:",
        *(f"      - {json.dumps(line)}" for line in lines_of(lock, hashes=hashes)),
        *(["variables:"] if variables else []),
        *(f"  {key}: {json.dumps(value)}" for key, value in variables.items()),
    ]
    return {name: "".join(f"{line}\n" for line in lines)}
