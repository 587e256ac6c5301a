"""The default engine: uv resolves for every platform at once and installs in parallel."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import tomli
import tomli_w
from packaging.markers import Marker
from packaging.pylock import Pylock

from kerasenv import process, progress
from kerasenv.engine import BUILD_VARIABLES, files_of
from kerasenv.errors import InstallError, ResolveError
from kerasenv.resolution import NO_CHOICE, File, Resolution, ResolvedPackage
from kerasenv.scratch import scratch
from kerasenv.uv import uv_command, uv_environ

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.pylock import Package
    from packaging.requirements import Requirement

    from kerasenv.engine import BuildConstraint, Index, InstallRequest, ResolveRequest
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.resolution import Pin

_LOCK_NAME = "pylock.toml"
_UNKNOWN_TOOL = re.compile(r"no trusted hash was provided for: `([^`]+)`")
_MISMATCHES = {
    "Hash mismatch": "its sha256 differs",
    "Size mismatch": "its size differs",
    "Content-Length mismatch": "its size differs",
    # uv unpacks while it downloads, and compares at the end
    "Failed to extract archive": "it can't be unpacked",
    "The wheel is invalid": "it is no wheel",
}


class UvEngine:
    """Speaks to the uv that is installed with kerasenv."""

    name = "uv"
    fills_store = True
    keeps_unpacked = True

    def describe(self) -> str:
        """Return 'uv 0.13.8'."""
        said = process.run([*uv_command(), "--version"], environ=uv_environ()).stdout.split()
        return " ".join(said[:2])

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions for every Python and platform of the request; raise ResolveError if there is no choice."""
        with scratch("resolve") as folder:
            answer = process.run(
                [*uv_command(), *self._compile(request, folder)],
                environ=_environ(request.index),
                cwd=folder,
                on_line=_tell,
            )
            if answer.returncode:
                raise _resolve_error(answer, index=request.index)
            locked = Pylock.from_dict(tomli.loads((folder / _LOCK_NAME).read_text("utf-8")))
        packages = tuple(_package(package) for package in locked.packages)
        if request.exactly_pins or request.index.offline:
            return Resolution(packages=packages)
        return Resolution(packages=_with_requires_python(packages, request.index))

    def _compile(self, request: ResolveRequest, folder: Path) -> list[str]:
        """Write what uv reads into `folder` and return the words of the command."""
        above = _upper_bound(request)
        if request.exactly_pins:
            wanted = [_pinned(pin) for pin in request.pins]
        else:
            wanted = [_bounded(requirement, above) for requirement in request.requirements]
            # uv takes the versions of an existing output file as long as they fit
            _write_preferences(request.pins, folder / _LOCK_NAME)
        _write_lines(folder / "requirements.in", wanted)
        _write_lines(folder / "constraints.txt", [str(one) for one in request.constraints])
        return [
            "pip",
            "compile",
            "--no-config",
            "--universal",
            f"--python-version={_lowest(request)}",
            f"--python={request.interpreter.path}",
            "--no-python-downloads",
            "--format=pylock.toml",
            f"--output-file={_LOCK_NAME}",
            "--constraints=constraints.txt",
            *_build_words(request.build_constraints, folder),
            "--quiet",
            *(["--no-deps"] if request.exactly_pins else []),
            *([] if request.builds else ["--no-build"]),
            *(["--no-cache"] if request.index.local else []),
            *_offline_words(request.index),
            "requirements.in",
        ]

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it; raise InstallError if a file can't be had."""
        from kerasenv.engines.mirror import at_index  # noqa: PLC0415  # 8 ms that only installing needs

        with scratch("install") as folder:
            lock = folder / _LOCK_NAME
            there = at_index(request.lock, request.index, request.interpreter)
            lock.write_text(tomli_w.dumps(dict(there.to_dict())), encoding="utf-8")
            answer = process.run(
                [
                    *uv_command(),
                    "pip",
                    *(["install", "--no-deps", "--reinstall", "--no-cache"] if request.anew else ["sync"]),
                    f"--config-file={_write_config(request, folder)}",
                    f"--python={request.python}",
                    "--no-python-downloads",
                    "--require-hashes",
                    # Not to be warned that uv may change how it reads locks: hashes and exit code say what it did
                    "--preview-features=pylock,build-dependency-hashes",
                    *_build_words(request.build_constraints, folder, verified=True),
                    *_offline_words(request.index),
                    *(["--requirements"] if request.anew else []),
                    str(lock),
                ],
                environ=_environ(request.index) | {"VIRTUAL_ENV": str(request.environment)},
                cwd=folder,
                on_line=_tell,
            )
        if answer.returncode:
            raise _install_error(answer, index=request.index)
        if any(wheel.path for package in request.lock.packages for wheel in package.wheels or ()):
            _forget_files(request.environment)

    def build(
        self,
        sdist: Path,
        into: Path,
        *,
        interpreter: Interpreter,
        build_constraints: tuple[BuildConstraint, ...] = (),
        index: Index,
    ) -> Path:
        """Build a source distribution as `install` does; return the wheel, which lies in the new folder `into`."""
        with scratch("build") as folder:
            answer = process.run(
                [
                    *uv_command(),
                    "build",
                    "--no-config",
                    "--wheel",
                    f"--python={interpreter.path}",
                    "--no-python-downloads",
                    "--no-create-gitignore",
                    "--preview-features=build-dependency-hashes",
                    f"--out-dir={into}",
                    *_build_words(build_constraints, folder, verified=True),
                    *_offline_words(index),
                    str(sdist),
                ],
                environ=_environ(index) | BUILD_VARIABLES,
                cwd=folder,
                on_line=_tell,
            )
        if answer.returncode:
            raise _build_error(answer, sdist, index=index)
        (wheel,) = into.glob("*.whl")
        return wheel


