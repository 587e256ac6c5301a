"""Which engine serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.errors import UsageError
from kerasenv.interpreters.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter


def _uv() -> Engine:
    from kerasenv.engines.uv import UvEngine  # noqa: PLC0415  # only the engine that serves is imported

    return UvEngine()


def _pip_tools() -> Engine:
    from kerasenv.engines.pip_tools import PipToolsEngine  # noqa: PLC0415  # as above

    return PipToolsEngine()


ENGINES: dict[str, Callable[[], Engine]] = {"uv": _uv, "pip-tools": _pip_tools}


def choose_engine(name: str | None, interpreter: Interpreter) -> tuple[Engine, str]:
    """Return the engine that works for a Python, and why this one; raise UsageError if the named one doesn't."""
    serve = serving(interpreter.version).engines
    if name is None:
        return ENGINES[serve[0]](), "default" if len(serve) > 1 else f"serves CPython {interpreter.minor}"
    if name not in serve:
        raise UsageError(
            f"{name} can't work for CPython {interpreter.minor}.",
            looked_at=[f"{interpreter}: {interpreter.path}", f"what works for it: {', '.join(serve)}"],
            hints=[f"Leave --engine out, or type --engine {serve[0]}"],
        )
    return ENGINES[name](), "--engine"
