"""profile -> interpreter -> lock -> environment -> hooks -> smoke test: what a verb does, from end to end."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from packaging.markers import Marker
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
from kerasenv.env.variables import for_smoke, keras_home, variables_of
from kerasenv.errors import EnvironmentFolderError, LockError, SmokeError
from kerasenv.interpreters.find import find_interpreter
from kerasenv.lock.diff import Change, changes
from kerasenv.lock.lockfile import (
    Lock,
    Promise,
    checked_name,
    default_name,
    dump_lock,
    profile_in_name,
    read_lock,
    write_file,
)
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.resolve import Wish, resolve
from kerasenv.lock.satisfy import differences
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile
from kerasenv.smoke.run import SmokeResult, run_smoke
from kerasenv.venv import create_bare_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.smoke.run import StepResult
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
    heal(making.folder)
    check_place(making.folder)
    interpreter = _interpreter(profile.requires_python, making, who=f"profile {profile.name}")
    engine, why_engine = choose_engine(making.engine)
    wish = Wish(profile=profile, extra=extra, interpreter=interpreter, index=making.index)
    place = checked_name(lock_path or making.cwd / default_name(profile.name))
    with progress.step("Lock") as step:
        old = read_lock(place) if place.exists() else None
        if old is not None and not upgrade:
            lock, source = _checked(old, wish, variant=variant), str(place)
        else:
            _check_lock_folder(place)
            lock, source = _new_lock(place, wish, engine, variant=variant, from_pins=old is None)
        step.done(f"{place.name}: {_count(lock, interpreter)} packages", source=source)
    if present := _present(lock, making, interpreter, upgrade=upgrade):
        return _proven_again(present, lock, making, interpreter, old=old)
    diff = tuple(changes(old.pylock, lock.pylock)) if old is not None and upgrade else ()
    return _make(lock, making, interpreter, engine, why_engine, old=old, diff=diff)


def rebuild(lock_path: Path, making: Making) -> Made:
    """Make an environment from a lock alone: nothing is resolved, and what the lock doesn't name isn't installed."""
    with progress.step("Lock") as step:
        lock = read_lock(lock_path)
        step.done(f"{lock_path.name}: {len(lock.pylock.packages)} packages", source=str(lock_path))
    if lock.promise is None:
        lock = _with_promise_of_profile(lock, making.cwd)
    heal(making.folder)
    check_place(making.folder)
    requires = lock.pylock.requires_python or SpecifierSet()
    interpreter = _interpreter(requires & _pythons_of_environments(lock), making, who=f"{lock_path.name}")
    _check_machine(lock, interpreter)
    if present := _present(lock, making, interpreter, upgrade=False):
        return _proven_again(present, lock, making, interpreter, old=lock)
    engine, why_engine = choose_engine(making.engine)
    return _make(lock, making, interpreter, engine, why_engine, old=lock, diff=())


def smoke(folder: Path) -> tuple[Environment, SmokeResult]:
    """Run the smoke test of an environment and keep the result in its receipt."""
    environment = open_environment(folder)
    result = _run(environment, environment.receipt.variables)
    environment = _with_smoke(environment, result)
    write_receipt(folder, environment.receipt)
    return environment, result


def _interpreter(requires: SpecifierSet, making: Making, *, who: str) -> Interpreter:
    with progress.step("Python") as step:
        interpreter = find_interpreter(requires, request=making.python, who=who)
        step.done(f"CPython {interpreter.version}", source=f"{interpreter.source}: {interpreter.path}")
    return interpreter


def _checked(lock: Lock, wish: Wish, *, variant: str | None) -> Lock:
    """Return the lock that is there, if it still gives what is asked for."""
    differing = differences(lock, wish, variant=variant)
    if differing:
        raise LockError(
            f"{lock.path.name} doesn't fit what is asked for; it was left as it is.",
            looked_at=differing,
            hints=[
                "Resolve anew and see what changes: add --upgrade",
                "Or keep this lock and write another one: --lock pylock.NAME.toml",
            ],
        )
    _check_machine(lock, wish.interpreter)
    return lock if lock.promise is not None else _promising(lock, Promise.of(wish.profile, variant=variant))


def _new_lock(place: Path, wish: Wish, engine: Engine, *, variant: str | None, from_pins: bool) -> tuple[Lock, str]:
    pins, verified_for = shipped_pins(wish.profile, variant=variant) if from_pins else ((), None)
    exactly = bool(pins) and not wish.extra and verified_for == wish.profile.name
    pylock = resolve(wish, engine, pins=pins, exactly_pins=exactly)
    promise = Promise.of(wish.profile, variant=variant, extra=tuple(str(one) for one in wish.extra))
    content = dump_lock(pylock, promise)
    lock = Lock(path=place, pylock=pylock, promise=promise, content=content)
    if exactly:
        return lock, "new, the verified pins of this profile"
    start = f", starting from the pins of {verified_for}" if verified_for else ""
    return lock, f"new, resolved by {engine.describe()}{start}"


def _with_promise_of_profile(lock: Lock, cwd: Path) -> Lock:
    name = lock.promise.profile if lock.promise else profile_in_name(lock.path)
    if name is None:
        raise LockError(
            f"{lock.path.name} has no [tool.kerasenv], and its name gives no profile to take its variables from.",
            hints=["Name it pylock.PROFILE.toml, such as pylock.tf2-modern.toml"],
        )
    profile = find_profile(name, cwd=cwd)
    progress.note(
        f"{lock.path.name} has no [tool.kerasenv]: backend, variables and smoke test are those of profile {name}."
    )
    return _promising(lock, Promise.of(profile))


def _promising(lock: Lock, promise: Promise) -> Lock:
    return Lock(path=lock.path, pylock=lock.pylock, promise=promise, content=lock.content)


def _pythons_of_environments(lock: Lock) -> SpecifierSet:
    """Return the one Python that a lock is for if it was made for one machine, else any."""
    spoken = {str(marker) for marker in lock.pylock.environments or ()}
    pythons = {text.rpartition("python_version == ")[2].strip("\"'") for text in spoken if "python_version ==" in text}
    return SpecifierSet(f"=={pythons.pop()}.*") if len(pythons) == 1 and len(spoken) == 1 else SpecifierSet()


def _check_machine(lock: Lock, interpreter: Interpreter) -> None:
    spoken = lock.pylock.environments
    markers = dict(interpreter.markers)
    if spoken and not any(Marker(str(marker)).evaluate({**markers, "extra": ""}) for marker in spoken):
        raise LockError(
            f"{lock.path.name} is not for this machine: {markers['sys_platform']} {markers['platform_machine']}, "
            f"Python {interpreter.version}.",
            looked_at=[f"the lock is for: {marker}" for marker in spoken],
            hints=["Resolve anew with the default engine, which covers every platform of the profile: --upgrade"],
        )


def _count(lock: Lock, interpreter: Interpreter) -> int:
    markers = {**interpreter.markers, "extra": ""}
    return sum(package.marker is None or package.marker.evaluate(markers) for package in lock.pylock.packages)


def _check_lock_folder(place: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if not place.parent.is_dir():
        raise LockError(f"There is no folder {place.parent} to write {place.name} into.")
    if not os.access(place.parent, os.W_OK):
        raise LockError(
            f"{place.name} can't be written into {place.parent}: that folder is read-only.",
            hints=["Name another place for it: --lock FOLDER/pylock.NAME.toml"],
        )


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
    result = _prove(environment, environment.receipt.variables) if making.smoke else None
    if result is not None:
        environment = _with_smoke(environment, result)
        write_receipt(environment.folder, environment.receipt)
    is_new = old is None or old.digest != lock.digest
    if is_new:  # somebody took away the lock, or took it back
        write_file(lock.path, lock.content)
    return Made(
        environment=environment,
        lock=lock.path,
        lock_is_new=is_new,
        packages=_count(lock, interpreter),
        smoke=result,
    )


def _make(
    lock: Lock,
    making: Making,
    interpreter: Interpreter,
    engine: Engine,
    why_engine: str,
    *,
    old: Lock | None,
    diff: tuple[Change, ...],
) -> Made:
    """Build beside the place, prove it, write the lock, and only then put it in place."""
    if lock.promise is None:
        raise LockError(f"{lock.path.name} promises nothing")
    promise, count = lock.promise, _count(lock, interpreter)
    described = engine.describe()
    with replacing(making.folder) as built:
        with progress.step("Environment") as step:
            bare = create_bare_environment(interpreter.path, built, prompt=making.folder.name)
            step.done(f"Python {interpreter.version} in {making.folder}", source="virtualenv")
        with progress.step("Packages") as step:
            engine.install(
                InstallRequest(
                    lock=lock.pylock,
                    environment=built,
                    python=bare.python,
                    interpreter=interpreter,
                    build_constraints=tuple(_requirements(promise.build_constraints)),
                    index=making.index,
                )
            )
            step.done(f"{count} packages, each verified by its sha256", source=f"{described} ({why_engine})")
        variables = variables_of(promise, making.folder)
        with progress.step("Hooks") as step:
            write_keras_home(keras_home(built), promise)
            step.done(_write_hooks(bare, variables, making), source="backend and variables of the lock")
        relocate(bare.bin_dir, [bare.site_packages], work=built.parent)
        receipt = Receipt(
            kerasenv=kerasenv.__version__,
            created=_now(),
            profile=promise.profile,
            variant=promise.variant,
            lock_name=lock.path.name,
            lock_digest=lock.digest,
            python_version=str(interpreter.version),
            python_path=str(interpreter.path),
            engine=described,
            backend=promise.backend,
            variables=variables,
            activation_hooks=making.activation_hooks,
            startup_hook=making.startup_hook,
            smoke_plan=asdict(promise.smoke),
            smoke=None,
        )
        environment = Environment(folder=built, receipt=receipt)
        # At the place where it was built, where the receipt's variables don't point yet
        result = _prove(environment, variables_of(promise, built)) if making.smoke else None
        if result is not None:
            environment = _with_smoke(environment, result)
        write_receipt(built, environment.receipt)
        if old is None or old.digest != lock.digest:
            write_file(lock.path, lock.content)
    return Made(
        environment=open_environment(making.folder),
        lock=lock.path,
        lock_is_new=old is None or old.digest != lock.digest,
        packages=count,
        smoke=result,
        changes=diff,
    )


def _requirements(texts: tuple[str, ...]) -> list[Requirement]:
    return [Requirement(text) for text in texts]


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


def _prove(
    environment: Environment,
    variables: Mapping[str, str],
) -> SmokeResult:
    """Run the smoke test of an environment, wherever it stands now; raise SmokeError if it fails."""
    with progress.step("Smoke test") as step:
        result = _run(environment, variables)
        if not result.passed:
            raise smoke_error(result, environment.receipt.profile)
        step.done("built, trained, saved and loaded a model" if environment.plan.trains else "built and loaded a model")
    return result


def _run(
    environment: Environment,
    variables: Mapping[str, str],
) -> SmokeResult:
    return run_smoke(
        environment.python,
        environment.plan,
        environ=for_smoke(os.environ, environment.folder, variables),
        on_step=_tell,
    )


def _tell(step: StepResult) -> None:
    detail = f" ({step.detail})" if step.detail else ""
    progress.passing(f"{step.name}: {step.status}{detail}, {step.seconds:.1f} s")


def smoke_error(result: SmokeResult, profile: str) -> SmokeError:
    """Return a failed smoke test as an error: which step, the end of its traceback, and what it usually means."""
    hints = [f"{result.meaning.cause}", f"{result.meaning.cure}"] if result.meaning else []
    return SmokeError(
        f"The model of {profile} failed at step '{result.failed_step}': {result.error}",
        looked_at=result.traceback,
        hints=[*hints, "To keep such an environment for a closer look: --no-smoke"],
    )


def _with_smoke(environment: Environment, result: SmokeResult) -> Environment:
    table = {
        "passed": result.passed,
        "at": _now(),
        "seconds": round(result.seconds, 3),
        "steps": [asdict(one) for one in result.steps],
        "versions": dict(result.versions),
        "error": result.error,
    }
    return Environment(folder=environment.folder, receipt=replace(environment.receipt, smoke=table))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
