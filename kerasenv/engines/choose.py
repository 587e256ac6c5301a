"""Which engine serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.engines.pip_tools import PipToolsEngine
from kerasenv.engines.uv import UvEngine

if TYPE_CHECKING:
    from kerasenv.engine import Engine

ENGINES: dict[str, type[UvEngine | PipToolsEngine]] = {"uv": UvEngine, "pip-tools": PipToolsEngine}
DEFAULT = "uv"


def choose_engine(name: str | None) -> tuple[Engine, str]:
    """Return the engine, and why this one."""
    return ENGINES[name or DEFAULT](), "--engine" if name else "default"
