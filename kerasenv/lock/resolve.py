"""From a profile, and what a user adds to it, to a lock for every machine that the profile is for."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv import progress
from kerasenv.engine import BuildConstraint, Index, ResolveRequest
from kerasenv.errors import ResolveError
from kerasenv.interpreters.serving import served_by
from kerasenv.lock.cells import Cell, grid, is_for, marker_for, pythons_of
from kerasenv.lock.gaps import Gap, gaps_in, served
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS
from kerasenv.process import redact
from kerasenv.resolution import NO_CHOICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.utils import NormalizedName

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.wish import Wish
    from kerasenv.profiles.profile import Profile
    from kerasenv.resolution import Pin, Resolution, ResolvedPackage

CREATED_BY = "kerasenv"
_ROUNDS = 20
_NO_BUILD = re.compile(r"no usable wheels|building from source is disabled|only-binary", re.IGNORECASE)
_HOW_TO_BUILD = (
    "What has no wheel is built only where a profile says by what: extend this one with a profile of your own that has "
    "[[build-constraints]]"
)


def resolve(wish: Wish, engine: Engine, *, pins: tuple[Pin, ...] = (), exactly_pins: bool = False) -> Pylock:
    """Return the packages and files that meet a wish; raise ResolveError with the profile's reasons if none do."""
    return resolve_with_gaps(wish, engine, pins=pins, exactly_pins=exactly_pins)[0]


def resolve_near(wish: Wish, engine: Engine, *, pins: tuple[Pin, ...]) -> tuple[Pylock, tuple[Gap, ...]]:
    """Return what meets a wish with as few versions as possible other than those of the pins, and its gaps.

    An engine that prefers versions forgets for which machines they were chosen, and may change what need not change.
    """
    if pins:
        try:
            return resolve_with_gaps(wish, engine, pins=pins, hold=True)
        except ResolveError as error:
            # An index that fails must not decide what is chosen
            if error.message != NO_CHOICE:
                raise
            progress.detail("not with all versions as they are")
    return resolve_with_gaps(wish, engine, pins=pins)


def resolve_with_gaps(
    wish: Wish, engine: Engine, *, pins: tuple[Pin, ...] = (), exactly_pins: bool = False, hold: bool = False
) -> tuple[Pylock, tuple[Gap, ...]]:
    """Return what meets a wish, and what of it has no file for some machines; with `hold`, pins leave no choice."""
    profile = wish.profile
    _check_index(wish.index)
    pythons = served_by(engine.name, pythons_of(profile.requires_python))
    if not pythons:
        raise ResolveError(
            f"{profile.name} is for no Python that this kerasenv knows.",
            looked_at=[f"it wants {profile.requires_python}; known are {', '.join(KNOWN_PYTHONS)}"],
            hints=["python -m pip install --upgrade kerasenv"],
        )
    cells = grid(pythons, [PLATFORMS[name] for name in profile.platforms])
    request = ResolveRequest(
        requirements=tuple(one for one in wish.requirements if _is_wanted(one, cells)),
        constraints=(*(one.requirement for one in profile.constraints), *(map(_held, pins) if hold else ())),
        build_constraints=tuple(
            BuildConstraint(requirement=one.requirement, sha256=one.sha256) for one in profile.build_constraints
        ),
        pins=pins,
        exactly_pins=exactly_pins,
        builds=wish.builds,
        pythons=pythons,
        platforms=tuple(dict.fromkeys(cell.platform for cell in cells)),
        interpreter=wish.interpreter,
        index=wish.index,
    )
    try:
        with _index_of(wish) as index:
            resolution = _resolution(replace(request, index=index, tool_index=wish.index), engine, cells)
    except ResolveError as error:
        if exactly_pins and error.message == NO_CHOICE:
            raise ResolveError(
                f"The index no longer has all that {profile.name} was verified with, or never had it.",
                looked_at=error.looked_at,
                hints=[
                    "Name an index that has it: --index-url URL",
                    "Or choose other versions: kerasenv lock PROFILE --upgrade",
                ],
            ) from error
        raise _with_reasons(error, wish) from error
    if resolution.only_here:
        cells = (_cell_of(wish.interpreter, profile),)
    from kerasenv.index import public_address  # noqa: PLC0415  # only who resolves knows an index

    packages = _packages(
        resolution,
        cells,
        pins=pins,
        index=public_address(wish.index),
        sdists=wish.builds,
    )
    gaps = gaps_in(packages, cells)
    pylock = Pylock(
        lock_version=Version("1.0"),
        created_by=CREATED_BY,
        requires_python=_requires_python(profile, pythons),
        environments=_environments(served(gaps, cells), cells, only_here=resolution.only_here, gaps=gaps),
        default_groups=[],
        packages=packages,
    )
    return pylock, gaps


