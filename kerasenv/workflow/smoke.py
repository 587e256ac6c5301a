"""Prove an environment that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.environment import Environment, open_environment, write_receipt
from kerasenv.smoke.prove import prove, with_smoke

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.smoke.run import SmokeResult


def smoke(folder: Path, *, full: bool = False, gpu: bool = False) -> tuple[Environment, SmokeResult]:
    """Run the smoke test of an environment, and the trial of its era; keep the result in its receipt."""
    environment = open_environment(folder)
    result = prove(environment, environment.receipt.variables, full=full, gpu=gpu)
    environment = with_smoke(environment, result)
    write_receipt(folder, environment.receipt)
    return environment, result
