"""The default engine: uv resolves for every platform at once and installs in parallel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli
import tomli_w
from packaging.markers import Marker
from packaging.pylock import Pylock
from packaging.version import Version

from kerasenv import process, progress
from kerasenv.engine import File, Resolution, ResolvedPackage, files_of
from kerasenv.errors import InstallError, ResolveError
from kerasenv.uv import uv_command, uv_environ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.pylock import Package
    from packaging.requirements import Requirement

    from kerasenv.engine import Index, InstallRequest, Pin, ResolveRequest
    from kerasenv.interpreters.interpreter import Interpreter

_LOCK_NAME = "pylock.toml"
_MISMATCHES = {"Hash mismatch": "sha256", "Size mismatch": "size"}


class UvEngine:
    """Speaks to the uv that is installed with kerasenv."""

    name = "uv"

    def describe(self) -> str:
        """Return 'uv 0.13.8'."""
        said = process.run([*uv_command(), "--version"], environ=uv_environ()).stdout.split()
        return " ".join(said[:2])

    def serves(self, interpreter: Interpreter) -> bool:
        """Say whether uv can install for this Python."""
        return interpreter.version >= Version("3.6")

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions for every Python and platform of the request; raise ResolveError if there is no choice."""
        with tempfile.TemporaryDirectory(prefix="kerasenv-resolve-") as name:
            folder = Path(name)
            answer = process.run(
                [*uv_command(), *self._compile(request, folder)],
                environ=_environ(),
                cwd=folder,
                on_line=_tell,
            )
            if answer.returncode:
                raise _resolve_error(answer, index=request.index)
            locked = Pylock.from_dict(tomli.loads((folder / _LOCK_NAME).read_text("utf-8")))
        return Resolution(packages=tuple(_package(package) for package in locked.packages))

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
            *_index_words(request.index),
            "requirements.in",
        ]

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it; raise InstallError if a file can't be had."""
        with tempfile.TemporaryDirectory(prefix="kerasenv-install-") as name:
            folder = Path(name)
            lock = folder / _LOCK_NAME
            lock.write_text(tomli_w.dumps(dict(request.lock.to_dict())), encoding="utf-8")
            answer = process.run(
                [
                    *uv_command(),
                    "pip",
                    "sync",
                    "--no-config",
                    f"--python={request.python}",
                    "--no-python-downloads",
                    "--require-hashes",
                    # Not to be warned that uv may change how it reads locks: hashes and exit code say what it did
                    "--preview-features=pylock",
                    *_build_words(request.build_constraints, folder),
                    *_index_words(request.index),
                    str(lock),
                ],
                environ=_environ() | {"VIRTUAL_ENV": str(request.environment)},
                cwd=folder,
                on_line=_tell,
            )
        if answer.returncode:
            raise _install_error(answer, index=request.index)


def _environ() -> dict[str, str]:
    """Return variables for a uv that may build: what PYTHONPATH offers would come before the build's own packages."""
    return {name: value for name, value in uv_environ().items() if not name.startswith("PYTHON")}


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


def _build_words(constraints: Sequence[Requirement], folder: Path) -> list[str]:
    if not constraints:
        return []
    _write_lines(folder / "build.txt", [str(one) for one in constraints])
    return ["--build-constraints=build.txt"]


def _index_words(index: Index) -> list[str]:
    return [*(["--default-index", index.url] if index.url else []), *(["--offline"] if index.offline else [])]


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


def _tell(line: str) -> None:
    spoken = line.strip()
    if spoken.startswith(("Downloading", "Downloaded", "Building", "Built")):
        progress.passing(spoken)


def _resolve_error(answer: process.Finished, *, index: Index) -> ResolveError:
    return ResolveError(
        "The requirements can't be met together, or not from this index."
        if "No solution found" in answer.stderr
        else "uv could not resolve the requirements.",
        looked_at=[f"{index.source}{' (offline)' if index.offline else ''}", *answer.last_lines(30)],
        hints=["Leave --offline out: not everything that is needed was downloaded before."] if index.offline else [],
    )


def _install_error(answer: process.Finished, *, index: Index) -> InstallError:
    said = answer.stderr
    hints: list[str] = []
    differing = next((what for words, what in _MISMATCHES.items() if words in said), None)
    if differing:
        message = f"A file is not the one that the lock names: its {differing} differs."
        hints.append("Don't install it. If the index is a mirror, ask whoever keeps it; else resolve anew: --upgrade")
    elif index.offline:
        message = "Not everything that the lock names was downloaded before."
        hints.append("Leave --offline out.")
    elif "o space left" in said:
        message = "The disk is full."
        hints.append("Make room; `uv cache prune` frees what uv keeps of earlier installs.")
    else:
        message = "uv could not install what the lock names."
    return InstallError(message, looked_at=[index.source, *answer.last_lines(20)], hints=hints)
