"""What all calls of uv have in common that resolve, install or build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.uv import uv_environ

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kerasenv.engine import BuildConstraint, Index

LOCK_NAME = "pylock.toml"


def environ_of(index: Index) -> dict[str, str]:
    """Return variables for a uv that may build: what PYTHONPATH offers would come before the build's own packages.

    The index is one of them, since an address with a password is not for everyone to see in the list of processes.
    """
    named = {"UV_DEFAULT_INDEX": index.url, **index.environ} if index.url else {}
    return {name: value for name, value in uv_environ(named).items() if not name.startswith("PYTHON")}


def build_words(constraints: Sequence[BuildConstraint], folder: Path, *, verified: bool = False) -> list[str]:
    """Bound what builds; `verified` refuses all whose sha256 isn't known, if those of some are.

    While uv resolves it builds what may never be installed, of which nobody knows what it needs.
    """
    if not constraints:
        return []
    write_lines(folder / "build.txt", [str(one) if verified else str(one.requirement) for one in constraints])
    hashed = verified and any(one.sha256 for one in constraints)
    return ["--build-constraints=build.txt", *(["--require-build-hashes"] if hashed else [])]


def offline_words(index: Index) -> list[str]:
    """Return what keeps uv from asking an index that is offline."""
    return ["--offline"] if index.offline else []


def write_lines(target: Path, lines: Sequence[str]) -> None:
    """Write a file for uv to read."""
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def tell(line: str) -> None:
    """Show what uv is at, of all that it says."""
    spoken = line.strip()
    if spoken.startswith(("Downloading", "Downloaded", "Building", "Built")):
        progress.passing(spoken)
