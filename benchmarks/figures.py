"""Arithmetic on what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.results import Disk, Results, Series

BASELINES = {"start-up": "python"}
"""With whom the others are compared; where nothing is said, with uv."""
AGAIN = " again"
"""Ends the name of a contestant that is the same command as another one: how far these two differ is chance."""

T = TypeVar("T")


def baseline_of(what: str) -> str:
    """Return the contestant with whom the others are compared."""
    return BASELINES.get(what, "uv")


def ratio(above: Series | None, below: Series | None) -> float | None:
    """Return how many times longer one took than the other, by their medians; None if one wasn't measured."""
    if above is None or below is None or not above.seconds or not below.seconds:
        return None
    return median(above.seconds) / median(below.seconds)


def spread(seconds: Sequence[float]) -> float:
    """Return how far the fastest and the slowest are apart, in parts of the median."""
    return (max(seconds) - min(seconds)) / median(seconds)


def chance(results: Results, what: str, profile: str | None) -> float | None:
    """Return the ratio of two contestants that are the same command; without any chance it would be 1."""
    name = baseline_of(what)
    return ratio(results.find(what, profile, name + AGAIN), results.find(what, profile, name))


def order(contestants: Sequence[T], round_number: int) -> list[T]:
    """Return who comes when: in each round the other way round, so that nobody is always first."""
    return list(contestants) if round_number % 2 == 0 else list(reversed(contestants))


def percent_of_second(disk: Disk) -> float:
    """Return what a second environment adds, in percent of the first one."""
    return 100 * disk.second / disk.own


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What is to be reached: one series at most so many times another."""

    name: str
    what: str
    contestant: str
    limit: float


GOALS = (
    Goal(name="ready, caches warm", what="warm ready", contestant="kerasenv", limit=0.7),
    Goal(name="ready and first model, caches warm", what="warm model", contestant="kerasenv", limit=0.45),
    Goal(name="ready, caches empty", what="cold ready", contestant="kerasenv", limit=1.05),
    Goal(name="`kerasenv --version`", what="start-up", contestant="kerasenv --version", limit=6),
    Goal(name="`kerasenv list`", what="start-up", contestant="kerasenv list", limit=9),
)
SECOND_PERCENT = 2.0
"""What a second environment may add on disk, in percent of the first one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A goal, what came out, and what two equal commands differ by."""

    name: str
    profile: str | None
    reached: float
    limit: float
    unit: str
    chance: float | None

    @property
    def met(self) -> bool:
        """Say whether the goal was met."""
        return self.reached <= self.limit


def verdicts(results: Results) -> list[Verdict]:
    """Return what came out of every goal for which there are figures."""
    found = []
    for goal in GOALS:
        for profile in [None] if goal.what == "start-up" else results.profiles:
            other = baseline_of(goal.what)
            reached = ratio(results.find(goal.what, profile, goal.contestant), results.find(goal.what, profile, other))
            if reached is not None:
                by_chance = chance(results, goal.what, profile)
                found.append(
                    Verdict(
                        name=f"{goal.name}: times {other}",
                        profile=profile,
                        reached=reached,
                        limit=goal.limit,
                        unit="",
                        chance=by_chance,
                    )
                )
    found += [
        Verdict(
            name=f"second environment on disk, {disk.filesystem}",
            profile=disk.profile,
            reached=percent_of_second(disk),
            limit=SECOND_PERCENT,
            unit=" %",
            chance=None,
        )
        for disk in results.disk
        if disk.contestant == "kerasenv"
    ]
    return found
