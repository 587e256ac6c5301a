"""Prove an environment: have its own Python build, train, save and load a model, and try what its era wrote."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kerasenv import process
from kerasenv.errors import ProgramError
from kerasenv.resources import probe
from kerasenv.scratch import scratch
from kerasenv.smoke.meanings import Meaning, explain
from kerasenv.smoke.noise import Heard, sort_out
from kerasenv.smoke.plan import idiom_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from kerasenv.smoke.plan import Noise, SmokePlan, Trial

_LAST_LINES = 15
_REMEMBERED_LINES = 500  # a crash deep inside an import leaves a long stack, which begins with the line that matters
_GRAPHICS = ("cuda", "cudnn", "gpu", "libcu", "nvidia", "rocm")
_FATAL = ("Fatal Python error", "Windows fatal exception")

# How Windows ends a process, where others send a signal
_WINDOWS_ENDINGS = {
    0xC0000005: "STATUS_ACCESS_VIOLATION",
    0xC000001D: "STATUS_ILLEGAL_INSTRUCTION",
    0xC0000135: "STATUS_DLL_NOT_FOUND",
    0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """How one step went; `detail` is what it came to, the reason it was skipped, or the error."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    seconds: float
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SmokeResult:
    """How the whole test went; what stands from `failed_step` to `meaning` is about a failure."""

    passed: bool
    steps: tuple[StepResult, ...]
    seconds: float
    versions: Mapping[str, str]
    """Of Python, Keras and whatever else took part; `backend` is the one in use. Empty if the process died."""
    devices: tuple[str, ...] = ()
    """What the backend can compute on, in its own words; empty if it wasn't asked or can't tell."""
    failed_step: str | None = None
    """A step's name, or 'start' or 'exit' for a process that died before the first or after the last of them."""
    error: str | None = None
    """In the words of the exception, which can have several lines."""
    traceback: tuple[str, ...] = ()
    """Its last lines; those of standard error if the process died."""
    meaning: Meaning | None = None
    noise: int = 0
    """How many lines of standard error are known to say nothing."""
    unknown: tuple[str, ...] = ()
    """The other lines of standard error."""
    full: SmokeResult | None = None
    """How the era trial went, if there was one."""


def run_smoke(
    python: Path,
    plan: SmokePlan,
    *,
    environ: Mapping[str, str],
    gpu: bool = False,
    noise: Sequence[Noise] = (),
    on_step: Callable[[StepResult], None] | None = None,
    timeout: float | None = None,
) -> SmokeResult:
    """Run the smoke test in a fresh process, whose variables are just `environ`, from an empty folder.

    `on_step` sees each step as it ends. A model that fails is a result, and so is a process that can't start, dies, or
    is not done after `timeout` seconds. With `gpu`, a backend that sees none has failed.
    """
    asked = {**_for_probe(plan), "gpu": gpu}
    return _run("smoke", asked, python, environ=environ, noise=noise, on_step=on_step, timeout=timeout)


def run_trial(
    python: Path,
    plan: SmokePlan,
    trial: Trial,
    *,
    keras: str | None,
    environ: Mapping[str, str],
    noise: Sequence[Noise] = (),
    on_step: Callable[[StepResult], None] | None = None,
) -> SmokeResult:
    """Run the era trial as `run_smoke` runs the smoke test, which has found the version of `keras`."""
    asked = {**_for_probe(plan), "idiom": idiom_of(trial, plan, keras), "imports": list(trial.imports)}
    return _run("trial", asked, python, environ=environ, noise=noise, on_step=on_step)


def _run(
    name: str,
    asked: Mapping[str, object],
    python: Path,
    *,
    environ: Mapping[str, str],
    noise: Sequence[Noise],
    on_step: Callable[[StepResult], None] | None = None,
    timeout: float | None = None,
) -> SmokeResult:
    """Run a probe that reports steps and a result."""
    listener = _Listener(on_step)
    said: list[str] = []
    # Not resolved: a link is what makes a Python that of a virtual environment
    command: list[str | Path] = [python.absolute(), probe(name), json.dumps(asked)]
    started = time.perf_counter()
    # On Windows, a compiler that outlives the process would still hold the folder
    with scratch("smoke") as folder:
        try:
            finished = process.run(
                command,
                environ=environ,
                cwd=folder,
                on_line=said.append,
                on_stdout_line=listener.hear,
                timeout=timeout,
            )
        except ProgramError as problem:
            ending: str | None = problem.message
        else:
            ending = _ending(finished.returncode)
    seconds = time.perf_counter() - started
    result, heard = listener.result, sort_out(said, noise)
    if result is None or (result["passed"] and ending is not None):
        return _dead(ending or "the Python process ended", listener, heard, seconds)
    return _finished(result, listener.steps, heard, said, seconds)


