"""What create and rebuild say when they are done."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from kerasenv.env.variables import bin_folder
from kerasenv.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.workflow.make import Made


def outcome_of(made: Made, folder: Path) -> Outcome[Made]:
    """Return what a person does with a new environment."""
    text = [f"{change}" for change in made.changes]
    if made.changes:
        text.insert(0, f"{made.lock.name} changed:")
    seconds = f" The model took {made.smoke.seconds:.1f} s." if made.smoke else " It is not proven: --no-smoke."
    receipt = made.environment.receipt
    text.append(f"{folder} is ready: {receipt.profile} on CPython {receipt.python_version}.{seconds}")
    return Outcome(data=made, text=tuple(text), next_steps=tuple(_next_steps(made, folder)))


def _next_steps(made: Made, folder: Path) -> list[str]:
    activate = as_typed(bin_folder(folder) / "activate")
    activate = activate if sys.platform == "win32" else f"source {activate}"
    steps = [f"activate   {activate}", f"or run     kerasenv run {as_typed(folder)} -- python your_script.py"]
    if made.lock_is_new:
        steps.append(f"commit     {made.lock.name}    (then `kerasenv rebuild` makes the same anywhere)")
    return steps


def as_typed(path: Path) -> str:
    """Return a path as one types it, or pastes it, into a shell."""
    if sys.platform == "win32":
        return f'"{path}"' if " " in str(path) else str(path)
    return shlex.quote(str(path))
