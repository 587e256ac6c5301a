"""Build an environment in a folder: packages, hooks, and the model that proves it."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import kerasenv
from kerasenv import progress
from kerasenv.creators import create_environment
from kerasenv.engine import InstallRequest
from kerasenv.env.environment import Environment, Receipt
from kerasenv.env.hooks import write_activation_hooks, write_startup
from kerasenv.env.intact import find_unlike, unlike_error
from kerasenv.env.inventory import own_files, state_of, take_inventory
from kerasenv.env.keras_home import write_keras_home
from kerasenv.env.relocate import relocate
from kerasenv.env.variables import keras_home, variables_of
from kerasenv.interpreters.serving import serving
from kerasenv.lock.lockfile import write_file
from kerasenv.lock.obtain import packages_here
from kerasenv.smoke.prove import prove, smoke_error, with_smoke
from kerasenv.store.sharing import part_from_others
from kerasenv.store.sources import compiled_source
from kerasenv.store.take import discard_if_possible, put, take
from kerasenv.system.links import make_links
from kerasenv.workflow.keep import sources_for

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.pylock import Package, Pylock

    from kerasenv.engine import Engine
    from kerasenv.env.intact import Unlike
    from kerasenv.env.inventory import Inventory
    from kerasenv.smoke.run import SmokeResult
    from kerasenv.store.sources import Source
    from kerasenv.store.take import Taken
    from kerasenv.venv import BareEnvironment
    from kerasenv.workflow.plan import Making, Plan


def build(plan: Plan, folder: Path) -> tuple[Environment, SmokeResult | None]:
    """Build what a plan says and run its model; raise SmokeError if that fails. The receipt isn't written yet."""
    here = packages_here(_wanted(plan), plan.interpreter)
    sources = _sources(plan, here)
    # While the environment is made, the store looks through what it has, and the engine says what it is
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="store") as pool:
        taking = pool.submit(copy_context().run, take, sources, folder.parent)
        describing = pool.submit(copy_context().run, plan.engine.describe)
        bare = _bare(plan, folder)
        variables = _hook(plan, bare)
    taken, engine = taking.result(), describing.result()
    files = _fill(plan, bare, here, taken, engine)
    environment = Environment(folder=folder, receipt=_receipt(plan, variables, files, engine))
    if plan.sync is not None:
        from kerasenv.env.sync import carry, carry_home  # noqa: PLC0415  # 5 ms that only a sync needs

        carry(plan.making.folder, folder, plan.sync.additions | plan.sync.others)
        carry_home(plan.making.folder, folder)
    return _proven(plan, environment, taken)


def _bare(plan: Plan, folder: Path) -> BareEnvironment:
    making, interpreter = plan.making, plan.interpreter
    with progress.step("Environment") as step:
        bare = create_environment(interpreter, folder, index=making.index, prompt=making.folder.name)
        creator = serving(interpreter.version).creator
        step.done(f"Python {interpreter.version} in {making.folder}", source=creator.value)
    return bare


def _hook(plan: Plan, bare: BareEnvironment) -> dict[str, str]:
    """Write what makes it the environment of a profile, which speaks of its later place; return the variables."""
    making, promise = plan.making, plan.promise
    variables = variables_of(promise, making.folder, instead=plan.findings.variables)
    with progress.step("Hooks") as step:
        write_keras_home(keras_home(bare.folder), promise)
        step.done(_write_hooks(bare, variables, making), source="backend and variables of the lock")
    relocate(bare.bin_dir, [], work=bare.folder.parent)
    # Whoever wants to know years later what it was made from finds it here
    write_file(bare.folder / plan.lock.path.name, plan.lock.content)
    return variables


def _wanted(plan: Plan) -> Pylock:
    """Return what has to be installed."""
    wanted = plan.files or plan.lock.pylock
    if plan.sync is None:
        return wanted
    return replace(wanted, packages=[one for one in wanted.packages if one.name in plan.sync.incomplete])


def _sources(plan: Plan, packages: list[Package]) -> list[Source]:
    """Return what may be taken from the store."""
    if not plan.engine.fills_store or plan.sync is not None:
        return []  # what has to be mended may have come out of the store as it is
    compiled = _compiled(plan)
    sources = sources_for(packages, plan.interpreter, plan.promise.build_constraints)
    return [*sources, *([compiled] if compiled else ())]


def _compiled(plan: Plan) -> Source | None:
    return compiled_source(plan.promise.variables, plan.lock.digest, plan.interpreter)