class _Listener:
    """Hears what the probe reports; what else reached standard output (a sitecustomize can print) is passed over."""

    def __init__(self, on_step: Callable[[StepResult], None] | None) -> None:
        self._on_step = on_step
        self._began = 0.0
        self.running: str | None = None
        self.steps: list[StepResult] = []
        self.result: dict[str, Any] | None = None

    def hear(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        match event:
            case {"event": "start", "name": name}:
                self.running, self._began = name, time.perf_counter()
            case {"event": "step", "name": name, "status": status, "seconds": seconds, "detail": detail}:
                self._end(StepResult(name=name, status=status, seconds=seconds, detail=detail))
            case {"event": "result"}:
                self.result = event
            case _:
                pass

    def interrupt(self, error: str) -> None:
        """End the step that was running when the process died."""
        if self.running is not None:
            seconds = round(time.perf_counter() - self._began, 3)
            self._end(StepResult(name=self.running, status="failed", seconds=seconds, detail=error))

    def _end(self, step: StepResult) -> None:
        self.running = None
        self.steps.append(step)
        if self._on_step is not None:
            self._on_step(step)


def _for_probe(plan: SmokePlan) -> dict[str, object]:
    settings = {"floatx": plan.floatx, "epsilon": plan.epsilon, "image_data_format": plan.image_data_format}
    return {
        "import": plan.import_name,
        "backend": plan.backend,
        "trains": plan.trains,
        "formats": list(plan.formats),
        "settings": {name: value for name, value in settings.items() if value is not None},
    }


def _finished(
    result: Mapping[str, Any], steps: Sequence[StepResult], heard: Heard, said: Sequence[str], seconds: float
) -> SmokeResult:
    error, traceback = result["error"], tuple(result["traceback"])
    if result["failed_step"] == "gpu":
        # What is noise on a machine without a GPU is what matters now
        told = [line for line in said if any(word in line.lower() for word in _GRAPHICS)]
        traceback = tuple(dict.fromkeys(map(process.redact, told)))[-_LAST_LINES:]
    return SmokeResult(
        passed=result["passed"],
        steps=tuple(steps),
        seconds=seconds,
        versions=result["versions"],
        devices=tuple(result["devices"]),
        failed_step=result["failed_step"],
        error=error,
        traceback=traceback,
        meaning=_meaning(error, traceback) if error else None,
        noise=heard.noise,
        unknown=heard.unknown,
    )


def _dead(ending: str, listener: _Listener, heard: Heard, seconds: float) -> SmokeResult:
    if listener.running is not None:
        where, when = listener.running, f"during the step '{listener.running}'"
    elif listener.result is not None:
        where, when = "exit", "after the last step"
    elif listener.steps:
        where, when = listener.steps[-1].name, f"after the step '{listener.steps[-1].name}'"
    else:
        where, when = "start", "before the first step"
    error = f"{ending} {when}"
    said = heard.unknown[-_REMEMBERED_LINES:]
    listener.interrupt(error)
    return SmokeResult(
        passed=False,
        steps=tuple(listener.steps),
        seconds=seconds,
        versions=listener.result["versions"] if listener.result is not None else {},
        failed_step=where,
        error=error,
        traceback=_telling_lines(said),
        meaning=_meaning(error, said),
        noise=heard.noise,
        unknown=heard.unknown,
    )


def _ending(returncode: int) -> str | None:
    """Say how a process ended if not well."""
    if returncode == 0:
        return None
    if returncode < 0:
        return f"the Python process was ended by signal {-returncode} ({_signal_name(-returncode)})"
    if returncode in _WINDOWS_ENDINGS:
        return f"the Python process was ended by Windows (0x{returncode:X}, {_WINDOWS_ENDINGS[returncode]})"
    return f"the Python process ended with exit code {returncode}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return "unnamed"


def _telling_lines(said: Sequence[str]) -> tuple[str, ...]:
    """Return the end of what was said, or, of a crash that Python saw, the innermost calls, which it names first."""
    lines = [line for line in said if line.strip()]
    for position, line in enumerate(lines):
        if line.startswith(_FATAL):
            return tuple(lines[max(position - 2, 0) :][:_LAST_LINES])
    return tuple(lines[-_LAST_LINES:])


def _meaning(error: str, lines: Sequence[str]) -> Meaning | None:
    """Explain the error itself, or else by what stands around it; a notice explains no failure."""
    meaning = explain(error) or explain("\n".join(lines))
    return None if meaning is None or meaning.harmless else meaning
