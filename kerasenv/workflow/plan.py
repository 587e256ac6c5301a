"""What is decided before anything is built: which Python, which engine, what the system has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.engine import Index
from kerasenv.engines.choose import choose_engine
from kerasenv.env.environment import has_receipt, open_environment
from kerasenv.errors import InterpreterError, LockError
from kerasenv.interpreters.find import inspect
from kerasenv.interpreters.get import Downloads, find_or_get
from kerasenv.system.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.pylock import Pylock
    from packaging.specifiers import SpecifierSet

    from kerasenv.engine import Engine
    from kerasenv.env.sync import SyncPlan
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.lockfile import Lock, Promise
    from kerasenv.system.need import SystemNeed


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """How an environment is to be made, whatever it holds."""

    folder: Path
    cwd: Path
    python: str | None = None
    downloads: Downloads = field(default_factory=Downloads)
    engine: str | None = None
    index: Index = field(default_factory=Index)
    force: bool = False
    smoke: bool = True
    activation_hooks: bool = True
    startup_hook: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that is decided before anything is built."""

    lock: Lock
    promise: Promise
    making: Making
    interpreter: Interpreter
    findings: Findings
    engine: Engine
    why_engine: str
    files: Pylock | None = None
    """What is installed in place of the lock's own files: the same ones, from a bundle."""
    sync: SyncPlan | None = None
    """What stays of the environment that is there; None if nothing does."""


def plan_for(lock: Lock, making: Making, interpreter: Interpreter, findings: Findings) -> Plan:
    """Return the plan for a lock; raise LockError if that doesn't say what environment it is for."""
    if lock.promise is None:
        raise LockError(f"{lock.path.name} does not say what environment it is for.")
    engine, why = choose_engine(making.engine, interpreter)
    return Plan(
        lock=lock,
        promise=lock.promise,
        making=making,
        interpreter=interpreter,
        findings=findings,
        engine=engine,
        why_engine=why,
    )


def look_at_system(needs: Sequence[SystemNeed], interpreter: Interpreter) -> Findings:
    """Look for what only the system can have, before anything is fetched."""
    if not needs:
        return Findings()
    from kerasenv.system.look import advice, look  # noqa: PLC0415  # few profiles need anything of it

    with progress.step("System") as step:
        findings = look(needs, interpreter)
        step.done(findings.told, source=f"as CPython {interpreter.version} finds it")
    for missing in findings.missing:
        progress.note(advice(missing, interpreter))
    return findings


def python_for(requires: SpecifierSet, making: Making, *, who: str) -> Interpreter:
    """Return the Python that is there, or is found, or is got."""
    with progress.step("Python") as step, ThreadPoolExecutor(max_workers=1, thread_name_prefix="import") as pool:
        # It takes another Python a while to say what it is: meanwhile what works with it is imported
        pool.submit(import_module, "kerasenv.workflow.make")
        interpreter = _python_there(requires, making) or find_or_get(
            requires, request=making.python, who=who, downloads=making.downloads
        )
        step.done(f"CPython {interpreter.version}", source=f"{interpreter.source}: {interpreter.path}")
    return interpreter


def _python_there(requires: SpecifierSet, making: Making) -> Interpreter | None:
    """Return the Python of the environment that is already at the place, if it may stay and fits."""
    if making.python is not None or making.force or not has_receipt(making.folder):
        return None
    with suppress(InterpreterError):
        python = Path(open_environment(making.folder).receipt.python_path)
        interpreter = inspect(python, source="as in the environment that is there")
        if requires.contains(interpreter.version, prereleases=True):
            return interpreter
    return None
