"""Make an environment from a lock, or from a bundle, alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from kerasenv import progress
from kerasenv.engine import Index
from kerasenv.env.replace import check_place, heal
from kerasenv.errors import UsageError
from kerasenv.lock.foreign import with_promise_of_profile
from kerasenv.lock.lockfile import read_lock
from kerasenv.lock.machine import check_machine, pythons_here, this_machine
from kerasenv.platforms import platform_of
from kerasenv.scratch import scratch
from kerasenv.workflow.make import Made, already_there, make, proven_again
from kerasenv.workflow.plan import Making, look_at_system, plan_for, python_for

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.bundle.unpack import Bundle
    from kerasenv.interpreters.interpreter import Interpreter


# Of the engines, the one that can do with files alone
_BUNDLE_ENGINE = "uv"


def rebuild(lock_path: Path, making: Making) -> Made:
    """Make an environment from a lock alone: nothing is resolved, and what the lock doesn't name isn't installed."""
    with progress.step("Lock") as step:
        lock = read_lock(lock_path)
        step.done(lock_path.name, source=str(lock_path))
    if lock.promise is None:
        lock = with_promise_of_profile(lock, making.cwd)
    heal(making.folder)
    check_place(making.folder)
    requires = lock.pylock.requires_python or SpecifierSet()
    interpreter = python_for(requires & pythons_here(lock), making, who=f"{lock_path.name}")
    check_machine(lock, interpreter)
    findings = look_at_system(lock.promise.system if lock.promise else (), interpreter)
    if there := already_there(lock, making, interpreter, upgrade=False):
        return proven_again(there, lock, making, interpreter, old=lock)
    return make(plan_for(lock, making, interpreter, findings), old=lock)


def rebuild_bundle(file: Path, making: Making) -> Made:
    """Make an environment from a bundle alone: nothing is asked of any network, and nothing is built."""
    if making.engine not in {None, _BUNDLE_ENGINE}:
        raise UsageError(f"A bundle is installed by {_BUNDLE_ENGINE}.", hints=[f"Leave --engine {making.engine} out."])
    if making.index.source == "--index-url":
        raise UsageError("A bundle holds every file itself.", hints=["Leave --index-url out."])
    from kerasenv.bundle.unpack import open_bundle, unpack_wheels  # noqa: PLC0415  # a lock needs none of it

    making = replace(making, index=Index(source=file.name, offline=True))
    with scratch("bundle") as folder, open_bundle(file) as bundle:
        with progress.step("Bundle") as step:
            targets = ", ".join(map(str, bundle.manifest.targets))
            step.done(f"{bundle.lock.path.name} for {targets}", source=str(file))
        lock = bundle.lock if bundle.lock.promise is not None else with_promise_of_profile(bundle.lock, making.cwd)
        heal(making.folder)
        check_place(making.folder)
        interpreter = _interpreter_for(bundle, making)
        check_machine(lock, interpreter)
        findings = look_at_system(lock.promise.system if lock.promise else (), interpreter)
        if there := already_there(lock, making, interpreter, upgrade=False):
            return proven_again(there, lock, making, interpreter, old=lock)
        with progress.step("Files") as step:
            files = unpack_wheels(bundle, interpreter, folder)
            step.done(f"{len(files.packages)} packages, each as the bundle's manifest and the lock name it")
        plan = plan_for(lock, replace(making, engine=_BUNDLE_ENGINE), interpreter, findings)
        return make(replace(plan, files=files, why_engine="serves bundles"), old=lock)


def _interpreter_for(bundle: Bundle, making: Making) -> Interpreter:
    """Return the Python that the bundle holds, if it is for this machine and no other one is named."""
    from kerasenv.bundle.unpack import pythons_in, unpack_python  # noqa: PLC0415  # as above

    platform = platform_of(this_machine())
    pythons = pythons_in(bundle, platform.name if platform else None)
    held = bundle.manifest.python
    if making.python is not None or held is None or platform is None or held.platform != platform.name:
        requires = bundle.lock.pylock.requires_python or SpecifierSet()
        return python_for(requires & pythons, making, who=bundle.path.name)
    with progress.step("Python") as step:
        interpreter = unpack_python(bundle)
        step.done(f"CPython {interpreter.version}", source=f"{interpreter.source}: {interpreter.path}")
    return interpreter
