"""The lock as PEP 751 has it, without the table of kerasenv."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from kerasenv.errors import LockError
from kerasenv.exporter import ABOUT
from kerasenv.lock.lockfile import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kerasenv.lock.lockfile import Lock

NAME = "pylock"
READERS = "uv, pip 26.1 and newer"


def export(lock: Lock, name: str, *, hashes: bool) -> Mapping[str, str]:
    """Return the one file."""
    checked_name(Path(name))
    if not hashes:
        raise LockError(
            "A pylock.toml without hashes is none: its format wants them.", hints=["Leave --no-hashes out."]
        )
    table = {key: value for key, value in lock.pylock.to_dict().items() if key != "tool"}
    return {name: f"# {ABOUT.format(name=lock.path.name)}\n{tomli_w.dumps(table)}"}
