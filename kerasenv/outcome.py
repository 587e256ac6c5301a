"""What a verb returns; one place renders it as text, another as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from kerasenv.errors import KerasenvError

Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome(Generic[Data]):
    """The result of a verb: `data` for programs, `text` for people, and what to do next.

    `error` says what is wrong where a verb did its work and what it found is bad.
    """

    data: Data
    text: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    error: KerasenvError | None = None

    @property
    def exit_code(self) -> int:
        """Return 0, or what the error wants."""
        return self.error.exit_code if self.error is not None else 0
