"""Put an environment in its place: beside it first, proven, and then in one step."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.env.environment import Environment, has_receipt, open_environment, write_receipt
from kerasenv.env.replace import replacing
from kerasenv.errors import EnvironmentFolderError, LockError
from kerasenv.lock.lockfile import Lock, write_file
from kerasenv.lock.machine import count_here
from kerasenv.workflow.build import build
from kerasenv.workflow.keep import keep_afterwards

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.diff import Change
    from kerasenv.smoke.run import SmokeResult
    from kerasenv.workflow.plan import Making, Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What came out."""

    environment: Environment
    lock: Path
    lock_is_new: bool
    packages: int
    smoke: SmokeResult | None
    changes: tuple[Change, ...] = ()


def already_there(lock: Lock, making: Making, interpreter: Interpreter, *, upgrade: bool) -> Environment | None:
    """Return the environment that is already at the place if it is just what is asked for, None if one is to be made.

    Only `--force` replaces another one, and `--upgrade` what was made from this lock as it was before.
    """
    if making.force or not has_receipt(making.folder):
        return None
    environment = open_environment(making.folder)
    receipt = environment.receipt
    other_lock = lock.digest != receipt.lock_digest
    earlier = upgrade and (receipt.profile, receipt.lock_name) == (_profile_of(lock), lock.path.name)
    differing = [
        text
        for differs, text in (
            (other_lock and not earlier, f"it was made from {receipt.lock_name}, as that file was then"),
            (
                making.python is not None and str(interpreter.version) != receipt.python_version,
                f"it has CPython {receipt.python_version}, not {interpreter.version}",
            ),
            (
                (making.activation_hooks, making.startup_hook) != (receipt.activation_hooks, receipt.startup_hook),
                "its hooks are not those that are asked for",
            ),
        )
        if differs
    ]
    if differing:
        raise EnvironmentFolderError(
            f"{making.folder} already holds another environment ({receipt.profile}, made {receipt.created}).",
            looked_at=differing,
            hints=[
                *_change_it(lock, environment),
                "Replace it: add --force",
                "Or name another folder for the new one.",
            ],
        )
    return None if other_lock else environment


def _change_it(lock: Lock, environment: Environment) -> list[str]:
    """Return how to change only what differs, if it is an environment of the same profile."""
    same = _profile_of(lock) == environment.receipt.profile and lock.digest != environment.receipt.lock_digest
    return ["Change only what differs: kerasenv sync DIR --lock LOCKFILE"] if same else []


def _profile_of(lock: Lock) -> str | None:
    return lock.promise.profile if lock.promise else None


def proven_again(
    environment: Environment,
    lock: Lock,
    making: Making,
    interpreter: Interpreter,
    *,
    old: Lock | None,
) -> Made:
    """Leave an environment as it is that is just what is asked for; prove that it still works."""
    with progress.step("Environment") as step:
        step.done("already there, made from this very lock", source=f"{making.folder}")
    result = None
    if making.smoke:
        from kerasenv.smoke.prove import prove, smoke_error, with_smoke  # noqa: PLC0415  # only where a model runs

        result = prove(environment, environment.receipt.variables)
        environment = with_smoke(environment, result)
        write_receipt(environment.folder, environment.receipt)
        if not result.passed:
            raise smoke_error(result, environment.receipt.profile)
    is_new = old is None or old.digest != lock.digest
    if is_new:  # somebody took away the lock, or took it back
        write_file(lock.path, lock.content)
    return Made(
        environment=environment,
        lock=lock.path,
        lock_is_new=is_new,
        packages=count_here(lock, interpreter),
        smoke=result,
    )


def make(plan: Plan, *, old: Lock | None, diff: tuple[Change, ...] = ()) -> Made:
    """Build beside the place, prove it, write the lock, and only then put it in place."""
    lock, folder = plan.lock, plan.making.folder
    is_new = old is None or old.digest != lock.digest
    written = False
    try:
        with replacing(folder) as built:
            environment, result = build(plan, built)
            write_receipt(built, environment.receipt)
            if is_new:
                write_file(lock.path, lock.content, work=built.parent)
                written = True
    except BaseException:
        if written:
            _take_back(lock, old)
        raise
    if plan.engine.fills_store and plan.files is None:  # what a bundle has built stays with its bundle
        keep_afterwards(folder)
    return Made(
        environment=open_environment(folder),
        lock=lock.path,
        lock_is_new=is_new,
        packages=count_here(lock, plan.interpreter),
        smoke=result,
        changes=diff,
    )


def _take_back(lock: Lock, old: Lock | None) -> None:
    """Put the old lock back, since the new one has no environment."""
    with suppress(OSError, LockError):  # what went wrong before is what a person must hear of
        if old is None:
            lock.path.unlink()
        else:
            write_file(lock.path, old.content)
