"""From a profile, and what a user adds to it, to a lock for every machine that the profile is for."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv import progress
from kerasenv.engine import Index, ResolveRequest
from kerasenv.errors import ResolveError
from kerasenv.index import public_address
from kerasenv.lock.cells import KNOWN_PYTHONS, Cell, grid, marker_for, pythons_of
from kerasenv.platforms import PLATFORMS
from kerasenv.process import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import NormalizedName

    from kerasenv.engine import Engine, Pin, Resolution, ResolvedPackage
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.profiles.profile import Profile

CREATED_BY = "kerasenv"
# Every environment ends with a pip that its Python supports, and what is installed is in the lock
ALWAYS = (Requirement("pip"),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a lock is wanted for; `extra` is what the user's own project needs."""

    profile: Profile
    extra: tuple[Requirement, ...] = ()
    interpreter: Interpreter
    index: Index = field(default_factory=Index)

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Return everything that is asked for."""
        return (*self.profile.requirements, *self.extra, *ALWAYS)


def resolve(wish: Wish, engine: Engine, *, pins: tuple[Pin, ...] = (), exactly_pins: bool = False) -> Pylock:
    """Return the packages and files that meet a wish; raise ResolveError with the profile's reasons if none do."""
    profile = wish.profile
    _check_index(wish.index)
    pythons = pythons_of(profile.requires_python)
    if not pythons:
        raise ResolveError(
            f"{profile.name} is for no Python that this kerasenv knows.",
            looked_at=[f"it wants {profile.requires_python}; known are {', '.join(KNOWN_PYTHONS)}"],
            hints=["python -m pip install --upgrade kerasenv"],
        )
    cells = grid(pythons, [PLATFORMS[name] for name in profile.platforms])
    request = ResolveRequest(
        requirements=wish.requirements,
        constraints=tuple(one.requirement for one in profile.constraints),
        build_constraints=tuple(one.requirement for one in profile.build_constraints),
        pins=pins,
        exactly_pins=exactly_pins,
        pythons=pythons,
        platforms=tuple(dict.fromkeys(cell.platform for cell in cells)),
        interpreter=wish.interpreter,
        index=wish.index,
    )
    try:
        resolution = engine.resolve(request)
    except ResolveError as error:
        raise _with_reasons(error, profile) from error
    if resolution.only_here:
        cells = (_cell_of(wish.interpreter, profile),)
    return Pylock(
        lock_version=Version("1.0"),
        created_by=CREATED_BY,
        requires_python=_requires_python(profile, pythons),
        environments=_environments(cells, only_here=resolution.only_here),
        default_groups=[],
        packages=_packages(resolution, cells, pins=pins, index=public_address(wish.index)),
    )


def _check_index(index: Index) -> None:
    """Refuse an index that is a folder: its path would stand in the lock, and lead nowhere on any other machine."""
    if index.url and not index.url.lower().startswith(("https://", "http://")):
        raise ResolveError(
            "A lock needs an index that others can reach too, by its address.",
            looked_at=[f"{redact(index.url)} ({index.source})"],
            hints=["An index's address begins with https:// and usually ends in /simple"],
        )


def _requires_python(profile: Profile, pythons: Sequence[str]) -> SpecifierSet:
    """Return what the profile says of Python, without those that nothing was resolved for."""
    major, minor = pythons[-1].split(".")
    beyond = f"{major}.{int(minor) + 1}"
    requires = profile.requires_python
    return requires & SpecifierSet(f"<{beyond}") if requires.contains(f"{beyond}.0") else requires


def _cell_of(interpreter: Interpreter, profile: Profile) -> Cell:
    platform = interpreter.platform
    if platform is None or platform.name not in profile.platforms:
        machine = f"{interpreter.markers['sys_platform']} {interpreter.markers['platform_machine']}"
        raise ResolveError(
            f"{profile.name} is not for this machine: {machine}.",
            looked_at=[f"{profile.name} is for {', '.join(profile.platforms)}"],
        )
    return Cell(python=interpreter.minor, platform=platform)


def _environments(cells: Sequence[Cell], *, only_here: bool) -> list[Marker]:
    """Return what the lock is for, as PEP 751 wants it: an installer elsewhere must refuse."""
    if only_here:
        return [Marker(f"{cell.platform.marker} and python_version == '{cell.python}'") for cell in cells]
    return [Marker(platform.marker) for platform in dict.fromkeys(cell.platform for cell in cells)]


