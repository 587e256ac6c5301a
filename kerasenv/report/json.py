"""Results and errors as one JSON object: a versioned envelope with the same keys for every verb."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import kerasenv

if TYPE_CHECKING:
    from kerasenv.errors import KerasenvError
    from kerasenv.outcome import Outcome

FORMAT = 1


def outcome_as_json(command: str, outcome: Outcome[Any], notes: list[str]) -> str:
    """Return the envelope of a result."""
    status = "failed" if outcome.error is not None else "ok"
    return _envelope(command, status, outcome.exit_code, data=outcome.data, error=outcome.error, notes=notes)


def error_as_json(command: str, error: KerasenvError, notes: list[str]) -> str:
    """Return the envelope of an error."""
    return _envelope(command, "error", error.exit_code, data=None, error=error, notes=notes)


def _envelope(
    command: str, status: str, exit_code: int, *, data: object, error: KerasenvError | None, notes: list[str]
) -> str:
    envelope = {
        "format": FORMAT,
        "kerasenv": kerasenv.__version__,
        "command": command,
        "status": status,
        "exit_code": exit_code,
        "data": data,
        "error": _table_of(error) if error is not None else None,
        "notes": notes,
    }
    return json.dumps(envelope, default=_plain, indent=2)


def _table_of(error: KerasenvError) -> dict[str, object]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "looked_at": error.looked_at,
        "hints": error.hints,
    }


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)
