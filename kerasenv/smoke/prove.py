"""Prove an environment by its model, and keep what came out in its receipt."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.env.environment import Environment
from kerasenv.env.variables import for_smoke
from kerasenv.errors import SmokeError
from kerasenv.smoke.run import SmokeResult, run_smoke

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kerasenv.smoke.run import StepResult


def prove(environment: Environment, variables: Mapping[str, str]) -> SmokeResult:
    """Run the smoke test of an environment, wherever it stands now; a model that fails is a result."""
    with progress.step("Smoke test") as step:
        result = run_smoke(
            environment.python,
            environment.plan,
            environ=for_smoke(os.environ, environment.folder, variables),
            on_step=_tell,
        )
        step.failed = not result.passed
        did = "built, trained, saved and loaded a model" if environment.plan.trains else "built and loaded a model"
        step.done(did if result.passed else f"failed at {result.failed_step}")
    return result


def _tell(step: StepResult) -> None:
    detail = f" ({step.detail})" if step.detail else ""
    progress.substep(f"{step.name}: {step.status}{detail}, {step.seconds:.1f} s")


def smoke_error(result: SmokeResult, profile: str, *, kept: bool = True) -> SmokeError:
    """Return a failed smoke test as an error: which step, the end of its traceback, and what it usually means.

    `kept` says whether the environment is still there to be looked at.
    """
    hints = [result.meaning.cause, result.meaning.cure] if result.meaning else []
    hints += [] if kept else ["To have such an environment for a closer look: --no-smoke"]
    return SmokeError(
        f"The model of {profile} failed at step '{result.failed_step}': {result.error}",
        looked_at=result.traceback,
        hints=hints,
    )


def with_smoke(environment: Environment, result: SmokeResult) -> Environment:
    """Return the environment with the result in its receipt, which is not written yet."""
    table = {
        "passed": result.passed,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 3),
        "steps": [asdict(one) for one in result.steps],
        "versions": dict(result.versions),
        "error": result.error,
    }
    return Environment(folder=environment.folder, receipt=replace(environment.receipt, smoke=table))
