"""From a profile, and what a user adds to it, to a lock for every machine that the profile is for."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.version import Version

from kerasenv.engine import Index, ResolveRequest
from kerasenv.errors import ResolveError
from kerasenv.lock.cells import Cell, grid, marker_for, pythons_of
from kerasenv.platforms import PLATFORMS

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
    cells = grid(pythons_of(profile.requires_python), [PLATFORMS[name] for name in profile.platforms])
    request = ResolveRequest(
        requirements=wish.requirements,
        constraints=tuple(one.requirement for one in profile.constraints),
        build_constraints=tuple(one.requirement for one in profile.build_constraints),
        pins=pins,
        exactly_pins=exactly_pins,
        pythons=tuple(dict.fromkeys(cell.python for cell in cells)),
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
        requires_python=profile.requires_python,
        environments=_environments(cells, only_here=resolution.only_here),
        default_groups=[],
        packages=_packages(resolution, cells, hashes=_hashes(pins)),
    )


def _cell_of(interpreter: Interpreter, profile: Profile) -> Cell:
    platform = interpreter.platform
    if platform is None:
        machine = f"{interpreter.markers['sys_platform']} {interpreter.markers['platform_machine']}"
        raise ResolveError(
            f"{machine} is no platform that a lock can be for.",
            looked_at=[f"{profile.name} is for {', '.join(profile.platforms)}"],
        )
    return Cell(python=interpreter.minor, platform=platform)


def _environments(cells: Sequence[Cell], *, only_here: bool) -> list[Marker]:
    """Return what the lock is for, as PEP 751 wants it: an installer elsewhere must refuse."""
    if only_here:
        return [Marker(f"{cell.platform.marker} and python_version == '{cell.python}'") for cell in cells]
    return [Marker(platform.marker) for platform in dict.fromkeys(cell.platform for cell in cells)]


def _hashes(pins: Sequence[Pin]) -> dict[tuple[NormalizedName, Version], frozenset[str]]:
    """Return which files may stand for a pin; pins without hashes say nothing about that."""
    found: dict[tuple[NormalizedName, Version], frozenset[str]] = defaultdict(frozenset)
    for pin in pins:
        if pin.hashes:
            found[pin.name, pin.version] |= pin.hashes
    return found


def _packages(
    resolution: Resolution,
    cells: Sequence[Cell],
    *,
    hashes: dict[tuple[NormalizedName, Version], frozenset[str]],
) -> list[Package]:
    chosen = _where(resolution.packages, cells)
    packages = [
        _package(package, where, cells, allowed=hashes.get((package.name, package.version)))
        for package, where in chosen
        if where
    ]
    return sorted(packages, key=lambda package: (package.name, package.version or Version("0")))


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
    package: ResolvedPackage, where: Sequence[Cell], cells: Sequence[Cell], *, allowed: frozenset[str] | None
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
    return Package(
        name=package.name,
        version=package.version,
        marker=Marker(marker) if marker else None,
        requires_python=package.requires_python,
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


def _with_reasons(error: ResolveError, profile: Profile) -> ResolveError:
    """Add why the profile caps the packages that an engine's explanation speaks of."""
    said = "\n".join((error.message, *error.looked_at))
    reasons = [
        f"{one.requirement} because without it: {one.because} ({one.seen})"
        for one in profile.constraints
        if re.search(rf"(?<![\w-]){re.escape(one.requirement.name)}(?![\w-])", said, re.IGNORECASE)
    ]
    if not reasons:
        return error
    return ResolveError(
        error.message,
        looked_at=[*error.looked_at, f"{profile.name} asks for this:", *reasons],
        hints=[*error.hints, "Loosen what you asked for with --with or -r, or take a profile of a later era."],
    )