def _is_wanted(requirement: Requirement, cells: Sequence[Cell]) -> bool:
    """Say whether a requirement counts on any machine: an engine would look for it all the same, or even build it."""
    marker = str(requirement.marker) if requirement.marker else None
    return any(cell.holds(marker, first_patch=first_patch) for cell in cells for first_patch in (False, True))


def _held(pin: Pin) -> Requirement:
    return Requirement(f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else ""))


@contextmanager
def _index_of(wish: Wish) -> Iterator[Index]:
    """Give the index that is to be asked, and tell what it could not be asked for."""
    if wish.as_of is None:
        yield wish.index
        return
    if wish.index.offline:
        raise ResolveError(
            "How the index stood on a day can't be told offline.",
            looked_at=[f"--as-of {wish.as_of}"],
            hints=["Leave --offline out."],
        )
    from kerasenv.index_view import index_as_of  # noqa: PLC0415  # 15 ms, with a server that hardly anyone needs

    with index_as_of(wish.index, wish.as_of, whenever=_pinned_by(wish.profile)) as view:
        yield view.index
    if view.exempt:
        told = ", ".join(sorted(view.exempt))
        progress.note(f"{told} came after {wish.as_of}, and the profile asks for just that.")
    unknown = {name: count for name, count in sorted(view.unknown.items()) if count}
    if unknown:
        told = ", ".join(f"{name} ({count})" for name, count in unknown.items())
        progress.note(
            f"{sum(unknown.values())} files were left out, since the index doesn't say when they came: {told}."
        )


def _pinned_by(profile: Profile) -> dict[NormalizedName, frozenset[Version]]:
    """Return the versions that a profile leaves no choice of: no day can take them away."""
    rows = (*profile.requirements, *(one.requirement for one in profile.build_constraints))
    found: dict[NormalizedName, set[Version]] = defaultdict(set)
    for requirement in rows:
        for specifier in requirement.specifier:
            if specifier.operator == "==" and not specifier.version.endswith(".*"):
                found[canonicalize_name(requirement.name)].add(Version(specifier.version))
    return {name: frozenset(versions) for name, versions in found.items()}


def _resolution(request: ResolveRequest, engine: Engine, cells: Sequence[Cell]) -> Resolution:
    """Let the engine choose, and choose anew where a version says of itself that it isn't for a Python.

    uv heeds only lower bounds of Requires-Python, and pip sees one Python alone.
    """
    barred: dict[Requirement, str] = {}
    for _ in range(_ROUNDS):
        try:
            resolution = engine.resolve(replace(request, constraints=(*request.constraints, *barred)))
        except ResolveError as error:
            if not barred:
                raise
            raise ResolveError(
                error.message, looked_at=[*error.looked_at, *barred.values()], hints=error.hints
            ) from error
        more = {} if request.exactly_pins or resolution.only_here else _barred(resolution, cells)
        if not more.keys() - barred.keys():
            return resolution
        barred |= more
    raise ResolveError(
        "No versions were found that are for every Python of the profile.", looked_at=list(barred.values())
    )


def _barred(resolution: Resolution, cells: Sequence[Cell]) -> dict[Requirement, str]:
    """Return which versions mustn't be chosen on which Pythons, and why."""
    found: dict[Requirement, str] = {}
    for package, where in _where(resolution.packages, cells):
        requires = package.requires_python
        if requires is None:
            continue
        pythons = [python for python in dict.fromkeys(cell.python for cell in where) if not is_for(requires, python)]
        for python in pythons:
            barred = Requirement(f"{package.name}!={package.version} ; python_version == '{python}'")
            found[barred] = f"{package.name} {package.version} says that it is for Python {requires}, not {python}"
    return found


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
    left_out = pythons_of(requires)[: -len(pythons)]
    bounds = [f">={pythons[0]}"] if left_out else []
    bounds += [f"<{beyond}"] if requires.contains(f"{beyond}.0") else []
    return requires & SpecifierSet(",".join(bounds)) if bounds else requires


