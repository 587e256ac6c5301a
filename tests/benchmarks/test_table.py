from __future__ import annotations

import pytest

from benchmarks import table
from benchmarks.results import Disk, Results, Series


@pytest.fixture
def results() -> Results:
    def series(what: str, contestant: str, *seconds: float, background: float = 0.0) -> Series:
        return Series(
            what=what,
            profile="tf2-modern",
            contestant=contestant,
            seconds=list(seconds),
            cpu_seconds=[2.0] * len(seconds),
            background_seconds=[background] * len(seconds),
            background_cpu_seconds=[background / 2] * len(seconds),
        )

    return Results(
        date="2030-01-01",
        machine={"cpu": "Some CPU", "cores": 2},
        settings={"runs": 3, "runs_slow": 3},
        pythons={"tf2-modern": "3.11.7"},
        series=[
            series("warm ready", "kerasenv", 0.5, 0.4, 0.6, background=4.0),
            series("warm ready", "uv", 1.0, 0.9, 12.5),
            series("warm ready", "uv again", 1.0, 1.1, 1.2),
        ],
        disk=[
            Disk(
                profile="tf2-modern",
                contestant="kerasenv",
                filesystem="ext4",
                environments=2,
                own=2_000_000_000,
                after_each=(2_500_000_000, 2_520_000_000),
                second_after_model=30_000_000,
            )
        ],
    )


def test_a_row_tells_median_extremes_and_what_came_afterwards(results: Results) -> None:
    first, second, _ = table.time_rows(results)

    assert first[3:6] == ["0.500 s", "0.400 s", "0.600 s"]
    assert first[6:] == ["40 %", "3", "0.50", "2.00 s", "4.00 s (CPU 2.00 s)"]
    assert second[3:6] == ["1.00 s", "0.900 s", "12.5 s"]
    assert second[10] == "", "nothing was at work afterwards"


def test_a_page_names_the_profile_once_and_shows_whose_row_is_whose(results: Results) -> None:
    rows = table.comparison_rows(results, "warm ready")

    assert [row[:3] for row in rows] == [
        ["tf2-modern", "**kerasenv**", "0.500 s"],
        ["", "uv", "1.00 s"],
        ["", "uv again", "1.10 s"],
    ]
    assert [row[-1] for row in rows] == ["0.50", "1.00", "1.10"]


def test_disk_is_told_in_megabytes_and_percent(results: Results) -> None:
    (row,) = table.disk_rows(results.disk)

    assert row == ["ext4", "tf2-modern", "kerasenv", "2000 MB", "20.0 MB", "1.00 %", "30.0 MB", "2520 MB", "2"]


def test_the_report_says_all_of_it(results: Results) -> None:
    said = table.report(results)

    assert "cpu: Some CPU" in said
    assert "4.00 s (CPU 2.00 s)" in said
    goal = next(line for line in said.splitlines() if line.startswith("ready, caches warm"))
    assert goal.split("  ")[-1].strip() == "1.10"
    assert "0.50" in goal
    assert " met" in goal
    assert "not met" not in said


def test_columns_stand_below_one_another() -> None:
    assert table.aligned(["a", "bb"], [["long", "x"], ["s", ""]]) == "a     bb\n----  --\nlong  x\ns"


def test_a_table_for_a_page() -> None:
    assert table.markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