def _environ(index: Index) -> dict[str, str]:
    """Return variables for a uv that may build: what PYTHONPATH offers would come before the build's own packages.

    The index is one of them, since an address with a password is not for everyone to see in the list of processes.
    """
    named = {"UV_DEFAULT_INDEX": index.url, **index.environ} if index.url else {}
    return {name: value for name, value in uv_environ(named).items() if not name.startswith("PYTHON")}


def _forget_files(environment: Path) -> None:
    """Take away what uv notes of a wheel that is a file: the time of a file that is gone afterwards."""
    for note in environment.rglob("*.dist-info/uv_cache.json"):
        record = note.with_name("RECORD")
        kept = [
            line for line in record.read_bytes().splitlines(keepends=True) if b".dist-info/uv_cache.json," not in line
        ]
        written = record.with_name("RECORD.new")  # the old one may be shared with uv's cache
        written.write_bytes(b"".join(kept))
        written.replace(record)
        note.unlink()


def _lowest(request: ResolveRequest) -> str:
    """Return the oldest minor version that is asked for, which is how far down uv resolves."""
    return request.pythons[0]


def _upper_bound(request: ResolveRequest) -> Marker:
    major, minor = request.pythons[-1].split(".")
    return Marker(f"python_full_version < '{major}.{int(minor) + 1}'")


def _bounded(requirement: Requirement, above: Marker) -> str:
    """Return the requirement for wanted Pythons only: uv knows a lower bound but no upper one."""
    spoken = str(requirement).partition(";")[0].strip()
    own = f"({requirement.marker}) and " if requirement.marker else ""
    return f"{spoken} ; {own}{above}"


def _pinned(pin: Pin) -> str:
    return f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "")


def _write_preferences(pins: Sequence[Pin], target: Path) -> None:
    if not pins:
        return
    rows: list[dict[str, str]] = [
        {"name": pin.name, "version": str(pin.version), **({"marker": pin.marker} if pin.marker else {})}
        for pin in pins
    ]
    content: dict[str, Any] = {"lock-version": "1.0", "created-by": "kerasenv", "packages": rows}
    target.write_text(tomli_w.dumps(content), encoding="utf-8")


def _write_lines(target: Path, lines: Sequence[str]) -> None:
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _build_words(constraints: Sequence[BuildConstraint], folder: Path, *, verified: bool = False) -> list[str]:
    """Bound what builds; `verified` refuses all whose sha256 isn't known, if those of some are.

    While uv resolves it builds what may never be installed, of which nobody knows what it needs.
    """
    if not constraints:
        return []
    _write_lines(folder / "build.txt", [str(one) if verified else str(one.requirement) for one in constraints])
    hashed = verified and any(one.sha256 for one in constraints)
    return ["--build-constraints=build.txt", *(["--require-build-hashes"] if hashed else [])]


