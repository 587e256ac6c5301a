from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("benchmarks are for Linux and macOS", allow_module_level=True)

from benchmarks.publish import PAGE, RESULTS, page_of
from benchmarks.results import Disk, Results, Series, read_results


def test_a_page_has_the_figures_of_a_run_and_no_place_is_left_empty() -> None:
    results = Results(
        date="2030-01-01",
        machine={"cpu": "Some CPU", "cores": 2},
        settings={"runs": 3, "runs_slow": 2},
        pythons={"tf2-modern": "3.11.7"},
        series=[
            Series(what=what, profile=None if what == "start-up" else "tf2-modern", contestant=name, **figures(1.75))
            for what, name in (("warm ready", "kerasenv"), ("lock", "uv"), ("start-up", "python"))
        ],
        disk=[
            Disk(
                profile="tf2-modern",
                contestant="kerasenv",
                filesystem="ext4",
                environments=2,
                own=1000,
                after_each=(1, 2),
                second_after_model=1,
            )
        ],
    )

    page = page_of(results)

    assert "| Some CPU |" in page
    assert "on 2030-01-01" in page
    assert page.count("1.75 s") > 3
    assert "$" not in page


def figures(seconds: float) -> dict[str, list[float]]:
    names = ("seconds", "cpu_seconds", "background_seconds", "background_cpu_seconds")
    return {name: [seconds] * 3 for name in names}


def test_the_page_is_what_the_published_figures_make() -> None:
    """Whoever edits a number, or the text without writing the page anew, is caught."""
    assert RESULTS.is_file() == PAGE.is_file()
    if RESULTS.is_file():
        assert PAGE.read_text("utf-8") == page_of(read_results(RESULTS)), "python benchmarks/run.py --publish FILE"
