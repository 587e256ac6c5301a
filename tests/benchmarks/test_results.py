from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.results import Disk, Results, Series, joined, read_results, write_results

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    results = Results(
        date="2030-01-01",
        machine={"cores": 2, "cpu": "Some CPU"},
        settings={"runs": 2},
        pythons={"tf2-modern": "3.11.7"},
        series=[Series(what="lock", profile="tf2-modern", contestant="uv", seconds=[0.123456789], cpu_seconds=[0.1])],
        disk=[
            Disk(
                profile="tf2-modern",
                contestant="uv",
                filesystem="ext4",
                environments=2,
                own=10,
                after_each=(12, 13),
                second_after_model=4,
            )
        ],
    )
    place = tmp_path / "results.json"

    write_results(results, place)
    again = read_results(place)

    assert again.disk == results.disk
    assert again.series[0].seconds == [0.12346]
    assert (again.machine, again.settings, again.pythons) == (results.machine, results.settings, results.pythons)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_figures_of_another_format_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "results.json"
    place.write_text(json.dumps({"format": 0}), encoding="utf-8")

    with pytest.raises(SystemExit, match="another format"):
        read_results(place)


def _run(*parts: str, cpu: str = "Some CPU", pip: str = "23", filesystem: str = "ext4") -> Results:
    machine = {"cpu": cpu, "pip": pip, "filesystem": filesystem}
    series = [Series(what=part, profile="tf2-modern", contestant="uv", seconds=[1.0]) for part in parts]
    return Results(date="2030-01-01", machine=machine, settings={"runs": 2}, series=series)


def test_parts_of_several_runs_become_one() -> None:
    whole = joined([_run("warm ready"), _run("lock", pip="24")])

    assert [one.what for one in whole.series] == ["warm ready", "lock"]


def test_runs_of_several_days_name_them_all() -> None:
    runs = [
        replace(_run(part), date=date) for part, date in (("a", "2030-01-02"), ("b", "2030-01-01"), ("c", "2030-01-02"))
    ]

    assert joined(runs).date == "2030-01-01 and 2030-01-02"


def test_what_is_taken_of_another_disk_may_join_them() -> None:
    there = Disk(
        profile="tf2-modern",
        contestant="uv",
        filesystem="xfs",
        environments=2,
        own=10,
        after_each=(12, 13),
        second_after_model=4,
    )

    whole = joined([_run("warm ready"), replace(_run(filesystem="xfs"), disk=[there])])

    assert whole.disk == [there]
    assert whole.machine["filesystem"] == "ext4"


@pytest.mark.parametrize("other", [_run("lock", cpu="Another CPU"), _run("lock", filesystem="xfs"), _run("warm ready")])
def test_parts_that_do_not_belong_together(other: Results) -> None:
    with pytest.raises(SystemExit, match="These figures"):
        joined([_run("warm ready"), other])