def _packages(resolution: Resolution, cells: Sequence[Cell], *, pins: Sequence[Pin], index: str) -> list[Package]:
    hashed: dict[tuple[NormalizedName, Version], list[Pin]] = defaultdict(list)
    for pin in pins:
        if pin.hashes:
            hashed[pin.name, pin.version].append(pin)
    packages = [
        _package(package, where, cells, allowed=_allowed(hashed[package.name, package.version], where), index=index)
        for package, where in _where(resolution.packages, cells)
        if where
    ]
    return sorted(packages, key=lambda package: (package.name, package.version or Version("0")))


def _allowed(pins: Sequence[Pin], where: Sequence[Cell]) -> frozenset[str] | None:
    """Return the hashes of the files that may stand for a package, None if any may.

    Pins have the hashes of what was needed where they hold; what else the same version needs elsewhere they can't say.
    """
    if all(any(cell.holds(pin.marker) for pin in pins) for cell in where):
        return frozenset().union(*(pin.hashes for pin in pins))
    return None


def _where(
    packages: Sequence[ResolvedPackage], cells: Sequence[Cell]
) -> list[tuple[ResolvedPackage, tuple[Cell, ...]]]:
    """Return for each package the cells it is for; in a cell no name comes twice."""
    places: list[list[Cell]] = [[] for _ in packages]
    for cell in cells:
        taken: set[str] = set()
        for first_patch in (False, True):
            for package, where in zip(packages, places, strict=True):
                if package.name not in taken and cell.holds(package.marker, first_patch=first_patch):
                    taken.add(package.name)
                    where.append(cell)
    return [(package, tuple(where)) for package, where in zip(packages, places, strict=True)]


def _package(
    package: ResolvedPackage,
    where: Sequence[Cell],
    cells: Sequence[Cell],
    *,
    allowed: frozenset[str] | None,
    index: str,
) -> Package:
    files = [file for file in package.files if allowed is None or file.sha256 in allowed]
    wheels = [file for file in files if file.name.endswith(".whl") and any(cell.can_run(file.name) for cell in where)]
    sdists = sorted((file for file in files if not file.name.endswith(".whl")), key=lambda file: file.name)
    # Where every machine has a wheel, nobody should come to build the source by accident
    unserved = [cell for cell in where if not any(cell.can_run(file.name) for file in wheels)]
    if not wheels and not sdists:
        raise ResolveError(
            f"The index has no file of {package.name} {package.version} that this lock could use.",
            looked_at=[f"{len(package.files)} files of that version; the hashes of {len(files)} are known"],
            hints=["Resolve anew with --upgrade, or name the index that has it with --index-url"],
        )
    marker = marker_for(where, cells)
    sdist = sdists[0] if sdists and unserved else None
    if unserved and sdist is None:
        what = f"{package.name} {package.version}"
        progress.note(f"The index has no file of {what} for {_told(unserved)}: there, this lock can't be installed.")
    return Package(
        name=package.name,
        version=package.version,
        marker=Marker(marker) if marker else None,
        requires_python=package.requires_python,
        index=index,
        wheels=[
            PackageWheel(
                name=file.name,
                url=file.url,
                size=file.size,
                upload_time=file.upload_time,
                hashes={"sha256": file.sha256},
            )
            for file in sorted(wheels, key=lambda file: file.name)
        ]
        or None,
        sdist=PackageSdist(
            name=sdist.name,
            url=sdist.url,
            size=sdist.size,
            upload_time=sdist.upload_time,
            hashes={"sha256": sdist.sha256},
        )
        if sdist
        else None,
    )


def _told(cells: Sequence[Cell]) -> str:
    pythons: dict[str, list[str]] = defaultdict(list)
    for cell in cells:
        pythons[cell.platform.title].append(cell.python)
    return "; ".join(f"{title} (Python {', '.join(here)})" for title, here in pythons.items())


def _with_reasons(error: ResolveError, profile: Profile) -> ResolveError:
    """Add why the profile caps the packages that an engine's explanation speaks of."""
    said = "\n".join((error.message, *error.looked_at))
    # Neither as a piece of another name nor of an address, which is what network errors speak of
    reasons = [
        f"{one.requirement} because without it: {one.because} ({one.seen})"
        for one in profile.constraints
        if re.search(rf"(?<![\w/-]){_name_pattern(one.requirement)}(?![\w-])", said, re.IGNORECASE)
    ]
    if not reasons:
        return error
    return ResolveError(
        error.message,
        looked_at=[*error.looked_at, f"{profile.name} asks for this:", *reasons],
        hints=[*error.hints, "Loosen what you asked for with --with or -r, or take a profile of a later era."],
    )


def _name_pattern(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name).replace("-", "[-_.]")
