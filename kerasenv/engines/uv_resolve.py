"""Let uv resolve, for every platform at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tomli
import tomli_w
from packaging.markers import Marker
from packaging.pylock import Pylock

from kerasenv import process
from kerasenv.engine import files_of
from kerasenv.engines.uv_call import LOCK_NAME, build_words, environ_of, offline_words, tell, write_lines
from kerasenv.errors import ResolveError
from kerasenv.index import SimpleIndex
from kerasenv.resolution import NO_CHOICE, File, Resolution, ResolvedPackage
from kerasenv.scratch import scratch
from kerasenv.uv import uv_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.pylock import Package
    from packaging.requirements import Requirement

    from kerasenv.engine import Index, ResolveRequest
    from kerasenv.resolution import Pin


def resolve(request: ResolveRequest) -> Resolution:
    """Choose versions for every Python and platform of the request; raise ResolveError if there is no choice."""
    with scratch("resolve") as folder:
        answer = process.run(
            [*uv_command(), *_compile(request, folder)],
            environ=environ_of(request.index),
            cwd=folder,
            on_line=tell,
        )
        if answer.returncode:
            raise _resolve_error(answer, index=request.index)
        locked = Pylock.from_dict(tomli.loads((folder / LOCK_NAME).read_text("utf-8")))
    packages = tuple(_package(package) for package in locked.packages)
    if request.exactly_pins or request.index.offline:
        return Resolution(packages=packages)
    return Resolution(packages=_with_requires_python(packages, request.index))


def _compile(request: ResolveRequest, folder: Path) -> list[str]:
    """Write what uv reads into `folder` and return the words of the command."""
    above = _upper_bound(request)
    if request.exactly_pins:
        wanted = [_pinned(pin) for pin in request.pins]
    else:
        wanted = [_bounded(requirement, above) for requirement in request.requirements]
        # uv takes the versions of an existing output file as long as they fit
        _write_preferences(request.pins, folder / LOCK_NAME)
    write_lines(folder / "requirements.in", wanted)
    write_lines(folder / "constraints.txt", [str(one) for one in request.constraints])
    return [
        "pip",
        "compile",
        "--no-config",
        "--universal",
        f"--python-version={_lowest(request)}",
        f"--python={request.interpreter.path}",
        "--no-python-downloads",
        "--format=pylock.toml",
        f"--output-file={LOCK_NAME}",
        "--constraints=constraints.txt",
        *build_words(request.build_constraints, folder),
        "--quiet",
        *(["--no-deps"] if request.exactly_pins else []),
        *([] if request.builds else ["--no-build"]),
        *(["--no-cache"] if request.index.local else []),
        *offline_words(request.index),
        "requirements.in",
    ]


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
    try:
        there = SimpleIndex(index).files_of(package.name for package in packages)
    except ResolveError:  # uv has ways of its own to be let in
        return tuple(packages)
    bounds = {file.sha256: file.requires_python for files in there.values() for file in files}
    return tuple(
        replace(package, requires_python=next(filter(None, (bounds.get(file.sha256) for file in package.files)), None))
        for package in packages
    )


def _resolve_error(answer: process.Finished, *, index: Index) -> ResolveError:
    return ResolveError(
        NO_CHOICE if "No solution found" in answer.stderr else "uv could not resolve the requirements.",
        looked_at=[f"{index.source}{' (offline)' if index.offline else ''}", *answer.last_lines(30)],
        hints=["Leave --offline out: not everything that is needed was downloaded before."] if index.offline else [],
    )
