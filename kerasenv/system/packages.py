"""Who installs packages on this system, and with which command."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGERS: dict[str, str] = {
    "apt": "apt-get install {}",
    "dnf": "dnf install {}",
    "pacman": "pacman -S {}",
    "zypper": "zypper install {}",
    "apk": "apk add {}",
    "brew": "brew install {}",
    # Apple's compilers are no package: whatever is asked for, this brings them all
    "xcode": "xcode-select --install",
    "winget": "winget install {}",
}
"""The command of each package manager."""

_AS_ONESELF = ("brew", "xcode", "winget")
# By ID and ID_LIKE of /etc/os-release
_OF_DISTRIBUTION = {
    "debian": "apt",
    "ubuntu": "apt",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "arch": "pacman",
    "suse": "zypper",
    "opensuse": "zypper",
    "alpine": "apk",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """What this system calls itself, and the package managers to name on it, the first choice first."""

    title: str
    managers: tuple[str, ...] = ()
    root: bool = False

    def command(self, packages: Mapping[str, str], *, python: str) -> str | None:
        """Return what to type to install something, None if nobody knows what it is called here."""
        for manager in self.managers:
            if manager in packages:
                typed = MANAGERS[manager].format(packages[manager].format(python=python))
                return typed if self.root or manager in _AS_ONESELF else f"sudo {typed}"
        return None


def this_system() -> System:
    """Return the system that this runs on."""
    if sys.platform == "darwin":
        return System(title=f"macOS {platform.mac_ver()[0]}", managers=("xcode", "brew"))
    if sys.platform == "win32":
        return System(title=f"Windows {platform.release()}", managers=("winget",))
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return linux_system(release, root=os.geteuid() == 0)


def linux_system(release: Mapping[str, str], *, root: bool) -> System:
    """Return the system that an os-release file describes; a distribution names those that it is made from."""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    found = [_OF_DISTRIBUTION[name] for name in names if name in _OF_DISTRIBUTION]
    return System(title=release.get("PRETTY_NAME", "a Linux without a name"), managers=tuple(found[:1]), root=root)
