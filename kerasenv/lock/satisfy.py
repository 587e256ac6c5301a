"""Does a lock still give what is asked of it? Not a hash of inputs: the lock is asked itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from kerasenv.engine import files_of
from kerasenv.lock.cells import grid, pythons_of
from kerasenv.lock.gaps import unserved
from kerasenv.lock.lockfile import Promise
from kerasenv.lock.wish import ALWAYS
from kerasenv.platforms import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.version import Version

    from kerasenv.lock.cells import Cell
    from kerasenv.lock.lockfile import Lock
    from kerasenv.lock.wish import Wish
    from kerasenv.profiles.profile import Profile
    from kerasenv.resolution import Pin


@dataclass(frozen=True, kw_only=True, slots=True)
class _Locked:
    name: str
    version: Version
    marker: str | None


def differences(lock: Lock, wish: Wish, *, variant: str | None) -> list[str]:
    """Return what of a wish a lock doesn't meet, in words; nothing if it meets all."""
    return [*_other_python(lock, wish), *differences_anywhere(lock, wish, variant=variant)]


def differences_anywhere(lock: Lock, wish: Wish, *, variant: str | None) -> list[str]:
    """Return the same for a lock that need not be for the wish's own interpreter."""
    return [
        *_broken_promises(lock, wish, variant=variant),
        *_other_index(lock, wish),
        *dict.fromkeys(_unmet_by_lock(lock, wish)),
    ]


def flaws(lock: Lock, wish: Wish) -> list[str]:
    """Return what is wrong with a lock as such, as an edit by hand or a merge can leave it, in words."""
    found: list[str] = []
    cells = _cells_of(lock, wish.profile)
    for package in lock.pylock.packages:
        what = f"{package.name} {package.version}"
        if any("sha256" not in file.hashes for file in files_of(package)):
            found.append(f"it has a file of {what} without its sha256")
        found += [f"it is for {cell}, and has no file of {what} for it" for cell in unserved(package, cells)]
    for cell in cells:
        names = [one.name for one in lock.pylock.packages if cell.holds(str(one.marker) if one.marker else None)]
        found += [
            f"it has several {name} for {cell}" for name in sorted({one for one in names if names.count(one) > 1})
        ]
    return found


def covers(lock: Lock, profile: Profile) -> bool:
    """Say whether a lock was resolved for every machine that a profile is for now."""
    gaps = lock.promise.gaps if lock.promise else ()
    known = {(python, gap.platform) for gap in gaps for python in gap.pythons}
    known |= {(cell.python, cell.platform.name) for cell in _cells_of(lock, profile)}
    return all((cell.python, cell.platform.name) in known for cell in _whole_grid(profile))


def _other_python(lock: Lock, wish: Wish) -> Iterator[str]:
    requires, version = lock.pylock.requires_python, wish.interpreter.version
    if requires is not None and not requires.contains(version, prereleases=True):
        yield f"it is for Python {requires}, not {version}"


def _broken_promises(lock: Lock, wish: Wish, *, variant: str | None) -> Iterator[str]:
    if lock.promise is None:
        return
    now = Promise.of(wish.profile, variant=variant)
    then = lock.promise
    if then.profile != now.profile:
        yield f"it is for profile {then.profile}, not {now.profile}"
    if then.variant != now.variant:
        yield f"it is for {_variant(then.variant)}, not {_variant(now.variant)}"
    for what in ("backend", "variables", "settings", "smoke", "build_constraints", "system"):
        if getattr(then, what) != getattr(now, what):
            yield f"the profile's {what.replace('_', ' ')} changed since it was written"
    # What an extra brought is in the lock under names of its own, so only the promise knows of it
    had, wanted = _extras(Requirement(text) for text in then.requirements), _extras(wish.requirements)
    for name, extras in wanted.items():
        if extras - had[name]:
            yield f"it was resolved without {name}[{','.join(sorted(extras - had[name]))}], which is asked for"


def _other_index(lock: Lock, wish: Wish) -> Iterator[str]:
    of_then = lock.promise.as_of if lock.promise else None
    if wish.as_of is not None and of_then != wish.as_of:
        yield f"it was resolved {f'as of {of_then}' if of_then else 'without --as-of'}, not as of {wish.as_of}"
    if wish.only_binary:
        for package in lock.pylock.packages:
            if package.sdist is not None:
                yield f"{package.name} {package.version} is built from source, and --only-binary refuses that"


def _extras(requirements: Iterable[Requirement]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for requirement in requirements:
        found[canonicalize_name(requirement.name)] |= {canonicalize_name(extra) for extra in requirement.extras}
    return found


def _variant(name: str | None) -> str:
    return f"variant {name}" if name else "the plain profile"


def unmet_by_pins(pins: Sequence[Pin], profile: Profile) -> list[str]:
    """Return what of a profile its pins don't meet, in words."""
    asked = (*profile.requirements, *ALWAYS)
    locked = [_Locked(name=pin.name, version=pin.version, marker=pin.marker) for pin in pins]
    return list(dict.fromkeys(_unmet(locked, asked, profile, _whole_grid(profile))))


def _unmet_by_lock(lock: Lock, wish: Wish) -> Iterator[str]:
    locked = [
        _Locked(name=package.name, version=package.version, marker=str(package.marker) if package.marker else None)
        for package in lock.pylock.packages
        if package.version is not None
    ]
    return _unmet(locked, wish.requirements, wish.profile, _cells_of(lock, wish.profile))


def _unmet(
    locked: Sequence[_Locked], asked: Sequence[Requirement], profile: Profile, cells: Sequence[Cell]
) -> Iterator[str]:
    for cell in cells:
        present = {one.name: one.version for one in locked if cell.holds(one.marker)}
        for requirement in asked:
            if requirement.marker is None or cell.holds(str(requirement.marker)):
                yield from _missing(requirement, present)
        for constraint in profile.constraints:
            if constraint.requirement.marker is None or cell.holds(str(constraint.requirement.marker)):
                yield from _breaks(constraint.requirement, constraint.because, present)


def _cells_of(lock: Lock, profile: Profile) -> list[Cell]:
    """Return the machines that the lock itself speaks of, out of those that the profile is for."""
    spoken_of = lock.pylock.environments
    pythons = pythons_of(lock.pylock.requires_python or SpecifierSet())
    return [
        cell
        for cell in _whole_grid(profile)
        if cell.python in pythons and (not spoken_of or any(cell.holds(str(marker)) for marker in spoken_of))
    ]


def _whole_grid(profile: Profile) -> list[Cell]:
    return list(grid(pythons_of(profile.requires_python), [PLATFORMS[name] for name in profile.platforms]))


def _missing(requirement: Requirement, present: dict[str, Version]) -> Iterator[str]:
    version = present.get(canonicalize_name(requirement.name))
    if version is None:
        yield f"it has no {requirement.name}, which is asked for"
    elif not requirement.specifier.contains(version, prereleases=True):
        yield f"it has {requirement.name} {version}, and {requirement} is asked for"


def _breaks(constraint: Requirement, because: str, present: dict[str, Version]) -> Iterator[str]:
    version = present.get(canonicalize_name(constraint.name))
    if version is not None and not constraint.specifier.contains(version, prereleases=True):
        yield f"it has {constraint.name} {version}, and the profile wants {constraint} ({because})"
