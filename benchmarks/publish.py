"""Make the page of the documentation from the figures of a run: no number in it is typed by hand."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from benchmarks import table
from benchmarks.figures import verdicts
from benchmarks.plot import draw
from benchmarks.results import joined, read_results, write_results
from benchmarks.workshop import CHECKOUT, SLOW_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import Results

HERE = CHECKOUT / "benchmarks"
RESULTS = HERE / "results.json"
"""The figures that are published."""
TEMPLATE = HERE / "how-fast.md"
PAGE = CHECKOUT / "docs" / "explanation" / "how-fast.md"
PLOT = PAGE.with_suffix(".svg")

COMPARED = ["profile", "with", "median", "fastest to slowest", "runs", "times uv"]
MACHINE = {
    "cpu": "processor",
    "cores": "cores",
    "memory_gigabytes": "memory (GiB)",
    "filesystem": "file system",
    "system": "system",
    "architecture": "architecture",
    "kerasenv": "kerasenv",
    "python": "kerasenv runs on CPython",
    "uv": "uv",
    "pip": "pip",
    "pip-tools": "pip-tools",
}


def publish(sources: list[Path]) -> None:
    """Keep the figures, draw them, and write the page."""
    results = joined([read_results(source) for source in sources])
    write_results(results, RESULTS)
    draw(results, PLOT)
    PAGE.write_text(page_of(results), encoding="utf-8", newline="\n")
    for place in (RESULTS, PLOT, PAGE):
        print(f"{place.relative_to(CHECKOUT)}: written")


def page_of(results: Results) -> str:
    """Return the page that tells of a run."""
    parts = {
        "machine": table.markdown(["", ""], _machine_rows(results)),
        "date": results.date,
        "runs": str(results.settings["runs"]),
        "runs_slow": str(results.settings["runs_slow"]),
        "slow_model": str(SLOW_MODEL),
        "goals": table.markdown(table.GOALS_HEAD, table.goal_rows(verdicts(results))),
        "background": table.markdown(
            ["after", "profile", "by the clock", "of the processors"], table.background_rows(results)
        ),
        "lock": table.markdown(COMPARED, table.comparison_rows(results, "lock")),
        "disk": table.markdown(table.DISK_HEAD, table.disk_rows(results.disk)),
        "startup": table.markdown(
            ["", "median", "fastest to slowest", "runs", "times python"],
            [
                [one.contestant, row[3], f"{row[4]} to {row[5]}", row[7], row[8]]
                for one, row in zip(results.series, table.time_rows(results), strict=True)
                if one.what == "start-up"
            ],
        ),
        "chance": table.markdown(["", "profile", "times"], table.chance_rows(results)),
        "plot": PLOT.name,
    }
    for temperature in ("warm", "cold"):
        for what in ("ready", "model"):
            rows = table.comparison_rows(results, f"{temperature} {what}")
            parts[f"{temperature}_{what}"] = table.markdown(COMPARED, rows)
    return Template(TEMPLATE.read_text("utf-8")).substitute(parts)


def _machine_rows(results: Results) -> table.Rows:
    rows = [[said, str(results.machine[name])] for name, said in MACHINE.items() if results.machine.get(name)]
    return [*rows, *([f"CPython of {profile}", version] for profile, version in results.pythons.items())]