def _fill(
    plan: Plan, bare: BareEnvironment, packages: list[Package], taken: list[Taken], engine: str
) -> dict[str, str]:
    """Put the packages into it; return the state of each file whose digest no RECORD tells."""
    with progress.step("Packages") as step:
        taken = [one for one in taken if _fits(one, bare)]
        names = {one.name for one in taken}
        missing = [one for one in packages if one.name not in names]
        lacking = replace(plan.files or plan.lock.pylock, packages=missing)
        inventory = _install(plan, lacking, bare) if missing else take_inventory(bare.folder)
        if plan.sync is not None:
            from kerasenv.env.sync import carry  # noqa: PLC0415  # as above

            carry(plan.making.folder, bare.folder, plan.sync.stays)
            inventory = take_inventory(bare.folder)
        files = own_files(inventory)
        # What the store has is known file by file, and comes in only now, when nobody has to look at it any more
        for one in taken:
            own = one.entry.about.own
            files |= {path: own[path] for path in own if not os.path.lexists(bare.folder / path)}
            put(one, bare.folder)
        said = f"{len(packages)} packages, each verified by its sha256"
        step.done(said, source=_origin(f"{engine} ({plan.why_engine})", len(packages), len(missing)))
    return files | _linked(plan, bare)


def _fits(taken: Taken, bare: BareEnvironment) -> bool:
    """Say whether an entry is of environments that have their packages in the same place."""
    return taken.entry.about.site_packages in {"", bare.site_packages.relative_to(bare.folder).as_posix()}


def _linked(plan: Plan, bare: BareEnvironment) -> dict[str, str]:
    """Link libraries of the system to where packages look for them; return the states of the links."""
    make_links(bare.site_packages, plan.findings.links)
    places = [bare.site_packages / link.path for link in plan.findings.links]
    return {place.relative_to(bare.folder).as_posix(): state_of(place) or "" for place in places}


def _install(plan: Plan, lock: Pylock, bare: BareEnvironment) -> Inventory:
    """Let the engine install what a lock names, and look whether it did; return what is there."""
    started = time.time_ns()
    request = InstallRequest(
        lock=lock,
        environment=bare.folder,
        python=bare.python,
        interpreter=plan.interpreter,
        build_constraints=plan.promise.build_constraints,
        index=plan.making.index,
    )
    plan.engine.install(request)
    progress.passing("Comparing every file with what its package says of it")
    inventory = take_inventory(bare.folder)
    unlike = find_unlike(inventory, since=started)
    if unlike is not None:
        inventory = _install_again(plan.engine, request, unlike)
    if plan.engine.fills_store:
        part_from_others(str(bare.folder), inventory.files)
    elif relocate(bare.bin_dir, [bare.site_packages], work=bare.folder.parent):
        inventory = take_inventory(bare.folder)
    return inventory


def _install_again(engine: Engine, request: InstallRequest, unlike: Unlike) -> Inventory:
    """Let an engine that keeps what it unpacked do without that; raise InstallError if it is no better afterwards."""
    wrong = [one for one in request.lock.packages if one.name in unlike.packages]
    if not engine.keeps_unpacked or request.index.offline or not wrong:
        raise unlike_error(unlike)
    names = " ".join(sorted(unlike.packages))
    progress.note(
        f"What uv keeps of {names} was changed, so it is fetched anew. To be rid of it: uv cache clean {names}"
    )
    engine.install(replace(request, lock=replace(request.lock, packages=wrong), anew=True))
    inventory = take_inventory(request.environment)
    still_unlike = find_unlike(inventory)
    if still_unlike is not None:
        raise unlike_error(still_unlike)
    return inventory


def _origin(engine: str, packages: int, missing: int) -> str:
    """Return where packages come from."""
    if packages and not missing:
        return "store"
    return f"{packages - missing} from the store, the others: {engine}" if packages > missing else engine


def _receipt(plan: Plan, variables: dict[str, str], files: dict[str, str], engine: str) -> Receipt:
    making, promise = plan.making, plan.promise
    return Receipt(
        kerasenv=kerasenv.__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        profile=promise.profile,
        variant=promise.variant,
        lock_name=plan.lock.path.name,
        lock_digest=plan.lock.digest,
        python_version=str(plan.interpreter.version),
        python_path=str(plan.interpreter.path),
        engine=engine,
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


def _proven(plan: Plan, environment: Environment, taken: list[Taken]) -> tuple[Environment, SmokeResult | None]:
    """Run the model where the environment was built; raise SmokeError if it fails."""
    if not plan.making.smoke:
        return environment, None
    # With the variables of that place, to which the receipt's don't point
    variables = variables_of(plan.promise, environment.folder, instead=plan.findings.variables)
    result = prove(environment, variables)
    if not result.passed:
        _give_up_compiled(plan, taken)
        raise smoke_error(result, plan.promise.profile, kept=False)
    return with_smoke(environment, result), result


def _give_up_compiled(plan: Plan, taken: list[Taken]) -> None:
    """Take what was compiled for an earlier environment out of the store, if this one had it: that may be the fault."""
    compiled = _compiled(plan)
    if compiled is not None and compiled.key in {one.entry.key for one in taken}:
        progress.note("It had what was compiled for an earlier environment. The next one compiles that anew.")
        discard_if_possible(compiled.key)


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
