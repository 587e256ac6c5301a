"""Where a lock has no file of a package, and so can't be installed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv.platforms import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.pylock import Package

    from kerasenv.lock.cells import Cell


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A package that the index has no file of for some Pythons on a platform."""

    package: str
    """Name and version: 'ml-dtypes 0.6.0'."""
    platform: str
    pythons: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as a person reads it."""
        title = PLATFORMS[self.platform].title if self.platform in PLATFORMS else self.platform
        return f"{self.package} for {title}, Python {', '.join(self.pythons)}"


def gaps_in(packages: Iterable[Package], cells: Sequence[Cell]) -> tuple[Gap, ...]:
    """Return what has no file where it is needed, by package and platform."""
    return tuple(
        Gap(package=f"{package.name} {package.version}", platform=platform, pythons=tuple(pythons))
        for package in packages
        for platform, pythons in _by_platform(unserved(package, cells)).items()
    )


def unserved(package: Package, cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that need a package and have no file of it."""
    if package.version is None or package.sdist is not None:  # what comes from a folder is no business of ours
        return []
    marker = str(package.marker) if package.marker else None
    names = [wheel.filename for wheel in package.wheels or ()]
    return [cell for cell in cells if cell.holds(marker) and not any(cell.can_run(name) for name in names)]


def served(gaps: Iterable[Gap], cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells in which no gap lies."""
    missing = {(python, gap.platform) for gap in gaps for python in gap.pythons}
    return [cell for cell in cells if (cell.python, cell.platform.name) not in missing]


def _by_platform(cells: Iterable[Cell]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for cell in cells:
        found[cell.platform.name].append(cell.python)
    return found
