"""Let packages of an environment find libraries of the system under the names that they look for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.errors import InstallError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kerasenv.system.findings import Link


def make_links(site_packages: Path, links: Sequence[Link]) -> None:
    """Make each link, in place of what an earlier one left."""
    for link in links:
        place = site_packages / link.path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.symlink_to(link.target)
        except OSError as error:
            raise InstallError(f"{place} can't be made a link to {link.target}: {error.strerror or error}") from error
