"""profile -> interpreter -> lock -> environment -> hooks -> smoke test: what create does, from end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.engines.choose import choose_engine
from kerasenv.env.replace import check_place, heal
from kerasenv.lock.machine import check_machine, check_platform, count_here, this_machine
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile
from kerasenv.workflow.plan import Making, look_at_system, plan_for, python_for

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from packaging.requirements import Requirement

    from kerasenv.lock.diff import Change
    from kerasenv.lock.lockfile import Lock
    from kerasenv.workflow.make import Made


def create(
    profile_name: str,
    making: Making,
    *,
    variant: str | None = None,
    extra: tuple[Requirement, ...] = (),
    lock_path: Path | None = None,
    upgrade: bool = False,
    only_binary: bool = False,
    as_of: date | None = None,
) -> Made:
    """Make a profile's environment; write its lock if there is none yet, or if it lacks what is asked for besides."""
    with progress.step("Profile") as step:
        profile = find_profile(profile_name, cwd=making.cwd)
        profile = variant_of(profile, variant) if variant else profile
        step.done(f"{profile.name}: {profile.summary}", source=profile.source)
    if making.python is None:  # a Python that somebody names can be one for another machine, which runs here as well
        check_platform(profile, this_machine(), cwd=making.cwd)
    heal(making.folder)
    check_place(making.folder)
    interpreter = python_for(profile.requires_python, making, who=f"profile {profile.name}")
    # Most of it is there by now: the search for the Python imports it while it waits
    from kerasenv.lock.lockfile import checked_name, default_name, read_lock  # noqa: PLC0415
    from kerasenv.lock.reuse import adds_only, lock_in_use  # noqa: PLC0415
    from kerasenv.lock.wish import Upgrade, Wish, remembering  # noqa: PLC0415
    from kerasenv.workflow.make import already_there, make, proven_again  # noqa: PLC0415

    check_platform(profile, interpreter.markers, cwd=making.cwd)
    findings = look_at_system(profile.system, interpreter)
    engine, _ = choose_engine(making.engine, interpreter)
    asked = Wish(
        profile=profile,
        extra=extra,
        interpreter=interpreter,
        index=making.index,
        only_binary=only_binary,
        as_of=as_of,
    )
    place = checked_name(lock_path or making.cwd / default_name(profile.name))
    with progress.step("Lock") as step:
        old = read_lock(place) if place.exists() else None
        given_up = Upgrade(everything=upgrade)
        wish = remembering(asked, old, upgrade=given_up)
        anew = upgrade or (old is not None and adds_only(old, wish, asked, variant=variant))
        if old is not None and not anew:
            lock, source = lock_in_use(old, wish, variant=variant), str(place)
        else:
            from kerasenv.lock.new import check_lock_folder, new_lock, start_of  # noqa: PLC0415  # as below

            check_lock_folder(place)
            start = start_of(old, wish, variant=variant, upgrade=given_up)
            lock, source = new_lock(place, wish, engine, variant=variant, start=start)
        step.done(f"{place.name}: {count_here(lock, interpreter)} packages", source=source)
    if old is None or anew:
        check_machine(lock, interpreter)
    if there := already_there(lock, making, interpreter, upgrade=anew):
        return proven_again(there, lock, making, interpreter, old=old)
    diff = _diff(old, lock) if old is not None and anew else ()
    return make(plan_for(lock, making, interpreter, findings), old=old, diff=diff)


def _diff(old: Lock, new: Lock) -> tuple[Change, ...]:
    from kerasenv.lock.diff import changes  # noqa: PLC0415  # most locks are used as they are

    return tuple(changes(old.pylock, new.pylock))
