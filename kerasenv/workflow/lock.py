"""profile -> lock, without an environment: resolve, check, upgrade."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.pylock import is_valid_pylock_path
from packaging.specifiers import SpecifierSet

from kerasenv import progress
from kerasenv.engine import Index
from kerasenv.engines.choose import choose_engine
from kerasenv.errors import LockError, ResolveError
from kerasenv.interpreters.find import NoneFits, find_interpreter, inspect
from kerasenv.interpreters.serving import served_by
from kerasenv.lock.agree import Disagreement, disagreements
from kerasenv.lock.cells import Cell, pythons_of
from kerasenv.lock.diff import Change, changes
from kerasenv.lock.lockfile import checked_name, default_name, profile_in_name, read_lock, write_file
from kerasenv.lock.new import Start, check_lock_folder, new_lock, pins_of, start_of
from kerasenv.lock.resolve import resolve
from kerasenv.lock.satisfy import differences_anywhere, flaws
from kerasenv.lock.wish import Upgrade, Wish, remembering
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile

if TYPE_CHECKING:
    from datetime import date

    from packaging.requirements import Requirement

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.gaps import Gap
    from kerasenv.lock.lockfile import Lock
    from kerasenv.profiles.profile import Profile

BOTH = "both"
_MAIN, _OTHER = "uv", "pip-tools"


@dataclass(frozen=True, kw_only=True, slots=True)
class Locking:
    """How profiles are to be locked, whichever they are."""

    cwd: Path
    place: Path | None = None
    """Where the lock stands or will stand; by default the profile's name tells, in the folder `cwd`."""
    variant: str | None = None
    extra: tuple[Requirement, ...] = ()
    upgrade: Upgrade = field(default_factory=Upgrade)
    only_binary: bool = False
    as_of: date | None = None
    python: str | None = None
    engine: str | None = None
    """An engine's name, or both: then one checks the other."""
    index: Index = field(default_factory=Index)


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """What became of a lock."""

    profile: str
    lock: Path
    status: str
    """new, changed or kept"""
    packages: int
    changes: tuple[Change, ...] = ()
    missing: tuple[Gap, ...] = ()
    agreed: str | None = None
    """For which machine a second engine chose the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What of a profile and its requirements a lock doesn't give."""

    profile: str
    lock: Path
    differences: tuple[str, ...]


def lock_profile(name: str, locking: Locking) -> Locked:
    """Write a profile's lock, if there is none that gives what is asked for; change no more of it than that needs."""
    profile = _profile(name, locking)
    place = _place(profile, locking)
    with progress.step("Lock") as step:
        old = read_lock(place) if place.exists() else None
        asked = _wish(profile, locking)
        wish = remembering(asked, old, upgrade=locking.upgrade)
        lacking = [] if old is None else _lacking(old, wish, locking)
        if old is not None and not lacking and not locking.upgrade:
            lock, source, start = old, str(place), Start(pins=pins_of(old))
        else:
            check_lock_folder(place)
            wish = replace(wish, interpreter=_interpreter(profile, locking))
            start = start_of(old, wish, variant=locking.variant, upgrade=locking.upgrade)
            engine, _ = choose_engine(_MAIN if locking.engine == BOTH else locking.engine, wish.interpreter)
            lock, source = new_lock(place, wish, engine, variant=locking.variant, start=start)
        step.done(f"{place.name}: {len(lock.pylock.packages)} packages", source=source)
    agreed = _agreed(lock, wish, locking, start) if locking.engine == BOTH else None
    if old is None or old.content != lock.content:
        write_file(place, lock.content)
    found = changes(old.pylock, lock.pylock) if old is not None else []
    _tell_what_stays(locking.upgrade, found)
    return Locked(
        profile=profile.name,
        lock=place,
        status="new" if old is None else "kept" if old.content == lock.content else "changed",
        packages=len(lock.pylock.packages),
        changes=tuple(found),
        missing=lock.promise.gaps if lock.promise else (),
        agreed=agreed,
    )


def check_lock(name: str, locking: Locking) -> Checked:
    """Say what of a profile and its requirements a lock doesn't give; the lock is asked itself, and nobody else."""
    profile = _profile(name, locking)
    place = _place(profile, locking)
    if not place.exists():
        raise LockError(
            f"There is no {place.name} in {place.parent}.", hints=[f"Write it: kerasenv lock {profile.name}"]
        )
    lock = read_lock(place)
    wish = remembering(_wish(profile, locking), lock, upgrade=Upgrade())
    return Checked(profile=profile.name, lock=place, differences=tuple(_lacking(lock, wish, locking)))


