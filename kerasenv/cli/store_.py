"""kerasenv store"""  # noqa: D400, D415  # the name of the verbs

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from kerasenv import progress
from kerasenv.cli.making import as_typed
from kerasenv.cli.parameter import argument, option
from kerasenv.errors import UsageError, VerifyError
from kerasenv.outcome import Outcome
from kerasenv.sizes import in_megabytes
from kerasenv.store import tidy
from kerasenv.store.info import Held, Info, look
from kerasenv.store.tidy import Tidied
from kerasenv.store.verify import Verified
from kerasenv.store.verify import verify as compare

_SHOWN = 50


def info() -> Outcome[Info]:
    """Tell what the store holds, what that takes on the disk, and which environments were made from it."""
    found = look()
    steps = ("what no environment needs any more:  kerasenv store gc",) if found.entries else ()
    return Outcome(data=found, text=tuple(_told(found)), next_steps=steps)


def verify(
    packages: Annotated[
        list[str] | None, argument(metavar="PACKAGE", help="Only what is kept of these.", show_default=False)
    ] = None,
) -> Outcome[Verified]:
    """Compare every file of the store with what it was, and take out what is damaged; the next create makes it anew."""
    with progress.step("Store") as step:
        verified = compare(packages or ())
        step.done(f"{_count(verified.entries, 'entry')}, {_count(verified.files, 'file')}", source="sha256, size, time")
    if not verified.damages:
        return Outcome(data=verified, text=("Every file of the store is as it was when it was taken.",))
    gone = [
        *(f"{one}: taken out of the store" for one in verified.removed),
        *(
            f"{one}: what lay ready for the next environment is gone, the rest is good"
            for one in verified.spares_removed
        ),
    ]
    error = VerifyError(
        f"The store was damaged in {_count(len(verified.damages), 'file')}.",
        looked_at=[*_shown([f"{one}" for one in verified.damages]), *_shown(gone)],
        hints=_hints(verified),
    )
    return Outcome(data=verified, error=error)


def gc(
    *,
    older_than: Annotated[
        str | None,
        option("--older-than", metavar="DAYS", help="Only what wasn't used for so many days (30 or 30d)."),
    ] = None,
    dry_run: Annotated[bool, option("--dry-run", help="Only say what would be removed.")] = False,
) -> Outcome[Tidied]:
    """Remove from the store what no environment that is still there was made from."""
    tidied = tidy.gc(older_than=_days(older_than) if older_than is not None else None, dry_run=dry_run)
    return Outcome(data=tidied, text=tuple(_tidied(tidied)))


def clear() -> Outcome[Tidied]:
    """Remove all that the store holds; environments stay whole."""
    tidied = tidy.clear()
    return Outcome(data=tidied, text=(*_tidied(tidied), "All environments are whole."))


def _hints(verified: Verified) -> list[str]:
    sharing = sorted({folder for one in verified.damages for folder in one.environments})
    return [
        *(
            f"{folder} has the same file: kerasenv rebuild LOCKFILE {as_typed(Path(folder))} --force"
            for folder in sharing
        ),
        "What is gone is made anew when the next environment is.",
    ]


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,5})d?", text.strip())
    if found is None:
        raise UsageError(f"--older-than is {text!r}, which is no number of days.", hints=["--older-than 30"])
    return timedelta(days=int(found[1]))


def _told(found: Info) -> list[str]:
    lines = [f"{found.folder}: {_count(len(found.entries), 'entry')}, {in_megabytes(found.size)}"]
    if not found.switched_on:
        lines.append("  switched off by KERASENV_STORE=0: nothing is taken from it, nothing is put into it")
    if found.busy:
        lines.append("  a process is putting something into it now")
    if not found.entries:
        return lines
    lines += [
        f"  spares    {in_megabytes(found.spare)}, laid out for the next environment",
        f"  bytecode  {in_megabytes(found.bytecode)}",
        f"  alone     {in_megabytes(found.alone)}, which would be free without it: no environment has them as well",
        f"  unused    since {str(found.longest_unused)[:10]} at the longest",
    ]
    rows = [_cells(one) for one in found.entries]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    return [*lines, *(f"for {folder}" for folder in found.environments)]


def _cells(one: Held) -> tuple[str, ...]:
    used = _count(len(one.environments), "environment") if one.environments else "no environment"
    return (
        f"{one.package} {one.version}".strip(),
        one.python,
        f"{in_megabytes(one.size):>10}",
        f"used {one.last_used[:10]}",
        used if one.whole else f"{used}; damaged, or of another kerasenv",
    )


def _tidied(tidied: Tidied) -> list[str]:
    entries, rest = _count(len(tidied.removed), "entry"), _count(tidied.remaining, "entry")
    would, remain = ("", "remains" if tidied.remaining == 1 else "remain")
    if not tidied.done:
        would, remain = "would be ", "would remain"
    lines = [f"  {one}" for one in _shown(tidied.removed)]
    lines += [f"  {one.entry} stays: {one.why}" for one in tidied.stays]
    return [*lines, f"{entries} {would}removed, {in_megabytes(tidied.freed)} {would}freed; {rest} {remain}."]


def _shown(lines: Sequence[str]) -> list[str]:
    more = [f"and {len(lines) - _SHOWN} more: --json names them all"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *more]


def _count(number: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"
