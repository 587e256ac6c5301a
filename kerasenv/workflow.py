"""profile -> interpreter -> lock -> environment -> hooks -> smoke test: what a verb does, from end to end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import kerasenv
from kerasenv import progress
from kerasenv.engine import Index, InstallRequest
from kerasenv.engines.choose import choose_engine
from kerasenv.env.environment import (
    Environment,
    Receipt,
    has_receipt,
    open_environment,
    write_receipt,
)
from kerasenv.env.hooks import write_activation_hooks, write_startup
from kerasenv.env.keras_home import write_keras_home
from kerasenv.env.relocate import relocate
from kerasenv.env.replace import check_place, heal, replacing
from kerasenv.env.variables import keras_home, variables_of
from kerasenv.errors import EnvironmentFolderError, InterpreterError, LockError
from kerasenv.interpreters.find import find_interpreter, inspect
from kerasenv.lock.diff import Change, changes
from kerasenv.lock.lockfile import Lock, Promise, checked_name, default_name, read_lock, write_file
from kerasenv.lock.obtain import (
    check_lock_folder,
    check_machine,
    check_platform,
    count_here,
    lock_in_use,
    new_lock,
    pythons_here,
    this_machine,
    with_promise_of_profile,
)
from kerasenv.lock.resolve import Wish
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile
from kerasenv.smoke.prove import prove, smoke_error, with_smoke
from kerasenv.venv import create_bare_environment

if TYPE_CHECKING:
    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.smoke.run import SmokeResult
    from kerasenv.venv import BareEnvironment


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """How an environment is to be made, whatever it holds."""

    folder: Path
    cwd: Path
    python: str | None = None
    engine: str | None = None
    index: Index = field(default_factory=Index)
    force: bool = False
    smoke: bool = True
    activation_hooks: bool = True
    startup_hook: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """All that is decided before anything is built."""

    lock: Lock
    promise: Promise
    making: Making
    interpreter: Interpreter
    engine: Engine
    why_engine: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What came out."""

    environment: Environment
    lock: Path
    lock_is_new: bool
    packages: int
    smoke: SmokeResult | None
    changes: tuple[Change, ...] = ()


def create(
    profile_name: str,
    making: Making,
    *,
    variant: str | None = None,
    extra: tuple[Requirement, ...] = (),
    lock_path: Path | None = None,
    upgrade: bool = False,
) -> Made:
    """Make a profile's environment; write its lock if there is none yet."""
    with progress.step("Profile") as step:
        profile = find_profile(profile_name, cwd=making.cwd)
        profile = variant_of(profile, variant) if variant else profile
        step.done(f"{profile.name}: {profile.summary}", source=profile.source)
    if making.python is None:  # a Python that somebody names can be one for another machine, which runs here as well
        check_platform(profile, this_machine(), cwd=making.cwd)
    heal(making.folder)
    check_place(making.folder)
    interpreter = _interpreter(profile.requires_python, making, who=f"profile {profile.name}")
    check_platform(profile, interpreter.markers, cwd=making.cwd)
    engine, _ = choose_engine(making.engine)
    wish = Wish(profile=profile, extra=extra, interpreter=interpreter, index=making.index)
    place = checked_name(lock_path or making.cwd / default_name(profile.name))
    with progress.step("Lock") as step:
        old = read_lock(place) if place.exists() else None
        if old is not None and not upgrade:
            lock, source = lock_in_use(old, wish, variant=variant), str(place)
        else:
            check_lock_folder(place)
            lock, source = new_lock(place, wish, engine, variant=variant, from_pins=old is None)
        step.done(f"{place.name}: {count_here(lock, interpreter)} packages", source=source)
    if present := _present(lock, making, interpreter, upgrade=upgrade):
        return _proven_again(present, lock, making, interpreter, old=old)
    diff = tuple(changes(old.pylock, lock.pylock)) if old is not None and upgrade else ()
    return _make(_plan(lock, making, interpreter), old=old, diff=diff)


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
    interpreter = _interpreter(requires & pythons_here(lock), making, who=f"{lock_path.name}")
    check_machine(lock, interpreter)
    if present := _present(lock, making, interpreter, upgrade=False):
        return _proven_again(present, lock, making, interpreter, old=lock)
    return _make(_plan(lock, making, interpreter), old=lock)


def smoke(folder: Path) -> tuple[Environment, SmokeResult]:
    """Run the smoke test of an environment and keep the result in its receipt."""
    environment = open_environment(folder)
    result = prove(environment, environment.receipt.variables)
    environment = with_smoke(environment, result)
    write_receipt(folder, environment.receipt)
    return environment, result


def _plan(lock: Lock, making: Making, interpreter: Interpreter) -> _Plan:
    if lock.promise is None:
        raise LockError(f"{lock.path.name} does not say what environment it is for.")
    engine, why = choose_engine(making.engine)
    return _Plan(lock=lock, promise=lock.promise, making=making, interpreter=interpreter, engine=engine, why_engine=why)


