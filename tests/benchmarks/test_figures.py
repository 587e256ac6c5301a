from __future__ import annotations

import pytest

from benchmarks.figures import Verdict, chance, order, percent_of_second, ratio, spread, verdicts
from benchmarks.results import Disk, Results, Series


def series(what: str, contestant: str, *seconds: float, profile: str | None = "tf2-modern") -> Series:
    return Series(what=what, profile=profile, contestant=contestant, seconds=list(seconds))


def results(*found: Series, disk: tuple[Disk, ...] = ()) -> Results:
    return Results(
        date="2030-01-01",
        machine={},
        settings={},
        pythons={"tf2-modern": "3.11.7"},
        series=list(found),
        disk=list(disk),
    )


def disk(contestant: str = "kerasenv", *, second: int = 10) -> Disk:
    return Disk(
        profile="tf2-modern",
        contestant=contestant,
        filesystem="ext4",
        environments=3,
        own=1000,
        after_each=(1500, 1500 + second, 1500 + 2 * second),
        second_after_model=second,
    )


def test_a_ratio_is_one_of_medians_not_of_means() -> None:
    assert ratio(series("lock", "kerasenv", 1, 2, 90), series("lock", "uv", 4, 4, 4)) == 0.5


def test_the_median_of_an_even_number_lies_between() -> None:
    assert ratio(series("lock", "kerasenv", 1, 3), series("lock", "uv", 1)) == 2


def test_there_is_no_ratio_to_what_was_not_measured() -> None:
    assert ratio(series("lock", "kerasenv", 1), None) is None
    assert ratio(series("lock", "kerasenv"), series("lock", "uv", 1)) is None


def test_the_spread_is_in_parts_of_the_median() -> None:
    assert spread([2.0, 3.0, 4.0]) == pytest.approx(2 / 3)


def test_chance_is_the_ratio_of_two_equal_commands() -> None:
    found = results(series("warm ready", "uv", 2), series("warm ready", "uv again", 2.2))

    assert chance(found, "warm ready", "tf2-modern") == pytest.approx(1.1)
    assert chance(found, "cold ready", "tf2-modern") is None


def test_the_order_turns_round_each_time() -> None:
    assert [order("abc", number) for number in range(3)] == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]


def test_a_second_environment_is_compared_with_the_first_one_alone() -> None:
    assert percent_of_second(disk(second=15)) == 1.5


def test_goals_are_told_for_what_was_measured_and_no_more() -> None:
    found = results(
        series("warm ready", "kerasenv", 0.5),
        series("warm ready", "uv", 1.0),
        series("warm ready", "uv again", 1.1),
        series("start-up", "kerasenv --version", 0.07, profile=None),
        series("start-up", "python", 0.01, profile=None),
        disk=(disk(second=30), disk("uv")),
    )

    ready, version, second = verdicts(found)

    assert (ready.profile, ready.reached, ready.met) == ("tf2-modern", 0.5, True)
    assert ready.chance == pytest.approx(1.1)
    assert version.reached == pytest.approx(7)
    assert (version.profile, version.met) == (None, False)
    assert (second.reached, second.unit, second.met) == (3.0, " %", False)


def test_what_is_just_reached_is_met() -> None:
    assert Verdict(name="", profile=None, reached=2.0, limit=2.0, unit="", chance=None).met
