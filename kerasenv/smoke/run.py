"""Prove an environment: have its own Python build, train, save and load a model."""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kerasenv import process
from kerasenv.errors import ProgramError
from kerasenv.resources import probe
from kerasenv.smoke.meanings import Meaning, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kerasenv.smoke.plan import SmokePlan

_LAST_LINES = 15
_REMEMBERED_LINES = 500  # a crash deep inside an import leaves a long stack, which begins with the line that matters
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
    """How the whole test went; what follows `versions` is about a failure."""

    passed: bool
    steps: tuple[StepResult, ...]
    seconds: float
    versions: Mapping[str, str]
    """Of Python, Keras and whatever else took part; `backend` is the one in use. Empty if the process died."""
    failed_step: str | None = None
    """A step's name, or 'start' or 'exit' for a process that died before the first or after the last of them."""
    error: str | None = None
    """In the words of the exception, which can have several lines."""
    traceback: tuple[str, ...] = ()
    """Its last lines; those of standard error if the process died."""
    meaning: Meaning | None = None


def run_smoke(
    python: Path,
    plan: SmokePlan,
    *,
    environ: Mapping[str, str],
    on_step: Callable[[StepResult], None] | None = None,
    timeout: float | None = None,
) -> SmokeResult:
    """Run the smoke test in a fresh process, whose variables are just `environ`, from an empty folder.

    `on_step` sees each step as it ends. A model that fails is a result, and so is a process that can't start, dies, or
    is not done after `timeout` seconds.
    """
    listener = _Listener(on_step)
    said: deque[str] = deque(maxlen=_REMEMBERED_LINES)
    # Not resolved: a link is what makes a Python that of a virtual environment
    command: list[str | Path] = [python.absolute(), probe("smoke"), json.dumps(_for_probe(plan))]
    started = time.perf_counter()
    # On Windows, a compiler that outlives the process would still hold the folder
    with tempfile.TemporaryDirectory(prefix="kerasenv-smoke-", ignore_cleanup_errors=True) as folder:
        try:
            finished = process.run(
                command,
                environ=environ,
                cwd=Path(folder),
                on_line=said.append,
                on_stdout_line=listener.hear,
                timeout=timeout,
            )
        except ProgramError as problem:
            ending: str | None = problem.message
        else:
            ending = _ending(finished.returncode)
    seconds = time.perf_counter() - started
    result = listener.result
    if result is None or (result["passed"] and ending is not None):
        return _dead(ending or "the Python process ended", listener, said, seconds)
    return _finished(result, listener.steps, seconds)


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


def _finished(result: Mapping[str, Any], steps: Sequence[StepResult], seconds: float) -> SmokeResult:
    error, traceback = result["error"], tuple(result["traceback"])
    return SmokeResult(
        passed=result["passed"],
        steps=tuple(steps),
        seconds=seconds,
        versions=result["versions"],
        failed_step=result["failed_step"],
        error=error,
        traceback=traceback,
        meaning=_meaning(error, traceback) if error else None,
    )


def _dead(ending: str, listener: _Listener, said: Sequence[str], seconds: float) -> SmokeResult:
    if listener.running is not None:
        where, when = listener.running, f"during the step '{listener.running}'"
    elif listener.result is not None:
        where, when = "exit", "after the last step"
    elif listener.steps:
        where, when = listener.steps[-1].name, f"after the step '{listener.steps[-1].name}'"
    else:
        where, when = "start", "before the first step"
    error = f"{ending} {when}"
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
