"""The machines and Pythons that a lock can cover; the machines in the terms of markers and of wheel tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


KNOWN_PYTHONS = ("2.7", *(f"3.{minor}" for minor in range(6, 15)))
"""The minor versions of CPython that a lock can cover, oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """A kind of machine; `machine` is what `platform_machine` says there."""

    name: str
    title: str
    sys_platform: str
    platform_system: str
    os_name: str
    machine: str
    wheel_platforms: tuple[str, ...]
    """Prefixes and suffixes of the wheel platform tags it can run, as (prefix + '*' + suffix) patterns."""

    @property
    def marker(self) -> str:
        """Return the marker that holds on this kind of machine alone."""
        return f"sys_platform == '{self.sys_platform}' and platform_machine == '{self.machine}'"


PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform(
            name="linux-x86_64",
            title="Linux x86_64",
            sys_platform="linux",
            platform_system="Linux",
            os_name="posix",
            machine="x86_64",
            wheel_platforms=("manylinux*_x86_64", "linux_x86_64"),
        ),
        Platform(
            name="linux-aarch64",
            title="Linux aarch64",
            sys_platform="linux",
            platform_system="Linux",
            os_name="posix",
            machine="aarch64",
            wheel_platforms=("manylinux*_aarch64", "linux_aarch64"),
        ),
        Platform(
            name="macos-arm64",
            title="macOS arm64",
            sys_platform="darwin",
            platform_system="Darwin",
            os_name="posix",
            machine="arm64",
            wheel_platforms=("macosx_*_arm64", "macosx_*_universal2"),
        ),
        Platform(
            name="macos-x86_64",
            title="macOS x86_64",
            sys_platform="darwin",
            platform_system="Darwin",
            os_name="posix",
            machine="x86_64",
            # Before universal2, fat builds were named intel, fat32, fat64 and universal
            wheel_platforms=(
                "macosx_*_x86_64",
                "macosx_*_universal2",
                "macosx_*_intel",
                "macosx_*_fat64",
                "macosx_*_universal",
            ),
        ),
        Platform(
            name="windows-x86_64",
            title="Windows x86_64",
            sys_platform="win32",
            platform_system="Windows",
            os_name="nt",
            machine="AMD64",
            wheel_platforms=("win_amd64",),
        ),
    )
}


def platform_of(markers: Mapping[str, str]) -> Platform | None:
    """Return the kind of machine that these markers are of, None for one that no lock covers."""
    wanted = markers["sys_platform"], markers["platform_machine"]
    return next((one for one in PLATFORMS.values() if (one.sys_platform, one.machine) == wanted), None)
