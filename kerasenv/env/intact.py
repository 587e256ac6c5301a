"""Compare what was just installed with what the wheels say of their files.

Engines verify what they download, and uv not even once more what it unpacked before and keeps in its cache. There a bad
disk, or whoever writes into an environment that shares its files with the cache, can change them for all that follow.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.env.inventory import describes_its_wheel, differing, is_bytecode
from kerasenv.errors import InstallError

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.env.inventory import Inventory

_MOST_TOLD = 10


def check_intact(inventory: Inventory, *, since: int) -> None:
    """Raise InstallError with the names of the files in an environment that aren't as any RECORD tells them.

    What was written after `since` (nanoseconds) needs no second look: the engine wrote it just now, out of a file whose
    sha256 it verified.
    """
    folder = inventory.folder
    expected: dict[str, set[str]] = {}
    owners: dict[str, str] = {}
    for package in inventory.packages:
        for path, digest in (package.files or {}).items():
            if digest is not None and not is_bytecode(path, inventory.files) and _is_older(folder, path, since):
                expected.setdefault(path, set()).add(digest)
                owners[path] = package.name
    found = differing(folder, {path: frozenset(digests) for path, digests in expected.items()})
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
        return
    told = [f"{owners[path]}: {path} ({what})" for path, what in sorted(wrong.items())]
    told += [f"{name}: its RECORD can't be read" for name in unknown]
    more = len(told) - _MOST_TOLD
    names = " ".join(sorted({*(owners[path] for path in wrong), *unknown}))
    raise InstallError(
        f"Not all that was installed is what its package says of it: {len(told)} of {len(expected)} files.",
        looked_at=[*told[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])],
        hints=[f"Something changed what uv keeps of earlier installs: uv cache clean {names}", "Then try again."],
    )


def _is_older(folder: Path, path: str, since: int) -> bool:
    try:
        return os.lstat(f"{folder}/{path}").st_mtime_ns < since
    except OSError:
        return True


def _is_script_of_its_wheel(file: Path, digests: set[str]) -> bool:
    """Say whether only the first line is another one: installers name the interpreter there, where wheels say python.

    The pip that is for CPython 2.7 tells the digest of what was in the wheel.
    """
    if not file.is_file():
        return False
    first, end, rest = file.read_bytes().partition(b"\n")
    found = urlsafe_b64encode(sha256(b"#!python" + end + rest).digest()).rstrip(b"=").decode()
    return first.startswith(b"#!") and f"sha256={found}" in digests
