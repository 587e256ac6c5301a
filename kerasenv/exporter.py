"""What an exporter is: a module of kerasenv.exporters that writes a lock in a form that another tool reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from kerasenv.engine import files_of
from kerasenv.errors import LockError
from kerasenv.resolution import Pin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.pylock import Package

    from kerasenv.lock.lockfile import Lock, Promise

ABOUT = "Made by kerasenv from {name}. Don't edit it: change the lock, and export it anew."

_FIRST_PIP = Version("8.0")  # that reads hashes
_KNOWN_SINCE = {
    "linux_": _FIRST_PIP,
    "manylinux1_": Version("8.1"),
    "manylinux2010_": Version("19.0"),
    "manylinux2014_": Version("19.3"),
    "manylinux_": Version("20.3"),
}


class Exporter(Protocol):
    """A module of kerasenv.exporters."""

    NAME: str
    """What people type."""

    READERS: str
    """Which tools read it."""

    def export(self, lock: Lock, name: str, *, hashes: bool) -> Mapping[str, str]:
        """Return the files to write, by name; the first is called `name`, and others lie beside it.

        Raises LockError if the form can't say what the lock says.
        """


def pins_of(lock: Lock, *, hashes: bool) -> list[Pin]:
    """Return every version that a lock names, with its marker and the sha256 of all its files."""
    return [_pin(package, hashes=hashes) for package in lock.pylock.packages]


def _pin(package: Package, *, hashes: bool) -> Pin:
    digests = frozenset(file.hashes["sha256"] for file in files_of(package) if "sha256" in file.hashes)
    if package.version is None or not digests:
        raise LockError(
            f"The lock names no version of {package.name} with the sha256 of its files.",
            hints=["Only what comes from an index can be exported."],
        )
    return Pin(
        name=package.name,
        version=package.version,
        marker=str(package.marker) if package.marker is not None else None,
        hashes=digests if hashes else frozenset(),
    )


def lines_of(lock: Lock, *, hashes: bool) -> list[str]:
    """Return each version as one line of a requirements file."""
    return [
        " ".join(
            [
                f"{pin.name}=={pin.version}",
                *([f"; {pin.marker}"] if pin.marker else []),
                *(f"--hash=sha256:{digest}" for digest in sorted(pin.hashes)),
            ]
        )
        for pin in pins_of(lock, hashes=hashes)
    ]


def promise_of(lock: Lock) -> Promise:
    """Return what a lock promises; raise LockError if it says nothing of it."""
    if lock.promise is None:
        raise LockError(f"{lock.path.name} has no [tool.kerasenv], which says what was asked for.")
    return lock.promise


def oldest_pip(lock: Lock) -> tuple[str, list[str]]:
    """Return the first pip that finds a wheel of every package on Linux x86_64, and for which packages it takes that.

    The tags of wheels came with releases of pip: manylinux1 with 8.1, manylinux2010 with 19.0, manylinux2014 with 19.3,
    manylinux_2_28 and its kin with 20.3.
    """
    needs: dict[str, Version] = {}
    for package in lock.pylock.packages:
        by_python: dict[tuple[str, str], Version] = {}
        for wheel in package.wheels or ():
            for tag in parse_wheel_filename(wheel.filename)[-1]:
                since = _known_since(tag.platform)
                if since is not None:
                    python = (tag.interpreter, tag.abi)
                    by_python[python] = min(since, by_python.get(python, since))
        if by_python and _FIRST_PIP not in by_python.values():
            needs[package.name] = max(*by_python.values(), needs.get(package.name, _FIRST_PIP))
    oldest = max(needs.values(), default=_FIRST_PIP)
    return str(oldest), sorted(name for name, since in needs.items() if since == oldest)


def _known_since(platform: str) -> Version | None:
    if platform == "any":
        return _FIRST_PIP
    if not platform.endswith("_x86_64"):
        return None
    return next((since for kind, since in _KNOWN_SINCE.items() if platform.startswith(kind)), None)


def build_notes(lock: Lock) -> list[str]:
    """Return what to know where something is built from source, for the head of a file."""
    built = sorted({package.name for package in lock.pylock.packages if package.sdist is not None})
    constraints = lock.promise.build_constraints if lock.promise is not None else ()
    if not built or not constraints:
        return []
    bounds = " ".join(f"'{one.requirement}'" for one in constraints)
    return [
        f"Built from source where there is no wheel: {', '.join(built)}.",
        f"Their builds need {bounds}, in a file that PIP_CONSTRAINT names (pip >= 25.3: PIP_BUILD_CONSTRAINT).",
    ]
