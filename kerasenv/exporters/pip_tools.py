"""What pip-compile reads, and what it would write: what was asked for, what held it back, and every version."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from kerasenv.exporter import ABOUT, build_notes, pins_of, promise_of
from kerasenv.requirements_file import format_hashed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kerasenv.lock.lockfile import Lock

NAME = "pip-tools"
READERS = "pip-compile and pip-sync"


def export(lock: Lock, name: str, *, hashes: bool) -> Mapping[str, str]:
    """Return the versions, what they were chosen from, and the constraints."""
    promise = promise_of(lock)
    stem = PurePath(name).stem
    wanted, constraints = f"{stem}.in", f"{stem}.constraints.txt"
    about = f"# {ABOUT.format(name=lock.path.name)}"
    bounds = [f"-c {constraints}"] if promise.constraints else []
    files = {
        name: [
            about,
            *(f"# {line}" for line in build_notes(lock)),
            *format_hashed(pins_of(lock, hashes=hashes)).splitlines(),
        ],
        # pip is among the versions of every lock
        wanted: [about, *bounds, *promise.requirements, "pip"],
    }
    if promise.constraints:
        files[constraints] = [about, *promise.constraints]
    return {file: "".join(f"{line}\n" for line in lines) for file, lines in files.items()}
