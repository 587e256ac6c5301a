"""What an error usually means: the table of symptoms, and the search in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tomli

_TABLE = Path(__file__).with_name("meanings.toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """A known symptom: which versions have it, why, and what helps."""

    pattern: str
    affects: str
    cause: str
    cure: str
    source: str
    """Where it was reported, read or measured."""
    example: str
    harmless: bool = False
    """A notice that is often mistaken for the error."""
    noise: bool = False
    """A notice that is there whenever all is well, so that nobody needs to see it."""

    def fits(self, text: str) -> bool:
        """Tell whether this is what the text complains about."""
        return re.search(self.pattern, text, re.MULTILINE) is not None


@cache
def meanings() -> tuple[Meaning, ...]:
    """Return every known symptom, the more telling ones first."""
    with _TABLE.open("rb") as file:
        return tuple(Meaning(**row) for row in tomli.load(file)["meaning"])


def explain(text: str) -> Meaning | None:
    """Return what an error message or a log usually means, None if nothing in it is known."""
    return next((meaning for meaning in meanings() if meaning.fits(text)), None)
