"""Compare what was just installed with what the wheels say of their files.

Engines verify what they download, and uv not even once more what it unpacked before and keeps in its cache. There a bad
disk, or whoever writes into an environment that shares its files with the cache, can change them for all that follow.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.env.inventory import describes_its_wheel, differing, is_bytecode
from kerasenv.errors import InstallError

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.env.inventory import Inventory

_MOST_TOLD = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlike:
    """What isn't as the packages say."""

    packages: frozenset[str]
    told: tuple[str, ...]
    """What is wrong, a line each."""
    files: int
    """How many were compared."""


def find_unlike(inventory: Inventory, *, since: int | None = None) -> Unlike | None:
    """Return which files aren't as any RECORD tells them, None if all are.

    Of those that the engine unpacked after `since` (nanoseconds) only the sizes are compared: they are from a file of
    which it has just verified the sha256.
    """
    folder = inventory.folder
    expected: dict[str, set[str]] = {}
    owners: dict[str, str] = {}
    read: set[str] = set()
    for package in inventory.packages:
        for path, digest in (package.files or {}).items():
            if digest is not None and not is_bytecode(path, inventory.files):
                expected.setdefault(path, set()).add(digest)
                owners[path] = package.name
                if since is None or not _is_new(f"{folder}/{path}", package.sizes.get(path), since):
                    read.add(path)
    found = differing(folder, {path: frozenset(expected[path]) for path in read})
    wrong = {
        path: what
        for path, what in found.items()
        if not describes_its_wheel(path) and not _is_script_of_its_wheel(folder / path, expected[path])
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
    return Unlike(packages=names, told=tuple(told), files=len(expected))


def unlike_error(unlike: Unlike) -> InstallError:
    """Return what is wrong as an error."""
    more = len(unlike.told) - _MOST_TOLD
    names = " ".join(sorted(unlike.packages))
    return InstallError(
        f"Not all that was installed is what its package says of it: {len(unlike.told)} of {unlike.files} files.",
        looked_at=[*unlike.told[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])],
        hints=[f"Something changed what uv keeps of earlier installs: uv cache clean {names}", "Then try again."],
    )


def _is_new(path: str, size: int | None, since: int) -> bool:
    """Say whether a file of this size was unpacked just now.

    Then the engine's cache has it too, under another name. One by itself can be a copy that was made just now, of
    something that was unpacked long ago.
    """
    try:
        state = os.lstat(path)
    except OSError:
        return False
    return state.st_size == size and state.st_mtime_ns >= since and state.st_nlink > 1


def _is_script_of_its_wheel(file: Path, digests: set[str]) -> bool:
    """Say whether only the first line is another one: installers name the interpreter there, where wheels say python.

    The pip that is for CPython 2.7 tells the digest of what was in the wheel.
    """
    if not file.is_file():
        return False
    first, end, rest = file.read_bytes().partition(b"\n")
    found = urlsafe_b64encode(sha256(b"#!python" + end + rest).digest()).rstrip(b"=").decode()
    return first.startswith(b"#!") and f"sha256={found}" in digests
