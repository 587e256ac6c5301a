"""Replace a folder again and again, and be killed each time at a later moment: a program that tests start.

    python crash_points.py CHECKOUT FOLDER exchange|fallback|remove old|empty|none

Each line that it prints is a JSON object: what stands at the place after a kill, and after the next attempt.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

sys.path[0] = sys.argv[1]

from kerasenv.env import replace  # noqa: E402  # only now can it be found
from kerasenv.env.environment import RECEIPT  # noqa: E402

# What changes a file system, or comes right before or after such a change
EVENTS = frozenset(
    {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.chmod", "shutil.rmtree", "ctypes.dlsym"}
)


def fill(folder: Path, name: str) -> None:
    """Make something that looks like an environment and is whole only with all of its files."""
    (folder / "bin").mkdir(parents=True)
    for file in ("bin/python", "bin/pip", RECEIPT):
        (folder / file).write_text(name)


def state(folder: Path) -> str:
    """Return whose environment this is, 'absent', or 'broken'."""
    if not folder.exists():
        return "absent"
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    if not found:
        return "empty"
    names = set(found.values())
    return names.pop() if len(found) == 3 and len(names) == 1 else "broken"


def die_at(number: int) -> None:
    seen = 0

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in EVENTS:
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def attempt(target: Path, way: str, name: str) -> None:
    if way == "remove":
        replace.remove_folder(target)
        return
    with replace.replacing(target) as built:
        fill(built, name)


def main() -> None:
    folder, way, before = Path(sys.argv[2]), *sys.argv[3:]
    target = folder / "env"
    if way == "fallback":
        replace._exchange = lambda _one, _other: False  # type: ignore[assignment]  # noqa: SLF001
    number = 0
    killed = True
    while killed:
        number += 1
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if before == "old":
            fill(target, "old")
        elif before == "empty":
            target.mkdir()
        child = os.fork()
        if child == 0:
            die_at(number)
            attempt(target, way, "new")
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        row = {"number": number, "killed": killed, "after": state(target)}
        replace.heal(target)
        row["healed"] = state(target)
        if way != "remove":
            attempt(target, way, "next")
        row["next"] = state(target)
        row["left"] = sorted(path.name for path in folder.iterdir())
        print(json.dumps(row))  # noqa: T201


main()
