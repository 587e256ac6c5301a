"""Build an environment in a folder: packages, hooks, and the model that proves it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import kerasenv
from kerasenv import progress
from kerasenv.env.environment import Environment, Receipt
from kerasenv.env.variables import variables_of
from kerasenv.lock.machine import packages_here
from kerasenv.store.sources import compiled_source
from kerasenv.store.take import Taking, discard_if_possible
from kerasenv.workflow.keep import sources_for

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.pylock import Package, Pylock

    from kerasenv.smoke.run import SmokeResult
    from kerasenv.store.sources import Source
    from kerasenv.store.take import Taken
    from kerasenv.workflow.plan import Plan


def build(plan: Plan, folder: Path) -> tuple[Environment, SmokeResult | None]:
    """Build what a plan says and run its model; raise SmokeError if that fails. The receipt isn't written yet."""
    here = packages_here(_wanted(plan), plan.interpreter)
    sources = _sources(plan, here)
    # While the environment is made, the store looks through what it has, and the engine says what it is; while the
    # engine fetches what the store lacks, the store lays the rest
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="store") as pool:
        taking = Taking(pool, sources, folder.parent)
        describing = pool.submit(copy_context().run, plan.engine.describe)
        from kerasenv.workflow.bare import hook, make_bare  # noqa: PLC0415  # the store is at work meanwhile
        from kerasenv.workflow.fill import fill  # noqa: PLC0415  # as above

        bare = make_bare(plan, folder)
        variables = hook(plan, bare)
        # In here: whoever is interrupted waits all the same until nobody writes any more
        engine = describing.result()
        files = fill(plan, bare, here, taking, engine)
    environment = Environment(folder=folder, receipt=_receipt(plan, variables, files, engine))
    if plan.sync is not None:
        from kerasenv.env.sync import carry, carry_home  # noqa: PLC0415  # 5 ms that only a sync needs

        carry(plan.making.folder, folder, plan.sync.additions | plan.sync.others)
        carry_home(plan.making.folder, folder)
    return _proven(plan, environment, taking.taken())


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
    from kerasenv.smoke.prove import prove, smoke_error, with_smoke  # noqa: PLC0415  # 5 ms that others don't need

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