def _write_config(request: InstallRequest, folder: Path) -> Path:
    """Write the one configuration that uv is to read, and return where.

    uv keeps what it built, and would take it again although something else built it. What it knows a build's variables
    for is kept apart.
    """
    tools = "\n".join(sorted(map(str, request.build_constraints)))
    variables = {**BUILD_VARIABLES, "KERASENV_BUILT_WITH": sha256(tools.encode()).hexdigest()}
    sources = [package.name for package in request.lock.packages if package.sdist is not None]
    config = folder / "uv.toml"
    config.write_text(tomli_w.dumps({"extra-build-variables": dict.fromkeys(sources, variables)}), encoding="utf-8")
    return config


def _offline_words(index: Index) -> list[str]:
    return ["--offline"] if index.offline else []


def _package(package: Package) -> ResolvedPackage:
    files = files_of(package)
    if package.version is None or not files:
        raise ResolveError(
            f"{package.name} comes from a folder or a repository, which no lock can promise to find again.",
            hints=["Name a released version of it instead."],
        )
    return ResolvedPackage(
        name=package.name,
        version=package.version,
        marker=str(package.marker) if package.marker else None,
        requires_python=package.requires_python,
        files=tuple(
            File(
                name=file.filename,
                url=process.redact(file.url or ""),
                sha256=file.hashes["sha256"],
                size=file.size,
                upload_time=file.upload_time,
            )
            for file in files
            if "sha256" in file.hashes
        ),
    )


def _with_requires_python(packages: Sequence[ResolvedPackage], index: Index) -> tuple[ResolvedPackage, ...]:
    """Add which Pythons a version is for, as far as the index tells: uv heeds only lower bounds, and tells none."""
    from kerasenv.index import SimpleIndex  # noqa: PLC0415  # 6 ms that only resolving needs

    try:
        there = SimpleIndex(index).files_of(package.name for package in packages)
    except ResolveError:  # uv has ways of its own to be let in
        return tuple(packages)
    bounds = {file.sha256: file.requires_python for files in there.values() for file in files}
    return tuple(
        replace(package, requires_python=next(filter(None, (bounds.get(file.sha256) for file in package.files)), None))
        for package in packages
    )


def _tell(line: str) -> None:
    spoken = line.strip()
    if spoken.startswith(("Downloading", "Downloaded", "Building", "Built")):
        progress.passing(spoken)


def _resolve_error(answer: process.Finished, *, index: Index) -> ResolveError:
    return ResolveError(
        NO_CHOICE if "No solution found" in answer.stderr else "uv could not resolve the requirements.",
        looked_at=[f"{index.source}{' (offline)' if index.offline else ''}", *answer.last_lines(30)],
        hints=["Leave --offline out: not everything that is needed was downloaded before."] if index.offline else [],
    )


def _install_error(answer: process.Finished, *, index: Index) -> InstallError:
    said = answer.stderr
    hints: list[str] = []
    differing = next((what for words, what in _MISMATCHES.items() if words in said), None)
    unknown = _UNKNOWN_TOOL.search(said)
    if unknown:
        message, hints = _unknown_tool(unknown[1])
    elif "o space left" in said:  # before the others: what could not be written whole can't be unpacked either
        message = "The disk is full."
        hints.append("Make room; `uv cache prune` frees what uv keeps of earlier installs.")
    elif differing:
        message = f"A file is not the one that the lock names: {differing}."
        hints.append(
            "Don't install it. If the index is a mirror, ask whoever keeps it; else: kerasenv lock PROFILE --upgrade"
        )
    elif index.offline:
        message = "Not everything that the lock names was downloaded before."
        hints.append("Leave --offline out.")
    else:
        message = "uv could not install what the lock names."
    return InstallError(message, looked_at=[index.source, *answer.last_lines(20)], hints=hints)


def _build_error(answer: process.Finished, sdist: Path, *, index: Index) -> InstallError:
    unknown = _UNKNOWN_TOOL.search(answer.stderr)
    message, hints = _unknown_tool(unknown[1]) if unknown else (f"{sdist.name} can't be built.", [])
    return InstallError(message, looked_at=[index.source, *answer.last_lines(20)], hints=hints)


def _unknown_tool(name: str) -> tuple[str, list[str]]:
    return (
        f"To build a source distribution, {name} is needed, and the lock has no sha256 of it.",
        ["The profile's [[build-constraints]] have to name it with its sha256; then: kerasenv lock PROFILE --upgrade"],
    )
