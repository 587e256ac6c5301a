"""kerasenv list"""  # noqa: D400, D415  # the name of the verb

from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from kerasenv import progress
from kerasenv.lock.cells import pythons_of
from kerasenv.outcome import Outcome
from kerasenv.profiles.evidence import evidence_of_each
from kerasenv.profiles.search import list_profiles


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A profile in one line."""

    name: str
    summary: str
    requires_python: str
    verified: str | None
    """The date of the last real run of its shipped pins."""
    source: str


def list_() -> Outcome[list[Row]]:
    """List the profiles: yours, then those that ship with kerasenv."""
    listing = list_profiles(cwd=Path.cwd())
    rows = [
        Row(
            name=profile.name,
            summary=profile.summary,
            requires_python=str(profile.requires_python),
            verified=max((one.date for one in evidence), default=None),
            source=profile.source,
        )
        for profile, evidence in zip(listing.profiles, evidence_of_each(listing.profiles), strict=True)
    ]
    lines = [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    for error in listing.errors:
        progress.note(f"left out: {error.message}")
    return Outcome(data=rows, text=tuple(text), next_steps=("more of one:  kerasenv show PROFILE",) if rows else ())


def _cells(row: Row) -> tuple[str, ...]:
    verified = f"verified {row.verified[:10]}" if row.verified else "unverified"
    pythons = pythons_of(SpecifierSet(row.requires_python))
    spoken = " to ".join(dict.fromkeys((pythons[0], pythons[-1]))) if pythons else row.requires_python
    return row.name, f"CPython {spoken}", verified, row.summary
