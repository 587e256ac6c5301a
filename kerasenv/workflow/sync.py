"""Make an environment as its lock says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv import progress
from kerasenv.env.environment import Environment, open_environment, write_receipt
from kerasenv.env.replace import heal
from kerasenv.env.sync import nothing_stays, plan_sync
from kerasenv.env.verify import lock_of, look_at, with_lock
from kerasenv.errors import LockError
from kerasenv.lock.lockfile import Lock, write_file
from kerasenv.lock.machine import check_machine, pythons_here
from kerasenv.workflow.make import make
from kerasenv.workflow.plan import Making, look_at_system, plan_for, python_for

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.env.sync import Action
    from kerasenv.smoke.run import SmokeResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """What was done, or would be."""

    environment: Environment
    lock: Path
    actions: tuple[Action, ...]
    done: bool
    smoke: SmokeResult | None


def sync(making: Making, *, lock_path: Path | None = None, keep_extra: bool = False, dry_run: bool = False) -> Synced:
    """Make an environment as its lock says, by way of what differs; touch nothing if nothing does."""
    if not dry_run:
        heal(making.folder)
    environment = open_environment(making.folder)
    with progress.step("Lock") as step:
        lock, source = lock_of(environment, lock_path, cwd=making.cwd)
        step.done(lock.path.name, source=source)
    _check_same_profile(lock, environment)
    with progress.step("Plan") as step:
        condition = look_at(environment, lock)
        plan = plan_sync(condition, keep_extra=keep_extra)
        for action in plan.actions:
            progress.substep(str(action))
        step.done(
            f"{len(plan.actions) or 'nothing'} to do", source=f"{condition.files} files compared with {lock.path.name}"
        )
    synced = Synced(environment=environment, lock=lock.path, actions=plan.actions, done=False, smoke=None)
    if dry_run or not plan.actions:
        return synced
    if not plan.rebuilds:
        return replace(synced, environment=_keep_other_lock(environment, lock), done=True)
    making = replace(
        making,
        activation_hooks=environment.receipt.activation_hooks,
        startup_hook=environment.receipt.startup_hook,
    )
    requires = lock.pylock.requires_python or SpecifierSet()
    interpreter = python_for(requires & pythons_here(lock), making, who=lock.path.name)
    check_machine(lock, interpreter)
    if interpreter.minor != Version(environment.receipt.python_version).base_version.rpartition(".")[0]:
        plan = nothing_stays(plan, condition)
        if keep_extra:
            progress.note(f"What the lock doesn't have is not taken along to CPython {interpreter.minor}.")
    findings = look_at_system(lock.promise.system if lock.promise else (), interpreter)
    made = make(replace(plan_for(lock, making, interpreter, findings), sync=plan), old=lock)
    return replace(synced, environment=made.environment, done=True, smoke=made.smoke)


def _check_same_profile(lock: Lock, environment: Environment) -> None:
    profile = environment.receipt.profile
    if lock.promise is not None and lock.promise.profile != profile:
        raise LockError(
            f"{lock.path.name} is for profile {lock.promise.profile}, and {environment.folder} is one of {profile}.",
            hints=["To replace the environment as a whole: kerasenv rebuild LOCKFILE DIR --force"],
        )


def _keep_other_lock(environment: Environment, lock: Lock) -> Environment:
    """Let an environment remember another lock, whose packages and promises are those that it has."""
    folder = environment.folder
    with progress.step("Receipt") as step:
        write_file(folder / lock.path.name, lock.content)
        environment = with_lock(environment, lock)
        write_receipt(folder, environment.receipt)
        step.done(f"made from {lock.path.name} as it is now", source="nothing else differs")
    return environment
