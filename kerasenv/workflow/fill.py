"""Put packages into a bare environment: out of the store what that has, and the others by an engine."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.engine import InstallRequest
from kerasenv.env.intact import find_unlike, unlike_error, unpacked_since
from kerasenv.env.inventory import own_files, state_of, take_inventory
from kerasenv.env.relocate import relocate
from kerasenv.store.sharing import part_from_others, with_other_names
from kerasenv.store.take import put
from kerasenv.system.links import make_links

if TYPE_CHECKING:
    from packaging.pylock import Package

    from kerasenv.engine import Engine
    from kerasenv.env.intact import Unlike
    from kerasenv.env.inventory import Inventory
    from kerasenv.store.take import Taken, Taking
    from kerasenv.venv import BareEnvironment
    from kerasenv.workflow.plan import Plan


def fill(plan: Plan, bare: BareEnvironment, packages: list[Package], taking: Taking, engine: str) -> dict[str, str]:
    """Put the packages into it; return the state of each file whose digest no RECORD tells."""
    with progress.step("Packages") as step:
        lacking = _missing(packages, _fitting(taking.expected(), bare))
        inventory = _install(plan, lacking, bare) if lacking else take_inventory(bare.folder)
        taken = _fitting(taking.taken(), bare)
        missing = _missing(packages, taken)
        if len(missing) > len(lacking):  # something went wrong while it was laid
            inventory = _install(plan, missing, bare)
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


def _fitting(taken: list[Taken], bare: BareEnvironment) -> list[Taken]:
    """Return the entries of environments that have their packages in the same place."""
    here = bare.site_packages.relative_to(bare.folder).as_posix()
    return [one for one in taken if one.entry.about.site_packages in {"", here}]


def _missing(packages: list[Package], taken: list[Taken]) -> list[Package]:
    names = {one.name for one in taken}
    return [one for one in packages if one.name not in names]


def _linked(plan: Plan, bare: BareEnvironment) -> dict[str, str]:
    """Link libraries of the system to where packages look for them; return the states of the links."""
    make_links(bare.site_packages, plan.findings.links)
    places = [bare.site_packages / link.path for link in plan.findings.links]
    return {place.relative_to(bare.folder).as_posix(): state_of(place) or "" for place in places}


def _install(plan: Plan, packages: list[Package], bare: BareEnvironment) -> Inventory:
    """Let the engine install just these packages of the lock, and look whether it did; return what is there."""
    started = time.time_ns()
    request = InstallRequest(
        lock=replace(plan.files or plan.lock.pylock, packages=packages),
        environment=bare.folder,
        python=bare.python,
        interpreter=plan.interpreter,
        build_constraints=plan.promise.build_constraints,
        index=plan.making.index,
    )
    plan.engine.install(request)
    progress.passing("Comparing every file with what its package says of it")
    inventory = take_inventory(bare.folder)
    kept = with_other_names(str(bare.folder), inventory.files)
    unlike = find_unlike(inventory, unpacked=unpacked_since(started, kept))
    if unlike is not None:
        inventory = _install_again(plan.engine, request, unlike)
        kept = with_other_names(str(bare.folder), inventory.files)
    if plan.engine.fills_store:
        part_from_others(str(bare.folder), kept)
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
