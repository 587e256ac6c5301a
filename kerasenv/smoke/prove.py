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
from kerasenv.smoke.run import SmokeResult, run_smoke, run_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kerasenv.smoke.run import StepResult


def prove(
    environment: Environment, variables: Mapping[str, str], *, full: bool = False, gpu: bool = False
) -> SmokeResult:
    """Run the smoke test of an environment, wherever it stands now; a model that fails is a result.

    With `full` the trial of its era follows, if that model works.
    """
    environ = for_smoke(os.environ, environment.folder, variables)
    with progress.step("Smoke test") as step:
        result = run_smoke(
            environment.python,
            environment.plan,
            environ=environ,
            gpu=gpu,
            noise=environment.noise,
            on_step=_tell,
        )
        step.failed = not result.passed
        did = "built, trained, saved and loaded a model" if environment.plan.trains else "built and loaded a model"
        step.done(did if result.passed else f"failed at {result.failed_step}")
    if full and result.passed:
        with progress.step("Era trial") as step:
            trial = run_trial(
                environment.python,
                environment.plan,
                environment.trial,
                keras=result.versions.get("keras"),
                environ=environ,
                noise=environment.noise,
                on_step=_tell,
            )
            step.failed = not trial.passed
            step.done(f"{len(trial.steps)} steps" if trial.passed else f"failed at {trial.failed_step}")
        result = replace(result, passed=trial.passed, full=trial)
    _tell_unknown(result)
    return result


def _tell_unknown(result: SmokeResult) -> None:
    lines = [*result.unknown, *(result.full.unknown if result.full else ())]
    for line in lines:
        progress.detail(f"not known to the profile: {line}")
    if lines and result.passed:
        said, it = ("1 line was", "it") if len(lines) == 1 else (f"{len(lines)} lines were", "them")
        progress.note(f"{said} said that the profile doesn't know: kerasenv smoke -v shows {it}.")


def _tell(step: StepResult) -> None:
    detail = f" ({step.detail})" if step.detail else ""
    progress.substep(f"{step.name}: {step.status}{detail}, {step.seconds:.1f} s")


def smoke_error(result: SmokeResult, profile: str, *, kept: bool = True) -> SmokeError:
    """Return a failed smoke test as an error: which step, the end of its traceback, and what it usually means.

    `kept` says whether the environment is still there to be looked at.
    """
    what = "model"
    if result.full is not None and not result.full.passed:
        what, result = "era trial", result.full
    hints = [result.meaning.cause, result.meaning.cure] if result.meaning else []
    hints += [] if kept else ["To have such an environment for a closer look: --no-smoke"]
    if result.failed_step == "gpu":
        hints += [
            "Look whether the driver sees the card (NVIDIA's: nvidia-smi), in a container as well.",
            f"Look whether the packages can use it: kerasenv show {profile} tells its variants and what they need.",
        ]
    return SmokeError(
        f"The {what} of {profile} failed at step '{result.failed_step}': {result.error}",
        looked_at=result.traceback,
        hints=hints,
    )


def with_smoke(environment: Environment, result: SmokeResult) -> Environment:
    """Return the environment with the result in its receipt, which is not written yet."""
    table = {"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **_kept_of(result)}
    return Environment(folder=environment.folder, receipt=replace(environment.receipt, smoke=table))


def _kept_of(result: SmokeResult) -> dict[str, object]:
    return {
        "passed": result.passed,
        "seconds": round(result.seconds, 3),
        "steps": [asdict(one) for one in result.steps],
        "versions": dict(result.versions),
        "devices": list(result.devices),
        "error": result.error,
        "full": _kept_of(result.full) if result.full is not None else None,
    }