def _interpreter(requires: SpecifierSet, making: Making, *, who: str) -> Interpreter:
    with progress.step("Python") as step:
        interpreter = _python_there(requires, making) or find_interpreter(requires, request=making.python, who=who)
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


def _present(lock: Lock, making: Making, interpreter: Interpreter, *, upgrade: bool) -> Environment | None:
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
            hints=["Replace it: add --force", "Or name another folder for the new one."],
        )
    return None if other_lock else environment


def _profile_of(lock: Lock) -> str | None:
    return lock.promise.profile if lock.promise else None


def _proven_again(
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


def _make(plan: _Plan, *, old: Lock | None, diff: tuple[Change, ...] = ()) -> Made:
    """Build beside the place, prove it, write the lock, and only then put it in place."""
    lock, folder = plan.lock, plan.making.folder
    is_new = old is None or old.digest != lock.digest
    written = False
    try:
        with replacing(folder) as built:
            environment, result = _proven(plan, _hooked(plan, _install(plan, built)))
            write_receipt(built, environment.receipt)
            if is_new:
                write_file(lock.path, lock.content, work=built.parent)
                written = True
    except BaseException:
        if written:
            _take_back(lock, old)
        raise
    return Made(
        environment=open_environment(folder),
        lock=lock.path,
        lock_is_new=is_new,
        packages=count_here(lock, plan.interpreter),
        smoke=result,
        changes=diff,
    )


def _install(plan: _Plan, folder: Path) -> BareEnvironment:
    making, engine, interpreter = plan.making, plan.engine, plan.interpreter
    with progress.step("Environment") as step:
        bare = create_bare_environment(interpreter.path, folder, prompt=making.folder.name)
        step.done(f"Python {interpreter.version} in {making.folder}", source="virtualenv")
    with progress.step("Packages") as step:
        engine.install(
            InstallRequest(
                lock=plan.lock.pylock,
                environment=folder,
                python=bare.python,
                interpreter=interpreter,
                build_constraints=tuple(Requirement(text) for text in plan.promise.build_constraints),
                index=making.index,
            )
        )
        count = count_here(plan.lock, interpreter)
        step.done(f"{count} packages, each verified by its sha256", source=f"{engine.describe()} ({plan.why_engine})")
    return bare


def _hooked(plan: _Plan, bare: BareEnvironment) -> Environment:
    """Write what makes it the environment of a profile; its receipt, which isn't written yet, speaks of its place."""
    making, promise = plan.making, plan.promise
    variables = variables_of(promise, making.folder)
    with progress.step("Hooks") as step:
        write_keras_home(keras_home(bare.folder), promise)
        step.done(_write_hooks(bare, variables, making), source="backend and variables of the lock")
    relocate(bare.bin_dir, [bare.site_packages], work=bare.folder.parent)
    receipt = Receipt(
        kerasenv=kerasenv.__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        profile=promise.profile,
        variant=promise.variant,
        lock_name=plan.lock.path.name,
        lock_digest=plan.lock.digest,
        python_version=str(plan.interpreter.version),
        python_path=str(plan.interpreter.path),
        engine=plan.engine.describe(),
        backend=promise.backend,
        variables=variables,
        activation_hooks=making.activation_hooks,
        startup_hook=making.startup_hook,
        smoke_plan=asdict(promise.smoke),
        smoke=None,
    )
    return Environment(folder=bare.folder, receipt=receipt)


def _proven(plan: _Plan, environment: Environment) -> tuple[Environment, SmokeResult | None]:
    """Run the model where the environment was built; raise SmokeError if it fails."""
    if not plan.making.smoke:
        return environment, None
    # With the variables of that place, to which the receipt's don't point
    result = prove(environment, variables_of(plan.promise, environment.folder))
    if not result.passed:
        raise smoke_error(result, plan.promise.profile, kept=False)
    return with_smoke(environment, result), result


def _take_back(lock: Lock, old: Lock | None) -> None:
    """Put the old lock back, since the new one has no environment."""
    with suppress(OSError, LockError):  # what went wrong before is what a person must hear of
        if old is None:
            lock.path.unlink()
        else:
            write_file(lock.path, old.content)


def _write_hooks(bare: BareEnvironment, variables: dict[str, str], making: Making) -> str:
    """Write the hooks that are wanted and return what to say of them."""
    said = ", ".join(f"{name}={value}" for name, value in variables.items())
    where = []
    if making.activation_hooks:
        hooked = write_activation_hooks(bare.bin_dir, variables)
        where.append(f"{len(hooked.written)} activation scripts")
        for script in hooked.unknown:
            progress.note(f"{script.name} is of a shell that kerasenv doesn't know: it sets no variables.")
    if making.startup_hook:
        write_startup(bare.site_packages, variables)
        where.append("at interpreter start")
    return f"{said} ({', '.join(where) or 'set by nothing: both hooks are switched off'})"
