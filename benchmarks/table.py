"""Tables of what was measured, for the terminal and for the documentation."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks.figures import baseline_of, chance, percent_of_second, ratio, spread, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Verdict
    from benchmarks.results import Disk, Results, Series

Rows = list[list[str]]
_MEGABYTE = 1e6
_NOTHING = 0.05
"""Seconds of background below which there was none: asking for it takes as long."""

TIMES_HEAD = ["what", "profile", "contestant", "median", "min", "max", "spread", "runs", "ratio", "CPU", "background"]
DISK_HEAD = [
    "file system",
    "profile",
    "contestant",
    "first one",
    "second adds",
    "in %",
    "after a model",
    "all",
    "how many",
]
GOALS_HEAD = ["goal", "profile", "reached", "at most", "", "two equal commands"]


def report(results: Results) -> str:
    """Return all of it for a terminal."""
    parts = [
        "\n".join(f"{name}: {value}" for name, value in {**results.machine, **results.settings}.items()),
        aligned(TIMES_HEAD, time_rows(results)) if results.series else "",
        aligned(DISK_HEAD, disk_rows(results.disk)) if results.disk else "",
        aligned(GOALS_HEAD, goal_rows(verdicts(results))),
    ]
    return "\n\n".join(part for part in parts if part)


def aligned(head: Sequence[str], rows: Rows) -> str:
    """Return a table whose columns are as wide as they must."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(head: Sequence[str], rows: Rows) -> str:
    """Return a table for a page."""
    if not rows:
        return "Not measured this time."
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def time_rows(results: Results) -> Rows:
    """Return a row for each series."""
    return [
        [
            one.what,
            one.profile or "",
            one.contestant,
            seconds(median(one.seconds)),
            seconds(min(one.seconds)),
            seconds(max(one.seconds)),
            f"{100 * spread(one.seconds):.0f} %",
            str(len(one.seconds)),
            times(ratio(one, results.find(one.what, one.profile, baseline_of(one.what)))),
            seconds(median(one.cpu_seconds)),
            background(one),
        ]
        for one in results.series
        if one.seconds
    ]


def comparison_rows(results: Results, what: str) -> Rows:
    """Return a row for each profile and contestant of one comparison, as a reader wants it."""
    rows: Rows = []
    for profile in results.profiles:
        first = True
        for one in results.of(what, profile):
            other = results.find(what, profile, baseline_of(what))
            name = f"**{one.contestant}**" if one.contestant == "kerasenv" else one.contestant
            between = f"{seconds(min(one.seconds))} to {seconds(max(one.seconds))}"
            rows.append(
                [
                    profile if first else "",
                    name,
                    seconds(median(one.seconds)),
                    between,
                    str(len(one.seconds)),
                    times(ratio(one, other)),
                ]
            )
            first = False
    return rows


def background_rows(results: Results) -> Rows:
    """Return what was done after a command of kerasenv had ended."""
    return [
        [
            one.what,
            one.profile or "",
            seconds(median(one.background_seconds)),
            seconds(median(one.background_cpu_seconds)),
        ]
        for one in results.series
        if one.contestant == "kerasenv" and one.background_seconds
    ]


def disk_rows(disks: Sequence[Disk]) -> Rows:
    """Return a row for each contestant and profile."""
    return [
        [
            one.filesystem,
            one.profile,
            one.contestant,
            megabytes(one.own),
            megabytes(one.second),
            f"{percent_of_second(one):.2f} %",
            megabytes(one.second_after_model),
            megabytes(one.after_each[-1]),
            str(one.environments),
        ]
        for one in disks
    ]


def goal_rows(found: Sequence[Verdict]) -> Rows:
    """Return a row for each goal and profile."""
    return [
        [
            one.name,
            one.profile or "",
            f"{one.reached:.2f}{one.unit}",
            f"{one.limit:g}{one.unit}",
            "met" if one.met else "not met",
            times(one.chance),
        ]
        for one in found
    ]


def chance_rows(results: Results) -> Rows:
    """Return by how much two equal commands differed in each comparison."""
    compared = dict.fromkeys((one.what, one.profile) for one in results.series)
    return [[what, profile or "", times(chance(results, what, profile))] for what, profile in compared]


def seconds(value: float) -> str:
    """Return seconds with the digits that matter."""
    digits = 3 if value < 1 else 2 if value < 10 else 1  # noqa: PLR2004
    return f"{value:.{digits}f} s"


def megabytes(value: float) -> str:
    """Return bytes in MB, with the digits that matter."""
    count = value / _MEGABYTE
    return f"{count:.1f} MB" if abs(count) < 100 else f"{count:.0f} MB"  # noqa: PLR2004


def times(value: float | None) -> str:
    """Return a ratio."""
    return "" if value is None else f"{value:.2f}"


def background(series: Series) -> str:
    """Return what came after a command, by the clock and of the processors."""
    if not series.background_seconds or median(series.background_seconds) < _NOTHING:
        return ""
    cpu = median(series.background_cpu_seconds)
    return f"{seconds(median(series.background_seconds))} (CPU {seconds(cpu)})"
