"""Compare what was just installed with what the wheels say of their files.

Engines verify what they download, and uv not even once more what it unpacked before and keeps in its cache. There a bad
disk, or whoever writes into an environment that shares its files with the cache, can change them for all that follow.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.env.inventory import describes_its_wheel, differing, is_bytecode
from kerasenv.errors import InstallError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kerasenv.env.inventory import Installed, Inventory

_MOST_TOLD = 10
_UNKNOWN = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlike:
    """What isn't as the packages say."""

    packages: frozenset[str]
    told: tuple[str, ...]
    """What is wrong, a line each."""
    files: int
    """How many were compared."""


def unpacked_since(start: int, kept: Mapping[str, os.stat_result]) -> dict[str, int]:
    """Return the sizes of those files that the engine unpacked after `start` (nanoseconds).

    `kept` are those that it keeps as well, under another name. One by itself can be a copy that was made just now, of
    something that was unpacked long ago.
    """
    return {path: state.st_size for path, state in kept.items() if state.st_mtime_ns >= start}


def find_unlike(inventory: Inventory, *, unpacked: Mapping[str, int] | None = None) -> Unlike | None:
    """Return which files aren't as any RECORD tells them, None if all are.

    `unpacked` has the sizes of what the engine unpacked just now: of these files no more is compared, since they are
    from one of which it has verified the sha256.
    """
    sizes = unpacked or {}
    doubtful = {
        path
        for package, path, _ in _told(inventory)
        if sizes.get(path, _UNKNOWN) != package.sizes.get(path) and not is_bytecode(path, inventory.files)
    }
    expected: dict[str, set[str]] = {}
    owners: dict[str, str] = {}
    for package, path, digest in _told(inventory):
        if path in doubtful:
            expected.setdefault(path, set()).add(digest)
            owners[path] = package.name
    found = differing(inventory.folder, {path: frozenset(digests) for path, digests in expected.items()})
    wrong = {
        path: what
        for path, what in found.items()
        if not describes_its_wheel(path) and not _is_script_of_its_wheel(inventory.folder / path, expected[path])
    }
    for path in sorted(filter(describes_its_wheel, found)):
        progress.note(f"{path} isn't what the package says of it: some publishers edited it later. It holds no code.")
    # One without a RECORD that can be read can't be compared
    unknown = [one.name for one in inventory.packages if one.files is None and one.info.endswith(".dist-info")]
    if not wrong and not unknown:
        return None
    told = [f"{owners[path]}: {path} ({what})" for path, what in sorted(wrong.items())]
    told += [f"{name}: its RECORD can't be read" for name in unknown]
    names = frozenset({*(owners[path] for path in wrong), *unknown})
    return Unlike(packages=names, told=tuple(told), files=len({path for _, path, _ in _told(inventory)}))


def _told(inventory: Inventory) -> Iterator[tuple[Installed, str, str]]:
    """Yield each file of which a RECORD tells the digest, with its package before and the digest behind."""
    for package in inventory.packages:
        for path, digest in (package.files or {}).items():
            if digest is not None:
                yield package, path, digest


def unlike_error(unlike: Unlike) -> InstallError:
    """Return what is wrong as an error."""
    more = len(unlike.told) - _MOST_TOLD
    names = " ".join(sorted(unlike.packages))
    return InstallError(
        f"Not all that was installed is what its package says of it: {len(unlike.told)} of {unlike.files} files.",
        looked_at=[*unlike.told[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])],
        hints=[f"Something changed what uv keeps of earlier installs: uv cache clean {names}", "Then try again."],
    )


def _is_script_of_its_wheel(file: Path, digests: set[str]) -> bool:
    """Say whether only the first line is another one: installers name the interpreter there, where wheels say python.

    The pip that is for CPython 2.7 tells the digest of what was in the wheel.
    """
    if not file.is_file():
        return False
    first, end, rest = file.read_bytes().partition(b"\n")
    found = urlsafe_b64encode(sha256(b"#!python" + end + rest).digest()).rstrip(b"=").decode()
    return first.startswith(b"#!") and f"sha256={found}" in digests
