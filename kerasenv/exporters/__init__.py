"""One form for each module, and all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.exporters import conda, pip_tools, pylock, requirements

if TYPE_CHECKING:
    from kerasenv.exporter import Exporter

EXPORTERS: dict[str, Exporter] = {one.NAME: one for one in (requirements, pylock, conda, pip_tools)}
