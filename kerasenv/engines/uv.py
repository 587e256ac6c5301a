"""The default engine: uv resolves for every platform at once and installs in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv import process
from kerasenv.uv import uv_command, uv_environ

if TYPE_CHECKING:
    from kerasenv.engine import InstallRequest, ResolveRequest
    from kerasenv.resolution import Resolution


class UvEngine:
    """Speaks to the uv that is installed with kerasenv."""

    name = "uv"
    fills_store = True
    keeps_unpacked = True

    def describe(self) -> str:
        """Return 'uv 0.13.8'."""
        said = process.run([*uv_command(), "--version"], environ=uv_environ()).stdout.split()
        return " ".join(said[:2])

    def resolve(self, request: ResolveRequest) -> Resolution:
        """Choose versions for every Python and platform of the request; raise ResolveError if there is no choice."""
        from kerasenv.engines.uv_resolve import resolve  # noqa: PLC0415  # not needed where a lock is there

        return resolve(request)

    def install(self, request: InstallRequest) -> None:
        """Make the environment hold just what the lock selects for it; raise InstallError if a file can't be had."""
        from kerasenv.engines.uv_install import install  # noqa: PLC0415  # not needed where the store has all

        install(request)
