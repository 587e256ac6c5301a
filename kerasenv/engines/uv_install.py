"""Let uv install what a lock names, in parallel, and build source distributions as it does then."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

import tomli_w

from kerasenv import process
from kerasenv.engine import BUILD_VARIABLES
from kerasenv.engines.mirror import at_index
from kerasenv.engines.uv_call import LOCK_NAME, build_words, environ_of, offline_words, tell
from kerasenv.errors import InstallError
from kerasenv.scratch import scratch
from kerasenv.uv import uv_command

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.engine import BuildConstraint, Index, InstallRequest
    from kerasenv.interpreters.interpreter import Interpreter

_UNKNOWN_TOOL = re.compile(r"no trusted hash was provided for: `([^`]+)`")
_MISMATCHES = {
    "Hash mismatch": "its sha256 differs",
    "Size mismatch": "its size differs",
    "Content-Length mismatch": "its size differs",
    # uv unpacks while it downloads, and compares at the end
    "Failed to extract archive": "it can't be unpacked",
    "The wheel is invalid": "it is no wheel",
}


def install(request: InstallRequest) -> None:
    """Make the environment hold just what the lock selects for it; raise InstallError if a file can't be had."""
    with scratch("install") as folder:
        lock = folder / LOCK_NAME
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
                *build_words(request.build_constraints, folder, verified=True),
                *offline_words(request.index),
                *(["--requirements"] if request.anew else []),
                str(lock),
            ],
            environ=environ_of(request.index) | {"VIRTUAL_ENV": str(request.environment)},
            cwd=folder,
            on_line=tell,
        )
    if answer.returncode:
        raise _install_error(answer, index=request.index)
    if any(wheel.path for package in request.lock.packages for wheel in package.wheels or ()):
        _forget_files(request.environment)


def build_wheel(
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
                *build_words(build_constraints, folder, verified=True),
                *offline_words(index),
                str(sdist),
            ],
            environ=environ_of(index) | BUILD_VARIABLES,
            cwd=folder,
            on_line=tell,
        )
    if answer.returncode:
        raise _build_error(answer, sdist, index=index)
    (wheel,) = into.glob("*.whl")
    return wheel


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