def locks_in(folder: Path) -> list[tuple[str, str | None, Path]]:
    """Return the locks of a folder, each with its profile and variant."""
    found = []
    for path in sorted(path for path in folder.iterdir() if is_valid_pylock_path(path) and path.is_file()):
        lock = read_lock(path)
        profile = lock.promise.profile if lock.promise else profile_in_name(path)
        if profile is None:
            raise LockError(
                f"{path.name} has no [tool.kerasenv], and its name gives no profile.",
                hints=["Name it pylock.PROFILE.toml, such as pylock.tf2-modern.toml"],
            )
        found.append((profile, lock.promise.variant if lock.promise else None, path))
    return found


def _profile(name: str, locking: Locking) -> Profile:
    with progress.step("Profile") as step:
        profile = find_profile(name, cwd=locking.cwd)
        profile = variant_of(profile, locking.variant) if locking.variant else profile
        step.done(f"{profile.name}: {profile.summary}", source=profile.source)
    return profile


def _place(profile: Profile, locking: Locking) -> Path:
    return checked_name(locking.place or locking.cwd / default_name(profile.name))


def _wish(profile: Profile, locking: Locking) -> Wish:
    """Return what is asked for, of the Python that runs here: to look at a lock takes no other."""
    return Wish(
        profile=profile,
        extra=locking.extra,
        interpreter=inspect(Path(sys.executable), source="runs kerasenv"),
        index=locking.index,
        only_binary=locking.only_binary,
        as_of=locking.as_of,
    )


def _lacking(lock: Lock, wish: Wish, locking: Locking) -> list[str]:
    return [*differences_anywhere(lock, wish, variant=locking.variant), *flaws(lock, wish)]


def _interpreter(profile: Profile, locking: Locking) -> Interpreter:
    """Return the Python that an engine works for.

    uv needs one of the profile's only if something is built, and any other does as long as nothing is.
    """
    requires, who = profile.requires_python, f"profile {profile.name}"
    with progress.step("Python") as step:
        by_uv = served_by(_MAIN, pythons_of(requires)) if locking.engine != _OTHER else ()
        if by_uv and locking.python is None:
            requires &= SpecifierSet(f">={by_uv[0]}")
        try:
            interpreter = find_interpreter(requires, request=locking.python, who=who)
        except NoneFits:
            if not by_uv or locking.python is not None or locking.engine == BOTH:
                raise
            interpreter = find_interpreter(SpecifierSet(">=3.8"), who="uv")
        step.done(f"CPython {interpreter.version}", source=f"{interpreter.source}: {interpreter.path}")
    return interpreter


def _agreed(lock: Lock, wish: Wish, locking: Locking, start: Start) -> str:
    """Let the other engine resolve for this machine; raise ResolveError if it chooses differently."""
    interpreter = _interpreter(wish.profile, locking)
    if interpreter.platform is None:
        raise ResolveError("pip-tools resolves for this machine, and no lock is for it.")
    cell = Cell(python=interpreter.minor, platform=interpreter.platform)
    other, _ = choose_engine(_OTHER, interpreter)
    with progress.step("Second engine") as step:
        theirs = resolve(replace(wish, interpreter=interpreter), other, pins=start.pins)
        found = disagreements(lock.pylock, theirs, cell, index=wish.index)
        if not found:
            step.done(f"chooses the same {len(theirs.packages)} packages for {cell}", source=other.describe())
            return str(cell)
    raise _disagreement(found, cell)


def _disagreement(found: list[Disagreement], cell: Cell) -> ResolveError:
    return ResolveError(
        f"{_MAIN} and {_OTHER} choose differently for {cell}; no lock was written.",
        looked_at=[f"{_MAIN} | {_OTHER}", *map(str, found)],
        hints=["Say which one it is to be: --with 'NAME==VERSION'", f"Or trust one of them: --engine {_MAIN}"],
    )


def _tell_what_stays(upgrade: Upgrade, found: list[Change]) -> None:
    moved = {change.name for change in found if change.before != change.after}
    for name in sorted(upgrade.names - moved):
        progress.note(f"{name} stays as it is: the index has no newer one that goes with everything else of the lock.")
