"""Compare an environment with its lock, file by file; nothing of the environment is executed.

What each file should be is told by the RECORD of its package, and of files that no RECORD tells, the RECORDs
themselves among them, by the receipt, which remembers what they were when the environment was made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.pylock import is_valid_pylock_path
from packaging.version import InvalidVersion, Version

from kerasenv.engine import files_of
from kerasenv.env.hooks import is_hook
from kerasenv.env.inventory import (
    differing,
    in_libraries,
    info_of,
    is_bytecode,
    named_by,
    packages_by_name,
    state_of,
    take_inventory,
)
from kerasenv.env.variables import keras_home
from kerasenv.errors import InterpreterError, LockError
from kerasenv.interpreters.find import inspect
from kerasenv.lock.cells import Cell
from kerasenv.lock.foreign import with_promise_of_profile
from kerasenv.lock.lockfile import Lock, read_lock
from kerasenv.lock.machine import check_machine, this_machine
from kerasenv.platforms import platform_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.pylock import Package
    from packaging.utils import NormalizedName

    from kerasenv.env.environment import Environment, Receipt
    from kerasenv.env.inventory import Installed, Inventory
    from kerasenv.interpreters.interpreter import Interpreter

# Of what a lock promises beyond its packages
_PROMISES = ("variant", "backend", "variables", "settings", "smoke", "trial", "noise", "system")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is not as the lock says."""

    kind: str
    """'lock', 'receipt', 'python', 'package', 'hook' or 'file'."""
    name: str
    """What differs: a package, the path of a file within the environment, a key of the receipt."""
    what: str
    """'missing', 'extra', 'version', 'files', 'changed', 'other' or 'gone'."""
    text: str
    """The difference in words."""
    package: str | None = None
    """The package that a file is of."""

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What was found of an environment, and the lock that it is compared with."""

    environment: Environment
    lock: Lock
    made_from: Lock | None
    """The lock that it was made from, None if that can't be had any more."""
    python: Interpreter | None
    """The Python below it, None if it is gone."""
    why_no_python: str
    selected: Mapping[NormalizedName, Package]
    """What the lock has for this Python on this machine."""
    inventory: Inventory
    wrong: Mapping[str, str]
    """Every file that isn't what it should be, and what it is."""
    extra: tuple[str, ...]
    """Files among those of the packages that no package and no receipt knows."""
    files: int
    """How many files were compared."""

    def locked_version(self, name: str) -> str:
        """Return which version of a package the lock has."""
        return next(str(one.version) for one in self.selected.values() if one.name == name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What came out."""

    folder: Path
    profile: str
    lock: Path
    packages: int
    files: int
    differences: tuple[Difference, ...]


def verify(environment: Environment, lock: Lock) -> Verified:
    """Compare an environment with a lock."""
    condition = look_at(environment, lock)
    return Verified(
        folder=environment.folder,
        profile=environment.receipt.profile,
        lock=lock.path,
        packages=len(condition.selected),
        files=condition.files,
        differences=tuple(differences(condition)),
    )


def lock_of(environment: Environment, named: Path | None, *, cwd: Path) -> tuple[Lock, str]:
    """Return the lock of an environment and where it comes from.

    That is the one that is named; else the project's, by its name, in `cwd` or beside the environment; else the copy
    that the environment keeps.
    """
    name = environment.receipt.lock_name
    if named is not None:
        lock, source = read_lock(named), f"--lock: {named}"
    elif not is_valid_pylock_path(Path(name)) or Path(name).name != name:
        raise LockError(f"The receipt names no lock: {name!r}", hints=["Name the lock: --lock FILE"])
    else:
        project = [place for place in (cwd / name, environment.folder.parent / name) if place.is_file()]
        place = next(iter(project), environment.folder / name)
        if not place.is_file():
            raise LockError(
                f"The lock of {environment.folder} is not here, and the environment keeps no copy of it.",
                looked_at=[f"{cwd / name}: not there", f"{place}: not there"],
                hints=["Name the lock: --lock FILE"],
            )
        lock, source = read_lock(place), str(place) if project else f"the copy that the environment keeps: {place}"
    return (lock if lock.promise is not None else with_promise_of_profile(lock, cwd)), source


def look_at(environment: Environment, lock: Lock) -> Condition:
    """Find out all that is compared."""
    receipt = environment.receipt
    python, why_no_python = _python_of(receipt)
    markers = dict(python.markers) if python is not None else _markers_of(receipt)
    selected = {
        package.name: package
        for package in lock.pylock.packages
        if package.marker is None or package.marker.evaluate({**markers, "extra": ""}, context="lock_file")
    }
    inventory = take_inventory(environment.folder)
    expected = _expected(inventory, receipt, selected)
    return Condition(
        environment=environment,
        lock=lock,
        made_from=_made_from(environment, lock),
        python=python,
        why_no_python=why_no_python,
        selected=selected,
        inventory=inventory,
        wrong=differing(environment.folder, expected),
        extra=_extra(inventory, receipt, lock),
        files=len(expected),
    )


def _python_of(receipt: Receipt) -> tuple[Interpreter | None, str]:
    try:
        return inspect(Path(receipt.python_path), source="as in the environment"), ""
    except InterpreterError as error:
        return None, error.message


def _markers_of(receipt: Receipt) -> dict[str, Any]:
    """Return what a Python that is gone would say of itself."""
    version = receipt.python_version
    return {
        **this_machine(),
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
        "implementation_version": version,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def _made_from(environment: Environment, lock: Lock) -> Lock | None:
    wanted = environment.receipt.lock_digest
    if lock.digest == wanted:
        return lock
    try:
        kept = read_lock(environment.folder / environment.receipt.lock_name)
    except LockError:
        return None
    return kept if kept.digest == wanted else None


def _expected(
    inventory: Inventory, receipt: Receipt, selected: Mapping[NormalizedName, Package]
) -> dict[str, frozenset[str]]:
    """Return what each file may be.

    A file that several packages have is that of the one which was installed last, and nobody knows which one that was;
    but a package that isn't in the lock has no say in the files of the others.
    """
    expected: dict[str, frozenset[str]] = {}
    for locked in (True, False):
        found: dict[str, set[str]] = {}
        for package in inventory.packages:
            if (package.name in selected) == locked:
                for path, digest in (package.files or {}).items():
                    if digest is not None and path not in expected and not is_bytecode(path, inventory.files):
                        found.setdefault(path, set()).add(digest)
        expected |= {path: frozenset(digests) for path, digests in found.items()}
    return expected | {path: frozenset({state}) for path, state in (receipt.files or {}).items()}


def _extra(inventory: Inventory, receipt: Receipt, lock: Lock) -> tuple[str, ...]:
    if receipt.files is None:  # which of them are kerasenv's own was not written down
        return ()
    known = {path for package in inventory.packages for path in package.files or ()}
    without_record = {package.info for package in inventory.packages if package.files is None}
    # Beside the links to libraries of the system, the packages that load them put some of their own
    linked = tuple(need.links for need in (lock.promise.system if lock.promise else ()) if need.links)
    return tuple(
        path
        for path in sorted(inventory.files - known - receipt.files.keys())
        if in_libraries(path)
        and not is_bytecode(path, inventory.files)
        and info_of(path) not in without_record
        and not (path.rpartition("/")[0].endswith(linked) and (inventory.folder / path).is_symlink())
    )


# What differs


def differences(condition: Condition) -> Iterator[Difference]:
    """Yield all that is not as the lock says."""
    yield from _of_lock(condition)
    yield from _of_receipt(condition)
    yield from _of_python(condition)
    of_packages = list(_of_packages(condition))
    yield from of_packages
    told = {one.name for one in of_packages if one.what in {"missing", "version"}}
    yield from _of_files(condition, told)


def _of_lock(condition: Condition) -> Iterator[Difference]:
    lock, then, receipt = condition.lock, condition.made_from, condition.environment.receipt
    if lock.digest == receipt.lock_digest:
        return
    name = lock.path.name
    text = "the environment was made from another lock" if name != receipt.lock_name else "it changed since"
    yield Difference(kind="lock", name=name, what="changed", text=f"{text} ({receipt.created})")
    if then is not None and then.promise is not None and lock.promise is not None:
        for promise in _PROMISES:
            before, after = getattr(then.promise, promise), getattr(lock.promise, promise)
            if before != after:
                yield Difference(kind="lock", name=promise, what="other", text=f"{before!r}, the lock says {after!r}")


def _of_receipt(condition: Condition) -> Iterator[Difference]:
    environment, promise = condition.environment, condition.lock.promise
    receipt = environment.receipt
    if receipt.files is None:
        text = "an earlier kerasenv made it, and didn't write down what hooks and RECORDs were"
        yield Difference(kind="receipt", name="files", what="missing", text=text)
    home = str(keras_home(environment.folder))
    if receipt.variables.get("KERAS_HOME") != home:
        text = f"{receipt.variables.get('KERAS_HOME')} instead of {home}: it was moved or copied"
        yield Difference(kind="receipt", name="KERAS_HOME", what="other", text=text)
    if promise is None or condition.lock.digest != receipt.lock_digest:
        return  # the lock is told to be another one
    told = (("profile", promise.profile), ("variant", promise.variant), ("backend", promise.backend))
    for name, wanted in told:
        if getattr(receipt, name) != wanted:
            text = f"{getattr(receipt, name)!r}, the lock says {wanted!r}"
            yield Difference(kind="receipt", name=name, what="other", text=text)
    for name, template in promise.variables.items():
        # What the system lacks can change the value
        templates = [template, *(need.without[name] for need in promise.system if name in need.without)]
        if receipt.variables.get(name) not in {one.format(env=environment.folder) for one in templates}:
            text = f"{receipt.variables.get(name)!r}, the lock says {template!r}"
            yield Difference(kind="receipt", name=name, what="other", text=text)


def _of_python(condition: Condition) -> Iterator[Difference]:
    receipt, python = condition.environment.receipt, condition.python
    if python is None:
        yield Difference(kind="python", name=receipt.python_path, what="gone", text=condition.why_no_python)
    elif str(python.version) != receipt.python_version:
        text = f"CPython {python.version}, the environment was made with {receipt.python_version}"
        yield Difference(kind="python", name=receipt.python_path, what="version", text=text)
    if python is not None:
        requires = condition.lock.pylock.requires_python
        try:
            check_machine(condition.lock, python)
        except LockError as error:
            yield Difference(kind="python", name=receipt.python_path, what="other", text=error.message)
        else:
            if requires is not None and not requires.contains(python.version, prereleases=True):
                text = f"CPython {python.version}, the lock is for {requires}"
                yield Difference(kind="python", name=receipt.python_path, what="other", text=text)


def _of_packages(condition: Condition) -> Iterator[Difference]:
    installed = packages_by_name(condition.inventory.packages)
    for name in sorted(installed.keys() | condition.selected.keys()):
        locked, here = condition.selected.get(name), installed.get(name, [])
        if locked is None:
            versions = ", ".join(one.version for one in here)
            text = f"{versions} is installed, and the lock doesn't have it"
            yield Difference(kind="package", name=name, what="extra", text=text, package=name)
        elif not here:
            text = f"not installed, the lock has {locked.version}"
            yield Difference(kind="package", name=name, what="missing", text=text, package=name)
        elif len(here) > 1 or not _same_version(condition, here[0], locked):
            versions = " and ".join(one.version for one in here)
            text = f"{versions} is installed, the lock has {locked.version}"
            yield Difference(kind="package", name=name, what="version", text=text, package=name)
        else:
            yield from _of_locked_files(condition, locked)
            if here[0].files is None:
                record = f"{here[0].info}/RECORD"
                if record not in condition.wrong:
                    text = "there is none that can be read, so its files can't be compared"
                    yield Difference(kind="file", name=record, what="missing", text=text, package=name)


def _same_version(condition: Condition, installed: Installed, locked: Package) -> bool:
    try:
        version = Version(installed.version)
    except InvalidVersion:
        return locked.version is None
    if locked.version is None or version == locked.version:
        return True
    # What is called cntk 2.7.post2 says of itself that it is 2.7, and did so when the environment was made
    as_made = condition.made_from is condition.lock and f"{installed.info}/RECORD" in (
        condition.environment.receipt.files or {}
    )
    return as_made and version.release == locked.version.release


def _of_locked_files(condition: Condition, locked: Package) -> Iterator[Difference]:
    """Yield whether the lock names other files of the same version than the one that the environment was made from."""
    then = condition.made_from
    if then is None or then is condition.lock:
        return
    cell = _cell(condition)
    before = [one for one in then.pylock.packages if (one.name, one.version) == (locked.name, locked.version)]
    hashes: frozenset[str] = frozenset().union(*(_usable(one, cell) for one in before))
    if hashes != _usable(locked, cell):
        text = f"the lock names other files of {locked.version} than those that were there to install"
        yield Difference(kind="package", name=locked.name, what="files", text=text, package=locked.name)


def _cell(condition: Condition) -> Cell | None:
    markers = dict(condition.python.markers) if condition.python else _markers_of(condition.environment.receipt)
    platform = platform_of(markers)
    return Cell(python=str(markers["python_version"]), platform=platform) if platform else None


def _usable(package: Package, cell: Cell | None) -> frozenset[str]:
    """Return the digests of the files that can be installed here."""
    files = (one for one in files_of(package) if _serves(one.filename, cell))
    return frozenset(f"{name}:{digest}" for one in files for name, digest in one.hashes.items())


def _serves(file: str, cell: Cell | None) -> bool:
    return cell is None or not file.endswith(".whl") or cell.can_run(file)


def _of_files(condition: Condition, told: set[str]) -> Iterator[Difference]:
    """Yield the files that differ, but for those of packages of which it has been told that they aren't there."""
    owners = owners_of(condition)
    for path, what in sorted(condition.wrong.items()):
        owner = owners.get(path)
        if owner in told:
            continue
        kind = "hook" if is_hook(path) else "file"
        whose = f" ({owner})" if owner else ""
        text = {"missing": "missing", "changed": "changed"}.get(what, what)
        state = what if what in {"missing", "changed"} else "changed"
        yield Difference(kind=kind, name=path, what=state, text=f"{text}{whose}", package=owner)
    for path in condition.extra:
        text = "no package of the environment has it"
        yield Difference(kind="file", name=path, what="extra", text=text)


def owners_of(condition: Condition) -> dict[str, str]:
    """Return the package of each file; the lock's own come before others."""
    owners: dict[str, str] = {
        path: named_by(info) for path in condition.environment.receipt.files or () if (info := info_of(path))
    }
    for package in sorted(condition.inventory.packages, key=lambda one: one.name not in condition.selected):
        for path in package.files or ():
            owners.setdefault(path, package.name)
    return owners


def with_lock(environment: Environment, lock: Lock) -> Environment:
    """Return the environment with another lock in its receipt, which is not written yet."""
    receipt = environment.receipt
    name = lock.path.name
    files = {path: state for path, state in (receipt.files or {}).items() if path != receipt.lock_name}
    files[name] = state_of(environment.folder / name) or ""
    return replace(environment, receipt=replace(receipt, lock_name=name, lock_digest=lock.digest, files=files))
