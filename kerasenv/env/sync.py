"""What is to be done so that an environment is as its lock says; a plan, which is only values.

The environment is not repaired where it stands. A new one is built beside it, which gets from the old one all that is
as it should be, so that only the rest is downloaded and installed; when it is proven, the two change places.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kerasenv.env.environment import RECEIPT
from kerasenv.env.inventory import in_libraries, is_bytecode
from kerasenv.env.keras_home import SHARED
from kerasenv.env.variables import keras_home
from kerasenv.env.verify import differences, owners_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kerasenv.env.verify import Condition, Difference


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One thing that is done."""

    kind: str
    """'install', 'change', 'repair', 'remove', 'write' or 'lock'."""
    name: str
    text: str

    def __str__(self) -> str:
        sign = {"install": "+", "remove": "-", "change": "~", "repair": "!"}.get(self.kind, "*")
        return f"{sign} {self.name} {self.text}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncPlan:
    """All that is done, and what of the environment stays."""

    actions: tuple[Action, ...] = ()
    stays: frozenset[str] = frozenset()
    """Files of packages that are as the lock says."""
    incomplete: tuple[str, ...] = ()
    """Packages that have to be installed, anew or for the first time."""
    additions: frozenset[str] = frozenset()
    """Files that stay although the lock doesn't have them."""
    others: frozenset[str] = frozenset()
    """Files beside those of packages, which no lock speaks of."""

    @property
    def rebuilds(self) -> bool:
        """Say whether more is to be done than to keep another lock of the same content."""
        return any(action.kind != "lock" for action in self.actions)


def plan_sync(condition: Condition, *, keep_extra: bool) -> SyncPlan:
    """Return what makes an environment as its lock says."""
    found = tuple(differences(condition))
    return SyncPlan(
        actions=tuple(_actions(condition, found, keep_extra=keep_extra)),
        stays=_stays(condition, found),
        incomplete=_incomplete(condition, found),
        additions=_additions(condition) if keep_extra else frozenset(),
        others=_others(condition),
    )


def nothing_stays(plan: SyncPlan, condition: Condition) -> SyncPlan:
    """Return a plan for another Python, which can use no package of the one before."""
    return replace(plan, stays=frozenset(), additions=frozenset(), incomplete=tuple(sorted(condition.selected)))


def _actions(condition: Condition, found: Sequence[Difference], *, keep_extra: bool) -> Iterator[Action]:
    wanted = [one for one in found if one.what != "extra" or not keep_extra]
    yield from (_of_package(condition, one) for one in wanted if one.kind == "package")
    told = {one.package for one in found if one.kind == "package"}
    broken: dict[str, list[Difference]] = {}
    for one in wanted:
        if one.kind == "package" or one.package in told:
            continue
        if one.package is None:
            yield _of_environment(one)
        else:
            broken.setdefault(one.package, []).append(one)
    for name, files in broken.items():
        yield Action(kind="repair", name=name, text=f"{condition.locked_version(name)} ({_counted(files)})")
    if condition.made_from is None:
        yield Action(kind="change", name="all packages", text="(the lock that they were installed from is gone)")


def _of_package(condition: Condition, one: Difference) -> Action:
    locked = condition.locked_version(one.name) if one.what != "extra" else ""
    before = ", ".join(package.version for package in condition.inventory.packages if package.name == one.name)
    match one.what:
        case "extra":
            return Action(kind="remove", name=one.name, text=before)
        case "missing":
            return Action(kind="install", name=one.name, text=locked)
        case "version":
            return Action(kind="change", name=one.name, text=f"{before} -> {locked}")
        case _:
            return Action(kind="change", name=one.name, text=f"({one.text})")


def _of_environment(one: Difference) -> Action:
    if one.kind == "lock":
        return Action(kind="write" if one.what == "other" else "lock", name=one.name, text=f"({one.text})")
    if one.kind == "python":
        return Action(kind="change", name="Python", text=f"({one.name}: {one.text})")
    return Action(kind="remove" if one.what == "extra" else "write", name=one.name, text=f"({one.text})")


def _counted(files: Sequence[Difference]) -> str:
    return files[0].name if len(files) == 1 else f"{len(files)} files, {files[0].name} first"


def _incomplete(condition: Condition, found: Sequence[Difference]) -> tuple[str, ...]:
    names = {one.package for one in found if one.package in condition.selected}
    if condition.made_from is None:
        # Nobody knows whether the lock names the same files as the one before
        names |= condition.selected.keys()
    return tuple(sorted(name for name in names if name is not None))


def _stays(condition: Condition, found: Sequence[Difference]) -> frozenset[str]:
    incomplete = set(_incomplete(condition, found))
    files = condition.inventory.files
    stays = {
        path
        for package in condition.inventory.packages
        if package.name in condition.selected and package.name not in incomplete
        for path in (package.files or ())
        if path in files and not is_bytecode(path, files)
    }
    # A file that an incomplete package has too comes with that one
    shared = {
        path for package in condition.inventory.packages if package.name in incomplete for path in (package.files or ())
    }
    return frozenset(stays - shared)


def _additions(condition: Condition) -> frozenset[str]:
    files = condition.inventory.files
    found = set(condition.extra)
    for package in condition.inventory.packages:
        if package.name not in condition.selected:
            found |= {path for path in package.files or () if path in files}
            found |= {path for path in files if path == package.info or path.startswith(f"{package.info}/")}
    return frozenset(path for path in found if not is_bytecode(path, files))


def _others(condition: Condition) -> frozenset[str]:
    owned = owners_of(condition)
    receipt = condition.environment.receipt
    return frozenset(
        path
        for path in condition.inventory.files - owned.keys() - (receipt.files or {}).keys()
        if not in_libraries(path) and path not in {RECEIPT, receipt.lock_name, "pyvenv.cfg"}
    )


# Apply it


def carry(old: Path, new: Path, paths: Iterable[str]) -> None:
    """Let files of an old environment be in a new one as well; what is there already stays.

    They are the same files on the disk where the system allows, as those that uv installs are the same as in its cache.
    """
    made: set[str] = set()
    for path in sorted(paths):
        target = f"{new}/{path}"
        parent = target.rpartition("/")[0]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103  # of tens of thousands, each a Path otherwise
            made.add(parent)
        try:
            _share(f"{old}/{path}", target)
        except FileExistsError:
            continue


def _share(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        shutil.copy2(source, target, follow_symlinks=False)


def carry_home(old: Path, new: Path) -> None:
    """Let what a person keeps in the environment's folder of Keras be in a new one as well, but for downloads."""
    home = keras_home(old)
    found: list[str] = []
    for folder, folders, names in os.walk(home):
        inside = os.path.relpath(folder, old).replace(os.sep, "/")
        folders[:] = [name for name in folders if name not in SHARED]
        found += [f"{inside}/{name}" for name in names]
    carry(old, new, found)
