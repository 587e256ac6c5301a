"""What a bundle of a lock has to hold, for the machines it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from kerasenv import progress
from kerasenv.bundle.manifest import Target
from kerasenv.errors import BundleError
from kerasenv.interpreters.serving import served_by
from kerasenv.lock.cells import Cell, grid, pythons_of
from kerasenv.lock.machine import this_machine
from kerasenv.platforms import PLATFORMS, platform_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.pylock import Package, PackageSdist, PackageWheel

    from kerasenv.lock.lockfile import Lock

_ENGINE = "uv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """A package that has to be built for a target."""

    package: Package
    sdist: PackageSdist
    target: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Every file, for every target."""

    targets: tuple[Target, ...]
    packages: tuple[Package, ...]
    wheels: tuple[PackageWheel, ...]
    builds: tuple[Build, ...]


def contents_of(lock: Lock, *, platforms: Sequence[str], pythons: Sequence[str]) -> Contents:
    """Return what is needed; without platforms, for this one, and without Pythons, for all those of the lock."""
    possible = _cells_of(lock)
    chosen = _chosen(lock, possible, platforms=platforms, pythons=pythons)
    wheels: dict[str, PackageWheel] = {}
    builds: list[Build] = []
    targets: list[Target] = []
    packages: dict[int, Package] = {}
    for cell in chosen:
        target = Target(python=cell.python, platform=cell.platform.name)
        lacking = _lacking(lock, cell)
        if lacking and not pythons:
            progress.note(f"Left out is {target}: the lock has no file of {', '.join(lacking)} for it.")
            continue
        if lacking:
            raise BundleError(
                f"{lock.path.name} has no file of {', '.join(lacking)} for {target}.", hints=_choices(possible)
            )
        targets.append(target)
        for package in _packages(lock, cell):
            packages[id(package)] = package
            usable = _usable(package, cell)
            for wheel in usable:
                _add(wheels, wheel, lock)
            if not usable and package.sdist is not None:
                builds.append(Build(package=package, sdist=package.sdist, target=target))
    if not targets:
        raise BundleError(f"{lock.path.name} can't be installed on any machine that was asked for.")
    return Contents(
        targets=tuple(sorted(targets)),
        packages=tuple(packages.values()),
        wheels=tuple(wheel for _, wheel in sorted(wheels.items())),
        builds=tuple(builds),
    )


def _add(wheels: dict[str, PackageWheel], wheel: PackageWheel, lock: Lock) -> None:
    known = wheels.setdefault(wheel.filename, wheel)
    if "sha256" not in wheel.hashes or known.hashes["sha256"] != wheel.hashes["sha256"]:
        raise BundleError(
            f"{lock.path.name} has no sha256 of {wheel.filename}, or several.",
            hints=["Make the lock anew: kerasenv lock PROFILE --upgrade"],
        )


def _packages(lock: Lock, cell: Cell) -> list[Package]:
    return [
        package
        for package in lock.pylock.packages
        if package.marker is None or cell.holds(str(package.marker))  # as `rebuild` on such a machine
    ]


def _usable(package: Package, cell: Cell) -> list[PackageWheel]:
    """Return the wheels that can be installed there: which is best depends on how new that system is."""
    return [wheel for wheel in package.wheels or () if cell.can_run(wheel.filename)]


def _lacking(lock: Lock, cell: Cell) -> list[str]:
    return [
        f"{package.name} {package.version}"
        for package in _packages(lock, cell)
        if package.sdist is None and not _usable(package, cell)
    ]


def _cells_of(lock: Lock) -> list[Cell]:
    """Return the machines that the lock is for."""
    spoken_of = lock.pylock.environments
    pythons = pythons_of(lock.pylock.requires_python or SpecifierSet())
    return [
        cell
        for cell in grid(pythons, list(PLATFORMS.values()))
        if not spoken_of or any(cell.holds(str(marker)) for marker in spoken_of)
    ]


def _chosen(lock: Lock, possible: Sequence[Cell], *, platforms: Sequence[str], pythons: Sequence[str]) -> list[Cell]:
    here = platform_of(this_machine())
    wanted = list(platforms or ([here.name] if here is not None else []))
    if not wanted:
        raise BundleError("No lock is for a machine such as this one; which one is it for?", hints=_choices(possible))
    there = [cell for cell in possible if cell.platform.name in wanted]
    for platform in wanted:
        if platform not in {cell.platform.name for cell in there}:
            raise BundleError(f"{lock.path.name} is not for {PLATFORMS[platform].title}.", hints=_choices(possible))
    for python in pythons:
        if python not in {cell.python for cell in there}:
            raise BundleError(f"{lock.path.name} is not for CPython {python}.", hints=_choices(possible))
    there = [cell for cell in there if not pythons or cell.python in pythons]
    minors = tuple(dict.fromkeys(cell.python for cell in there))
    served = served_by(_ENGINE, minors)
    if refused := [python for python in minors if python not in served]:
        what = f"CPython {', '.join(refused)}, since uv installs what is in a bundle, and can't do so there"
        if pythons or not served:
            raise BundleError(
                f"There are no bundles for {what}.",
                hints=["Make the environment in an image of a container where there is a network, and carry that."],
            )
        progress.note(f"Left out is {what}.")
    return [cell for cell in there if cell.python in served]


def _choices(possible: Iterable[Cell]) -> list[str]:
    pythons: dict[str, list[str]] = {}
    for cell in possible:
        pythons.setdefault(cell.platform.name, []).append(cell.python)
    return [f"--platform {name}, with --python {' or '.join(found)}" for name, found in pythons.items()]
