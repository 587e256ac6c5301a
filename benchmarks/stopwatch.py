"""Run a command, and tell what it took: by the clock, of the processors, and afterwards in the background."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
_LOOK_EVERY = 0.02
_ASK_EVERY = 1.0
_PATIENCE = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Seconds by the clock, and seconds of all processors together."""

    seconds: float
    cpu_seconds: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(seconds=self.seconds + other.seconds, cpu_seconds=self.cpu_seconds + other.cpu_seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What is run, with which variables, and where."""

    words: Sequence[str | Path]
    environ: Mapping[str, str]
    cwd: Path


def run(command: Command, log: Path) -> None:
    """Run a command that must succeed; what it says goes to a file, as nobody listens."""
    with log.open("wb") as said:
        # No pipe: one that a process in the background holds open would have to be waited for
        done = subprocess.run(
            [str(word) for word in command.words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=dict(command.environ),
            cwd=command.cwd,
            check=False,
        )
    if done.returncode:
        words = " ".join(str(word) for word in command.words)
        tail = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-30:])
        raise SystemExit(f"This ended with {done.returncode}: {words}\n{tail}")


def timed(work: Callable[[], object]) -> Spent:
    """Do something that starts programs and waits for them, and tell what that took."""
    cpu = _cpu_seconds()
    began = time.perf_counter()
    work()
    ended = time.perf_counter()
    return Spent(seconds=ended - began, cpu_seconds=_cpu_seconds() - cpu)


def adopt_orphans() -> None:
    """Become the parent of each process that outlives its own, so that it can be waited for; Linux knows how."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for_background(info: Command) -> Spent:
    """Wait until nothing is at work any more that a command left behind, and tell what it took.

    `info` is the command that says whether kerasenv's store is busy.
    """
    cpu = _cpu_seconds()
    began = time.perf_counter()
    wait_for_orphans()
    ended, spent = time.perf_counter(), _cpu_seconds() - cpu
    while _is_busy(info):  # where orphans can't be adopted
        time.sleep(_ASK_EVERY)
        ended = time.perf_counter()
        if ended - began > _PATIENCE:
            raise SystemExit("kerasenv's store is busy without an end.")
    return Spent(seconds=ended - began, cpu_seconds=spent)


def wait_for_orphans() -> None:
    """Wait until every process has ended that was adopted."""
    until = time.perf_counter() + _PATIENCE
    while time.perf_counter() < until:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(_LOOK_EVERY)
    raise SystemExit("A process in the background doesn't end.")


def _is_busy(info: Command) -> bool:
    answer = subprocess.run(
        [str(word) for word in info.words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=dict(info.environ),
        cwd=info.cwd,
        check=False,
    )
    if answer.returncode:  # a kerasenv without a store
        return False
    return bool(json.loads(answer.stdout)["data"]["busy"])


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
