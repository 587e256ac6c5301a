"""Whether two engines choose the same for one machine, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv.engine import files_of
from kerasenv.errors import ResolveError
from kerasenv.index import SimpleIndex
from kerasenv.lock.cells import is_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.pylock import Package, Pylock
    from packaging.version import Version

    from kerasenv.engine import Index
    from kerasenv.index import IndexFile
    from kerasenv.lock.cells import Cell


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """A package of which two engines have different versions or files, or that one of them leaves out."""

    name: str
    first: str
    second: str
    """Versions, with the files if those differ; empty where it is left out."""
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.first or 'none'} | {self.second or 'none'} ({self.why})"


def disagreements(first: Pylock, second: Pylock, cell: Cell, *, index: Index) -> list[Disagreement]:
    """Return what two locks have differently for a machine."""
    mine, theirs = _there(first, cell), _there(second, cell)
    differing = [
        name for name in sorted(mine.keys() | theirs.keys()) if _what(mine, name, cell) != _what(theirs, name, cell)
    ]
    return [
        Disagreement(
            name=name,
            first=_told(mine.get(name)),
            second=_told(theirs.get(name)),
            why=_why(mine.get(name), theirs.get(name), cell, index),
        )
        for name in differing
    ]


def _there(lock: Pylock, cell: Cell) -> dict[str, Package]:
    return {
        str(package.name): package
        for package in lock.packages
        if cell.holds(str(package.marker) if package.marker else None)
    }


def _what(packages: dict[str, Package], name: str, cell: Cell) -> tuple[Version | None, frozenset[str]] | None:
    """Return the version and the digests of the files that could be installed on the machine."""
    package = packages.get(name)
    if package is None:
        return None
    wheels = [wheel for wheel in package.wheels or () if cell.can_run(wheel.filename)]
    return package.version, frozenset(file.hashes.get("sha256", "") for file in wheels or files_of(package))


def _told(package: Package | None) -> str:
    return "" if package is None else str(package.version)


def _why(first: Package | None, second: Package | None, cell: Cell, index: Index) -> str:
    """Return the reason as far as the index shows it."""
    if first is None or second is None:
        return "one of them finds that nothing needs it here"
    if first.version == second.version:
        return "they name other files of it"
    try:
        files = SimpleIndex(index).files(first.name)
    except ResolveError:
        return "the index does not show why"
    reasons = [
        f"{package.version} {reason}"
        for package in (first, second)
        for reason in _peculiar(package, [file for file in files if file.version == package.version], cell)
    ]
    return "; ".join(reasons) or "both would do: what else was chosen first decides"


def _peculiar(package: Package, files: Sequence[IndexFile], cell: Cell) -> list[str]:
    """Return what one engine may take ill of a version, and the other not."""
    found = []
    if any(file.requires_python is not None and not is_for(file.requires_python, cell.python) for file in files):
        found.append(f"says that it isn't for Python {cell.python}")
    if files and all(file.yanked for file in files):
        found.append("was withdrawn")
    if package.version is not None and package.version.is_prerelease:
        found.append("is a pre-release")
    if not any(cell.can_run(file.name) for file in files):
        found.append("has no wheel here")
    return found
