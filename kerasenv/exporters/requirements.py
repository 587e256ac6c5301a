"""A requirements file that holds every version, which any pip installs, on every platform of the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.exporter import ABOUT, build_notes, lines_of, oldest_pip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kerasenv.lock.lockfile import Lock

NAME = "requirements"
READERS = "pip 8 and newer, uv"


def export(lock: Lock, name: str, *, hashes: bool) -> Mapping[str, str]:
    """Return the one file, with a digest on each line of its own where there are any."""
    head = [ABOUT.format(name=lock.path.name), f"Python {lock.pylock.requires_python or 'of any version'}"]
    pip, because_of = oldest_pip(lock)
    head.append(
        f"On Linux x86_64 it takes pip {pip} or newer, for the wheels of {', '.join(because_of)}." if because_of else ""
    )
    head.append(f"python -m pip install --no-deps -r {name}")
    lines = [f"# {line}" for line in (*head, *build_notes(lock)) if line]
    lines += [line.replace(" --hash=", " \\\n    --hash=") for line in lines_of(lock, hashes=hashes)]
    return {name: "".join(f"{line}\n" for line in lines)}
