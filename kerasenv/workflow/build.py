"""Build an environment in a folder: packages, hooks, and the model that proves it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import kerasenv
from kerasenv import progress
from kerasenv.creators import create_environment
from kerasenv.engine import InstallRequest
from kerasenv.env.environment import Environment, Receipt
from kerasenv.env.hooks import write_activation_hooks, write_startup
from kerasenv.env.intact import check_intact
from kerasenv.env.inventory import own_files, take_inventory
from kerasenv.env.keras_home import write_keras_home
from kerasenv.env.relocate import relocate
from kerasenv.env.variables import keras_home, variables_of
from kerasenv.interpreters.serving import serving
from kerasenv.lock.lockfile import write_file
from kerasenv.lock.obtain import count_here
from kerasenv.smoke.prove import prove, smoke_error, with_smoke
from kerasenv.system.links import make_links

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.smoke.run import SmokeResult
    from kerasenv.venv import BareEnvironment
    from kerasenv.workflow.plan import Making, Plan


def build(plan: Plan, folder: Path) -> tuple[Environment, SmokeResult | None]:
    """Build what a plan says and run its model; raise SmokeError if that fails. The receipt isn't written yet."""
    return _proven(plan, _hooked(plan, _install(plan, folder)))


def _install(plan: Plan, folder: Path) -> BareEnvironment:
    making, engine, interpreter = plan.making, plan.engine, plan.interpreter
    with progress.step("Environment") as step:
        bare = create_environment(interpreter, folder, index=making.index, prompt=making.folder.name)
        creator = serving(interpreter.version).creator
        step.done(f"Python {interpreter.version} in {making.folder}", source=creator.value)
    lock = plan.files or plan.lock.pylock
    if plan.sync is not None:
        from kerasenv.env.sync import carry  # noqa: PLC0415  # 5 ms that only a sync needs

        lock = replace(lock, packages=[one for one in lock.packages if one.name in plan.sync.incomplete])
        if not lock.packages:
            carry(making.folder, folder, plan.sync.stays)
            return bare
    with progress.step("Packages") as step:
        engine.install(
            InstallRequest(
                lock=lock,
                environment=folder,
                python=bare.python,
                interpreter=interpreter,
                build_constraints=plan.promise.build_constraints,
                index=making.index,
            )
        )
        progress.passing("Comparing every file with what its package says of it")
        check_intact(folder)
        count = count_here(plan.lock, interpreter) if plan.sync is None else len(plan.sync.incomplete)
        step.done(f"{count} packages, each verified by its sha256", source=f"{engine.describe()} ({plan.why_engine})")
    if plan.sync is not None:
        from kerasenv.env.sync import carry  # noqa: PLC0415  # as above

        carry(making.folder, folder, plan.sync.stays)
    return bare


def _hooked(plan: Plan, bare: BareEnvironment) -> Environment:
    """Write what makes it the environment of a profile; its receipt, which isn't written yet, speaks of its place."""
    making, promise = plan.making, plan.promise
    make_links(bare.site_packages, plan.findings.links)
    variables = variables_of(promise, making.folder, instead=plan.findings.variables)
    with progress.step("Hooks") as step:
        write_keras_home(keras_home(bare.folder), promise)
        step.done(_write_hooks(bare, variables, making), source="backend and variables of the lock")
    relocate(bare.bin_dir, [bare.site_packages], work=bare.folder.parent)
    # Whoever wants to know years later what it was made from finds it here
    write_file(bare.folder / plan.lock.path.name, plan.lock.content)
    files = own_files(take_inventory(bare.folder))
    if plan.sync is not None:
        from kerasenv.env.sync import carry, carry_home  # noqa: PLC0415  # as above

        carry(making.folder, bare.folder, plan.sync.additions | plan.sync.others)
        carry_home(making.folder, bare.folder)
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
        trial=asdict(promise.trial),
        noise=[asdict(row) for row in promise.noise],
        files=files,
    )
    return Environment(folder=bare.folder, receipt=receipt)


def _proven(plan: Plan, environment: Environment) -> tuple[Environment, SmokeResult | None]:
    """Run the model where the environment was built; raise SmokeError if it fails."""
    if not plan.making.smoke:
        return environment, None
    # With the variables of that place, to which the receipt's don't point
    variables = variables_of(plan.promise, environment.folder, instead=plan.findings.variables)
    result = prove(environment, variables)
    if not result.passed:
        raise smoke_error(result, plan.promise.profile, kept=False)
    return with_smoke(environment, result), result


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