def _cell_of(interpreter: Interpreter, profile: Profile) -> Cell:
    platform = interpreter.platform
    if platform is None or platform.name not in profile.platforms:
        machine = f"{interpreter.markers['sys_platform']} {interpreter.markers['platform_machine']}"
        raise ResolveError(
            f"{profile.name} is not for this machine: {machine}.",
            looked_at=[f"{profile.name} is for {', '.join(profile.platforms)}"],
        )
    return Cell(python=interpreter.minor, platform=platform)


def _environments(
    installable: Sequence[Cell], cells: Sequence[Cell], *, only_here: bool, gaps: Sequence[Gap]
) -> list[Marker]:
    """Return what the lock is for, as PEP 751 wants it: an installer elsewhere must refuse.

    A machine that a package has no file for is such an elsewhere.
    """
    if not installable:
        raise ResolveError(
            "There is no machine that this could be installed on.",
            looked_at=[f"no file of {gap}" for gap in gaps],
            hints=["Leave out what has no files, or name an index that has them with --index-url"],
        )
    if only_here:
        return [Marker(f"{cell.platform.marker} and python_version == '{cell.python}'") for cell in installable]
    markers = []
    for platform in dict.fromkeys(cell.platform for cell in installable):
        there = [cell for cell in cells if cell.platform == platform]
        part = marker_for([cell for cell in installable if cell.platform == platform], there)
        python = f" and ({part})" if part and " or " in part else f" and {part}" if part else ""
        markers.append(Marker(f"{platform.marker}{python}"))
    return markers


def _packages(
    resolution: Resolution,
    cells: Sequence[Cell],
    *,
    pins: Sequence[Pin],
    index: str,
    sdists: bool,
) -> list[Package]:
    hashed: dict[tuple[NormalizedName, Version], list[Pin]] = defaultdict(list)
    for pin in pins:
        if pin.hashes:
            hashed[pin.name, pin.version].append(pin)
    packages = [
        _package(
            package if sdists else _without_sdists(package),
            where,
            cells,
            allowed=_allowed(hashed[package.name, package.version], where),
            index=index,
        )
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
    unserved = [cell for cell in where if not any(cell.can_run(file.name) for file in wheels)]
    sdists = sorted((file for file in files if not file.name.endswith(".whl")), key=lambda file: file.name)
    if not wheels and not sdists:
        raise ResolveError(
            f"The index has no file of {package.name} {package.version} that this lock could use.",
            looked_at=[f"{len(package.files)} files of that version; the hashes of {len(files)} are known"],
            hints=["Resolve anew: kerasenv lock PROFILE --upgrade", "Or name the index that has it with --index-url"],
        )
    marker = marker_for(where, cells)
    # Where every machine has a wheel, nobody should come to build the source by accident
    sdist = sdists[0] if sdists and unserved else None
    if unserved and sdist is None:
        what = f"{package.name} {package.version}"
        progress.note(f"The index has no file of {what} for {_told(unserved)}: there, this lock can't be installed.")
    return Package(
        name=package.name,
        version=package.version,
        marker=Marker(marker) if marker else None,
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


def _without_sdists(package: ResolvedPackage) -> ResolvedPackage:
    wheels = tuple(file for file in package.files if file.name.endswith(".whl"))
    if package.files and not wheels:
        raise ResolveError(
            f"{package.name} {package.version} has no wheel, only a source distribution.", hints=[_HOW_TO_BUILD]
        )
    return replace(package, files=wheels)


def _told(cells: Sequence[Cell]) -> str:
    pythons: dict[str, list[str]] = defaultdict(list)
    for cell in cells:
        pythons[cell.platform.title].append(cell.python)
    return "; ".join(f"{title} (Python {', '.join(here)})" for title, here in pythons.items())


def _with_reasons(error: ResolveError, wish: Wish) -> ResolveError:
    """Add why the profile caps the packages that an engine's explanation speaks of, and what else stood in the way."""
    profile, can_build = wish.profile, bool(wish.profile.build_constraints)
    if not wish.builds and _NO_BUILD.search("\n".join(error.looked_at)):
        more = [*(["Leave --only-binary out."] if wish.only_binary else []), *([] if can_build else [_HOW_TO_BUILD])]
        error = ResolveError(error.message, looked_at=error.looked_at, hints=[*error.hints, *more])
    if wish.as_of is not None:
        seen = [*error.looked_at, f"the index was asked as it stood on {wish.as_of}"]
        error = ResolveError(error.message, looked_at=seen, hints=[*error.hints, "Name a later day with --as-of"])
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
