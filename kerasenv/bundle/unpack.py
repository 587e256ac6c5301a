"""Read a bundle, which may come from a stranger: nothing is taken from it that isn't just what it is said to be."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from filelock import FileLock
from packaging.pylock import PackageWheel
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from kerasenv.bundle.archive import Archive, fault_of_names, open_archive, refused
from kerasenv.bundle.manifest import BUILT, MANIFEST, PYTHON, WHEELS, Manifest, NewerFormat, Target, read_manifest
from kerasenv.errors import BundleError, InterpreterError, LockError
from kerasenv.folders import data_folder
from kerasenv.interpreters.find import inspect
from kerasenv.lock.cells import Cell
from kerasenv.lock.lockfile import Lock, checked_name, lock_from
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS
from kerasenv.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.pylock import Package, Pylock

    from kerasenv.interpreters.interpreter import Interpreter

_LARGEST_TEXT = 1 << 26
# What a wheel unpacks to is known only to its author; no real one is nearly as dense
_DENSEST, _HARMLESS = 200, 1 << 28


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """An open bundle: lock and manifest are sound, and its other files are verified as they are unpacked."""

    path: Path
    lock: Lock
    manifest: Manifest
    archive: Archive

    @property
    def python_digest(self) -> str:
        """Return what tells its interpreter from others."""
        files = {
            name: (one.sha256, self.archive.is_program(name))
            for name, one in self.manifest.files.items()
            if name.startswith(f"{PYTHON}/")
        }
        links = self.manifest.python.links if self.manifest.python else {}
        return hashlib.sha256(repr((sorted(files.items()), sorted(links.items()))).encode()).hexdigest()


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open a bundle; raise BundleError if it is not whole, or not what it says of itself."""
    with open_archive(path) as archive:
        manifest = _manifest(archive)
        _check_files(archive, manifest)
        content = b"".join(_verified(archive, manifest, manifest.lock))
        try:
            # Its name is that of the lock; where it came from is the bundle
            lock = lock_from(checked_name(path / manifest.lock), content)
        except LockError as error:
            raise BundleError(
                f"The lock in {path.name} can't be used: {error.message}", looked_at=error.looked_at
            ) from error
        bundle = Bundle(path=path, lock=lock, manifest=manifest, archive=archive)
        _check_wheels(bundle)
        yield bundle


def pythons_in(bundle: Bundle, platform: str | None) -> SpecifierSet:
    """Return the Pythons that a bundle is for on a platform; raise BundleError if there are none."""
    minors = [target.python for target in bundle.manifest.targets if target.platform == platform]
    if not minors:
        raise BundleError(
            f"{bundle.path.name} is not for {PLATFORMS[platform].title if platform else 'this kind of machine'}.",
            looked_at=[f"it is for {target}" for target in bundle.manifest.targets],
            hints=["Where there is a network: kerasenv bundle LOCK --platform NAME"],
        )
    known = sorted(minors, key=KNOWN_PYTHONS.index)
    if len(known) == 1:
        return SpecifierSet(f"=={known[0]}.*")
    between = KNOWN_PYTHONS[KNOWN_PYTHONS.index(known[0]) : KNOWN_PYTHONS.index(known[-1])]
    holes = [f"!={minor}.*" for minor in between if minor not in known]
    return SpecifierSet(",".join([f">={known[0]}", f"<={known[-1]}.99", *holes]))


def unpack_wheels(bundle: Bundle, interpreter: Interpreter, folder: Path) -> Pylock:
    """Put the wheels for a Python into a folder; return the lock of just these, so that nothing else can be asked."""
    platform = interpreter.platform
    target = Target(python=interpreter.minor, platform=platform.name) if platform else None
    if platform is None or target not in bundle.manifest.targets:
        raise BundleError(
            f"{bundle.path.name} is not for {target or interpreter}.",
            looked_at=[f"it is for {one}" for one in bundle.manifest.targets],
        )
    markers = {**interpreter.markers, "extra": ""}
    cell = Cell(python=interpreter.minor, platform=platform)
    packages: dict[str, Package] = {}
    for package in bundle.lock.pylock.packages:
        if package.marker is None or package.marker.evaluate(markers, context="lock_file"):
            if package.name in packages:
                raise refused(bundle.path, f"its lock has {package.name} twice for {target}")
            wheels = [_unpack(bundle, name, folder) for name in _names(bundle, package, cell, target)]
            packages[package.name] = replace(package, index=None, sdist=None, wheels=wheels)
    return replace(bundle.lock.pylock, packages=list(packages.values()))


def _names(bundle: Bundle, package: Package, cell: Cell, target: Target) -> list[str]:
    """Return the wheels of a package that can serve, or else the one that was built for the target."""
    files = bundle.manifest.files
    names = [f"{WHEELS}/{wheel.filename}" for wheel in package.wheels or () if cell.can_run(wheel.filename)]
    found = [name for name in dict.fromkeys(names) if name in files]
    if not found and package.sdist is not None:
        source = package.sdist.hashes.get("sha256")
        found = [one.file for one in bundle.manifest.built if (one.target, one.source) == (target, source)]
    if not found:
        raise refused(bundle.path, f"it has no wheel of {package.name} {package.version} for {target}")
    return found


def _unpack(bundle: Bundle, name: str, folder: Path) -> PackageWheel:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    _write(bundle, name, place)
    _check_wheel(place, name, bundle.path)
    return PackageWheel(name=place.name, path=place.as_posix(), hashes={"sha256": bundle.manifest.files[name].sha256})


