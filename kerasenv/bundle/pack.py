"""Make a bundle: fetch what a lock names, build what has no wheel, and write all of it into one file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from kerasenv import progress
from kerasenv.bundle.archive import Entry, begins_as_archive, fault_of_names, rewrite_wheel, write_archive
from kerasenv.bundle.contents import contents_of
from kerasenv.bundle.manifest import BUILT, MANIFEST, WHEELS, Built, Content, Manifest, Target, dump_manifest
from kerasenv.bundle.python import Packed, pack_python
from kerasenv.download import Wanted, download
from kerasenv.engine import files_of
from kerasenv.engines.mirror import packages_at
from kerasenv.engines.uv_install import build_wheel
from kerasenv.errors import BundleError, InterpreterError
from kerasenv.interpreters.find import find_interpreter
from kerasenv.lock.machine import this_machine
from kerasenv.platforms import PLATFORMS, platform_of
from kerasenv.scratch import scratch
from kerasenv.sizes import in_megabytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.pylock import PackageSdist, PackageWheel

    from kerasenv.bundle.contents import Build, Contents
    from kerasenv.engine import Index
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.lockfile import Lock

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundled:
    """What came out."""

    file: Path
    sha256: str
    """Of the whole file."""
    size: int
    lock: str
    targets: tuple[Target, ...]
    wheels: int
    built: tuple[str, ...]
    """The wheels that were built, for each target."""
    python: str | None


def pack(
    lock: Lock,
    file: Path,
    *,
    platforms: Sequence[str] = (),
    pythons: Sequence[str] = (),
    with_python: bool = False,
    index: Index,
) -> Bundled:
    """Write the bundle of a lock, whole or not at all; the same lock gives the same bytes."""
    _check_place(file, lock)
    contents = contents_of(lock, platforms=platforms, pythons=pythons)
    python = _python(lock, contents) if with_python else None
    builders = _builders(lock, contents.builds)
    with scratch("bundle") as work:
        with progress.step("Wheels") as step:
            wheels, sdists = _fetch(contents, work, index)
            step.done(f"{len(wheels)} wheels, each verified by its sha256", source=index.source)
        built, built_entries = _build(lock, contents.builds, builders=builders, sdists=sdists, work=work, index=index)
        entries = {lock.path.name: Entry(source=lock.content), **wheels, **built_entries}
        entries |= python.entries if python else {}
        with progress.step("Bundle") as step:
            manifest = Manifest(
                lock=lock.path.name,
                targets=contents.targets,
                built=tuple(built),
                python=python.python if python else None,
                files={name: _content(entry) for name, entry in entries.items()},
            )
            digest = _write(file, manifest, entries, work)
            step.done(f"{file.name}: {in_megabytes(file.stat().st_size)}", source=f"sha256 {digest}")
    return Bundled(
        file=file,
        sha256=digest,
        size=file.stat().st_size,
        lock=lock.path.name,
        targets=contents.targets,
        wheels=len(wheels),
        built=tuple(one.file for one in built),
        python=str(python.python.version) if python else None,
    )


def _check_place(file: Path, lock: Lock) -> None:
    if file.resolve() == lock.path.resolve():
        raise BundleError(f"{file.name} is the lock itself.", hints=["Name another file: -o FILE.zip"])
    if file.is_file() and not begins_as_archive(file):
        raise BundleError(f"{file} is there already, and is no bundle.", hints=["Name another file: -o FILE.zip"])
    if file.is_dir():
        raise BundleError(f"{file} is a folder.", hints=["Name a file to write: -o FILE.zip"])
    if not file.parent.is_dir():
        raise BundleError(f"There is no folder {file.parent} to write {file.name} into.")
    if not os.access(file.parent, os.W_OK):
        raise BundleError(f"{file.name} can't be written into {file.parent}: that folder is read-only.")


def _python(lock: Lock, contents: Contents) -> Packed:
    if len(contents.targets) > 1:
        raise BundleError(
            "A bundle holds one interpreter, and this one would be for several Pythons or platforms.",
            looked_at=[str(target) for target in contents.targets],
            hints=[f"Choose one: --python {contents.targets[-1].python}"],
        )
    (target,) = contents.targets
    if target.platform != _here():
        raise BundleError(f"An interpreter for {PLATFORMS[target.platform].title} is only to be had on such a machine.")
    with progress.step("Python") as step:
        packed = pack_python(target, lock.pylock.requires_python or SpecifierSet())
        step.done(f"CPython {packed.python.version}", source=f"{len(packed.entries)} files, wherever they are put")
    return packed


def _here() -> str | None:
    platform = platform_of(this_machine())
    return platform.name if platform else None


def _builders(lock: Lock, builds: Sequence[Build]) -> dict[str, Interpreter]:
    """Return the Python for each build, before anything is fetched."""
    found: dict[str, Interpreter] = {}
    missing: list[InterpreterError] = []
    for minor, build in {build.target.python: build for build in builds}.items():
        requires = (lock.pylock.requires_python or SpecifierSet()) & SpecifierSet(f"=={minor}.*")
        try:
            found[minor] = find_interpreter(requires, who=f"building {build.sdist.filename} for {build.target}")
        except InterpreterError as error:
            missing.append(error)
    if missing:
        others = " ".join(f"--python {minor}" for minor in found)
        ways = [hint for hint in missing[0].hints if "--python PATH" not in hint]
        hints = [
            *ways,
            "If it is in an unusual place, put its folder on PATH.",
            *([f"Or pack only for those that are there: {others}"] if others else []),
        ]
        raise BundleError(missing[0].message, looked_at=missing[0].looked_at, hints=hints)
    return found


def _fetch(contents: Contents, work: Path, index: Index) -> tuple[dict[str, Entry], dict[str, Path]]:
    """Download every wheel and source distribution; return the wheels by name, and the sources by sha256."""
    wheels = {f"{WHEELS}/{wheel.filename}": wheel for wheel in contents.wheels}
    sdists = {build.sdist.hashes.get("sha256", ""): build.sdist for build in contents.builds}
    if why := fault_of_names([*wheels, *(f"sources/{name}" for name in {one.filename for one in sdists.values()})]):
        raise BundleError(f"The lock names a file that can't go into a bundle: {why}.")
    addresses = {
        file.filename: file.url for package in packages_at(list(contents.packages), index) for file in files_of(package)
    }
    (work / WHEELS).mkdir()
    wanted = [_wanted(wheel, work / name, addresses, index) for name, wheel in wheels.items()]
    places: dict[str, Path] = {}
    for number, (sha256, sdist) in enumerate(sdists.items()):
        places[sha256] = work / "sources" / str(number) / sdist.filename
        places[sha256].parent.mkdir(parents=True)
        wanted.append(_wanted(sdist, places[sha256], addresses, index))
    download(wanted, index)
    return {name: Entry(source=work / name) for name in wheels}, places


def _wanted(
    file: PackageWheel | PackageSdist, target: Path, addresses: Mapping[str, str | None], index: Index
) -> Wanted:
    url, sha256 = addresses.get(file.filename), file.hashes.get("sha256")
    if not url or not sha256:
        raise BundleError(
            f"{file.filename} can't be fetched: {'no address' if sha256 else 'no sha256'} of it is known.",
            looked_at=[index.source],
            hints=["Name an index that has it with --index-url, or make the lock anew with kerasenv."],
        )
    return Wanted(url=url, sha256=sha256, size=file.size, target=target)


def _build(
    lock: Lock,
    builds: Sequence[Build],
    *,
    builders: Mapping[str, Interpreter],
    sdists: Mapping[str, Path],
    work: Path,
    index: Index,
) -> tuple[list[Built], dict[str, Entry]]:
    """Build what has no wheel for its target, each once for every minor version of Python."""
    if not builds:
        return [], {}
    made: dict[tuple[str, str], Path] = {}
    built: list[Built] = []
    entries: dict[str, Entry] = {}
    with progress.step("Builds") as step:
        for build in builds:
            sha256 = build.sdist.hashes.get("sha256", "")
            key = (sha256, build.target.python)
            if key not in made:
                progress.passing(f"Building {build.sdist.filename} for CPython {build.target.python}")
                made[key] = build_wheel(
                    sdists[sha256],
                    work / BUILT / str(len(made)),
                    interpreter=builders[build.target.python],
                    build_constraints=lock.promise.build_constraints if lock.promise else (),
                    index=index,
                )
                rewrite_wheel(made[key])
            wheel = made[key]
            _check_built(wheel, build)
            name = f"{BUILT}/{build.target.python}-{build.target.platform}/{wheel.name}"
            built.append(Built(target=build.target, source=sha256, file=name))
            entries[name] = Entry(source=wheel)
        step.done(
            f"{len(made)} {'wheel' if len(made) == 1 else 'wheels'}",
            source=", ".join(sorted({wheel.name for wheel in made.values()})),
        )
    return built, entries


def _check_built(wheel: Path, build: Build) -> None:
    """Refuse what was built for this machine, if it is for another one."""
    name, version, _, tags = parse_wheel_filename(wheel.name)
    if (name, version) != (build.package.name, build.package.version):
        raise BundleError(f"Building {build.sdist.filename} gave {wheel.name}, which is something else.")
    if build.target.platform != _here() and any(tag.platform != "any" for tag in tags):
        raise BundleError(
            f"{build.sdist.filename} has to be built on {PLATFORMS[build.target.platform].title} itself.",
            looked_at=[f"built here: {wheel.name}"],
            hints=["Make the bundle on such a machine."],
        )


def _content(entry: Entry) -> Content:
    seen, size = hashlib.sha256(), 0
    if isinstance(entry.source, bytes):
        return Content(sha256=hashlib.sha256(entry.source).hexdigest(), size=len(entry.source))
    with entry.source.open("rb") as source:
        while piece := source.read(_PIECE):
            seen.update(piece)
            size += len(piece)
    return Content(sha256=seen.hexdigest(), size=size)


def _write(file: Path, manifest: Manifest, entries: Mapping[str, Entry], work: Path) -> str:
    """Write it elsewhere and put it in place whole; return its sha256."""
    ordered = {MANIFEST: Entry(source=dump_manifest(manifest)), **dict(sorted(entries.items()))}
    if why := fault_of_names(list(ordered)):
        raise BundleError(f"A file can't go into a bundle: {why}.")
    made = work / "bundle.zip"
    try:
        with made.open("w+b") as target:
            write_archive(target, ordered)
            os.fsync(target.fileno())
        _put(made, file)
    except OSError as error:
        raise BundleError(f"{file} can't be written: {error.strerror or error}") from error
    return _content(Entry(source=file)).sha256


def _put(made: Path, file: Path) -> None:
    try:
        made.replace(file)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-", suffix=".tmp")
        os.close(handle)
        try:
            shutil.copyfile(made, name)
            shutil.copymode(made, name)
            Path(name).replace(file)
        finally:
            Path(name).unlink(missing_ok=True)
