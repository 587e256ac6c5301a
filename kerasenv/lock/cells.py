"""The machines a lock is for, as a grid: every minor version of Python on every platform.

Whatever an engine answers is evaluated on this grid and written anew from it. So two engines write the same markers,
a marker speaks of nothing that the lock isn't for, and the next lock differs only where it really differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from kerasenv.platforms import KNOWN_PYTHONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.specifiers import SpecifierSet

    from kerasenv.platforms import Platform

# A marker such as python_full_version < '3.11.4' speaks of a fault that later patches mended: a grid of minor versions
# takes the latest patch first, and what only the first one needs in addition
_LATEST_PATCH, _FIRST_PATCH = 99, 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One minor version of CPython on one platform."""

    python: str
    platform: Platform

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"Python {self.python} on {self.platform.title}"

    def holds(self, marker: str | None, *, first_patch: bool = False) -> bool:
        """Say whether a marker holds here."""
        if marker is None:
            return True
        return _holds(marker, self, _FIRST_PATCH if first_patch else _LATEST_PATCH)

    def environment(self, patch: int) -> Iterable[tuple[str, str]]:
        """Yield what markers can ask for, and what it is here."""
        full = f"{self.python}.{patch}"
        yield "python_version", self.python
        yield "python_full_version", full
        yield "implementation_version", full
        yield "implementation_name", "cpython"
        yield "platform_python_implementation", "CPython"
        yield "sys_platform", self.platform.sys_platform
        yield "platform_system", self.platform.platform_system
        yield "platform_machine", self.platform.machine
        yield "os_name", self.platform.os_name
        yield "platform_release", ""
        yield "platform_version", ""
        yield "extra", ""

    def can_run(self, wheel: str) -> bool:
        """Say whether a wheel, by its file name, can be installed here (on a new enough system)."""
        try:
            _, _, _, tags = parse_wheel_filename(wheel)
        except InvalidWheelFilename:  # of before there were rules: no installer of today takes it
            return False
        pairs = _tag_pairs(self.python)
        return any(
            (tag.interpreter, tag.abi) in pairs
            and (
                tag.platform == "any"
                or any(fnmatchcase(tag.platform, pattern) for pattern in self.platform.wheel_platforms)
            )
            for tag in tags
        )


def pythons_of(requires: SpecifierSet) -> tuple[str, ...]:
    """Return the minor versions that a profile is for, oldest first."""
    return tuple(minor for minor in KNOWN_PYTHONS if is_for(requires, minor))


def is_for(requires: SpecifierSet, python: str) -> bool:
    """Say whether what requires some Pythons is for the latest patch of a minor version."""
    return requires.contains(f"{python}.{_LATEST_PATCH}")


def grid(pythons: Sequence[str], platforms: Sequence[Platform]) -> tuple[Cell, ...]:
    """Return every cell."""
    return tuple(Cell(python=python, platform=platform) for python in pythons for platform in platforms)


def marker_for(chosen: Iterable[Cell], whole: Sequence[Cell]) -> str | None:
    """Return the shortest plain marker that holds on the chosen cells of the whole grid and on no other of them.

    None stands for the whole grid. There is no marker that holds nowhere: at least one cell must be chosen.
    """
    pythons = list(dict.fromkeys(cell.python for cell in whole))
    platforms = list(dict.fromkeys(cell.platform for cell in whole))
    cells = set(chosen)
    if not cells:
        raise ValueError("no cell is chosen, and no marker would mean all of them")
    by_pythons: dict[tuple[str, ...], list[Platform]] = {}
    for platform in platforms:
        here = tuple(python for python in pythons if Cell(python=python, platform=platform) in cells)
        if here:
            by_pythons.setdefault(here, []).append(platform)
    parts = [
        _all_of(_python_part(here, pythons), _platform_part(where, platforms)) for here, where in by_pythons.items()
    ]
    if "" in parts:
        return None
    return " or ".join(f"({part})" if " and " in part and len(parts) > 1 else part for part in parts)


def _all_of(*parts: str) -> str:
    spoken = [part for part in parts if part]
    return " and ".join(f"({part})" if " or " in part and len(spoken) > 1 else part for part in spoken)


def _python_part(chosen: Sequence[str], pythons: Sequence[str]) -> str:
    ranges: list[list[str]] = []
    for python in pythons:
        if python not in chosen:
            continue
        if ranges and pythons.index(ranges[-1][-1]) + 1 == pythons.index(python):
            ranges[-1].append(python)
        else:
            ranges.append([python])
    return " or ".join(_range(one, pythons) for one in ranges)


def _range(chosen: Sequence[str], pythons: Sequence[str]) -> str:
    if len(chosen) == 1 < len(pythons):
        return f"python_version == '{chosen[0]}'"
    bounds = []
    if chosen[0] != pythons[0]:
        bounds.append(f"python_version >= '{chosen[0]}'")
    if chosen[-1] != pythons[-1]:
        bounds.append(f"python_version < '{pythons[pythons.index(chosen[-1]) + 1]}'")
    return " and ".join(bounds)


def _platform_part(chosen: Sequence[Platform], platforms: Sequence[Platform]) -> str:
    if len(chosen) == len(platforms):
        return ""
    parts: list[str] = []
    for system in dict.fromkeys(platform.sys_platform for platform in chosen):
        here = [platform for platform in chosen if platform.sys_platform == system]
        everywhere = [platform for platform in platforms if platform.sys_platform == system]
        if here == everywhere:
            parts.append(f"sys_platform == '{system}'")
        else:
            parts.extend(f"({platform.marker})" if len(chosen) > 1 else platform.marker for platform in here)
    return " or ".join(parts)


@cache  # a lock says the same few markers of many packages, and is asked several times
def _holds(marker: str, cell: Cell, patch: int) -> bool:
    # In a lock's context, since another tool's lock can speak of extras and groups, none of which is asked for
    return Marker(marker).evaluate(dict(cell.environment(patch)), context="lock_file")


@cache
def _tag_pairs(python: str) -> frozenset[tuple[str, str]]:
    """Return the (interpreter, abi) pairs of wheels that a CPython of this minor version can run."""
    major, minor = (int(part) for part in python.split("."))
    abi = f"cp{major}{minor}" + ("m" if (major, minor) < (3, 8) else "")
    abis = [abi] if major > 2 else ["cp27mu", "cp27m"]  # noqa: PLR2004
    exact = cpython_tags((major, minor), abis=abis, platforms=["any"])
    pure = compatible_tags((major, minor), interpreter=f"cp{major}{minor}", platforms=["any"])
    return frozenset((tag.interpreter, tag.abi) for tag in (*exact, *pure))