def unpack_python(bundle: Bundle) -> Interpreter:
    """Put a bundle's interpreter where it can stay; return it.

    No finder looks there: what came in a bundle serves the environments of that bundle alone.
    """
    python = bundle.manifest.python
    if python is None:
        raise BundleError(f"{bundle.path.name} holds no interpreter.")
    place = data_folder() / "bundled" / bundle.python_digest[:32]
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if not place.exists():
            with scratch("python") as folder:
                _unpack_python(bundle, folder / "new")
                unfinished = place.with_suffix(".new")
                shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed
                shutil.move(folder / "new", unfinished)
                unfinished.rename(place)
    try:
        return inspect(place / python.executable, source=f"from {bundle.path.name}")
    except InterpreterError as error:
        raise BundleError(
            f"The interpreter in {bundle.path.name} doesn't run on this machine.",
            looked_at=[error.message, *error.looked_at],
            hints=["Use one that is there: --python PATH"],
        ) from error


def _unpack_python(bundle: Bundle, folder: Path) -> None:
    python = bundle.manifest.python
    for name in bundle.manifest.files:
        if name.startswith(f"{PYTHON}/"):
            place = folder / name.removeprefix(f"{PYTHON}/")
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(bundle, name, place)
            place.chmod(0o755 if bundle.archive.is_program(name) else 0o644)
    for name, aim in (python.links if python else {}).items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            shutil.copy2(folder / aim, place)
        else:
            place.symlink_to(os.path.relpath(folder / aim, place.parent))


def _manifest(archive: Archive) -> Manifest:
    if MANIFEST not in archive.entries:
        raise refused(archive.path, f"it has no {MANIFEST}")
    try:
        return read_manifest(archive.read(MANIFEST, limit=_LARGEST_TEXT))
    except NewerFormat as error:
        raise BundleError(
            f"{archive.path.name} was written by a newer kerasenv.", looked_at=[str(error)], hints=["Upgrade kerasenv."]
        ) from error
    except ValueError as error:
        raise refused(archive.path, f"its {MANIFEST} is off: {str(error)[:2000]}") from error


def _check_files(archive: Archive, manifest: Manifest) -> None:
    """Refuse a bundle whose files aren't just those of its manifest."""
    there = archive.entries.keys() - {MANIFEST}
    for name in sorted(there ^ manifest.files.keys()):
        raise refused(archive.path, f"{name[:400]!r} is in its manifest or among its files, and not in both")
    for name, one in manifest.files.items():
        if archive.entries[name].file_size != one.size:
            raise refused(archive.path, f"{name!r} has another size than its manifest says")
        if archive.is_program(name) and not name.startswith(f"{PYTHON}/"):
            raise refused(archive.path, f"{name!r} must not be a program")
    links = [f"{PYTHON}/{name}" for name in manifest.python.links] if manifest.python else []
    if why := fault_of_names([*manifest.files, *links]):
        raise refused(archive.path, why)
    if manifest.files[manifest.lock].size > _LARGEST_TEXT:
        raise refused(archive.path, "its lock is larger than one can be")


def _check_wheels(bundle: Bundle) -> None:
    """Refuse a wheel that is not the one of the lock, or was built from another source."""
    packages = bundle.lock.pylock.packages
    locked = {wheel.filename: wheel.hashes.get("sha256") for package in packages for wheel in package.wheels or ()}
    sources = {package.sdist.hashes.get("sha256"): package for package in packages if package.sdist is not None}
    built = {one.file: one.source for one in bundle.manifest.built}
    for name, one in bundle.manifest.files.items():
        folder, _, filename = name.partition("/")
        if folder == WHEELS and locked.get(filename) != one.sha256:
            raise refused(bundle.path, f"{filename} is not the file that the lock names: its sha256 differs")
        if folder == BUILT:
            package = sources.get(built.get(name))
            if package is None or parse_wheel_filename(PurePosixPath(name).name)[:2] != (package.name, package.version):
                raise refused(bundle.path, f"{name} was built from nothing that the lock names")


def _verified(archive: Archive, manifest: Manifest, name: str) -> Iterator[bytes]:
    """Yield a file's bytes; raise BundleError at the end if they aren't those of the manifest."""
    seen = hashlib.sha256()
    for piece in archive.pieces(name):
        seen.update(piece)
        yield piece
    if seen.hexdigest() != manifest.files[name].sha256:
        raise refused(archive.path, f"{name!r} has another sha256 than its manifest says")


def _write(bundle: Bundle, name: str, place: Path) -> None:
    with place.open("xb") as target:
        for piece in _verified(bundle.archive, bundle.manifest, name):
            target.write(piece)


def _check_wheel(place: Path, name: str, path: Path) -> None:
    """Refuse a wheel that is none, that unpacks to more than any should, or leads out of where it is installed."""
    try:
        with zipfile.ZipFile(place) as wheel:
            infos = wheel.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, OSError) as error:
        raise refused(path, f"{name!r} is no wheel: {error}") from error
    if sum(info.file_size for info in infos) > max(_HARMLESS, place.stat().st_size * _DENSEST):
        raise refused(path, f"{name!r} would unpack to more than {_DENSEST} times its size")
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        if ".." in parts or parts[:1] == ("/",) or ":" in (parts[0] if parts else ""):
            raise refused(path, f"{name!r} has a file that leads elsewhere: {info.filename[:400]!r}")
