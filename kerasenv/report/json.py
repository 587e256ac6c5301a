"""Results and errors as one JSON object: a versioned envelope with the same keys for every verb."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import kerasenv

if TYPE_CHECKING:
    from kerasenv.errors import KerasenvError
    from kerasenv.outcome import Outcome

FORMAT = 1


def outcome_as_json(command: str, outcome: Outcome[Any], notes: list[str]) -> str:
    """Return the envelope of a result."""
    status = "failed" if outcome.exit_code else "ok"
    return _envelope(command, status, outcome.exit_code, data=outcome.data, error=None, notes=notes)


def error_as_json(command: str, error: KerasenvError, notes: list[str]) -> str:
    """Return the envelope of an error."""
    table: dict[str, object] = {
        "kind": type(error).__name__,
        "message": error.message,
        "looked_at": list(error.looked_at),
        "hints": list(error.hints),
    }
    return _envelope(command, "error", error.exit_code, data=None, error=table, notes=notes)


def _envelope(
    command: str, status: str, exit_code: int, *, data: object, error: dict[str, object] | None, notes: list[str]
) -> str:
    envelope = {
        "format": FORMAT,
        "kerasenv": kerasenv.__version__,
        "command": command,
        "status": status,
        "exit_code": exit_code,
        "data": data,
        "error": error,
        "notes": notes,
    }
    return json.dumps(envelope, default=_plain, indent=2)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value) if isinstance(value, (set, frozenset)) else list(value)
    return str(value)
