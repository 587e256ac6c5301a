"""What a verb returns; one place renders it as text, another as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome(Generic[Data]):
    """The result of a verb: `data` for programs, `text` for people, and what to do next."""

    data: Data
    text: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    exit_code: int = 0
