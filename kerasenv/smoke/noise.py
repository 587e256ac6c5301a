"""Tell what an era always says from what nobody knows yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv.process import redact
from kerasenv.smoke.meanings import meanings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kerasenv.smoke.plan import Noise


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a process wrote to standard error: how many lines of known noise, and which other lines."""

    noise: int = 0
    unknown: tuple[str, ...] = ()


def sort_out(lines: Iterable[str], rows: Sequence[Noise]) -> Heard:
    """Part lines that are known to a profile, or to the table of meanings, from all others.

    An indented line belongs to the one before, as the source line of a warning does. Empty lines count for nothing.
    """
    noise, unknown, known = 0, [], False
    for line in lines:
        if not line.strip():
            continue
        if not line[0].isspace():
            known = _is_noise(line, rows)
        if known:
            noise += 1
        else:
            unknown.append(redact(line))
    return Heard(noise=noise, unknown=tuple(unknown))


def _is_noise(line: str, rows: Sequence[Noise]) -> bool:
    return any(row.text in line for row in rows) or any(one.noise and one.fits(line) for one in meanings())
