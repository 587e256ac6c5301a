"""What a run writes down: every single figure, from which all that is told of it follows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 2
TEMPERATURES = ("cold", "warm")
_AND = " and "
_THE_SAME = frozenset({"system", "architecture", "cpu", "cores", "filesystem", "kerasenv", "python", "uv"})


@dataclass(kw_only=True, slots=True)
class Series:
    """The same thing done by the same contestant again and again; one number in each list for each time."""

    what: str
    """'warm ready', 'warm model', 'cold ready', 'cold model', 'lock' or 'start-up'."""
    profile: str | None
    contestant: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """Of the command and all that it waited for."""
    background_seconds: list[float] = field(default_factory=list)
    """For how long something was still at work after the command had ended."""
    background_cpu_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """What environments of one lock take on disk, in bytes."""

    profile: str
    contestant: str
    filesystem: str
    environments: int
    own: int
    """The first environment by itself, with what it shares with a cache."""
    after_each: tuple[int, ...]
    """All environments and caches together, after each environment."""
    second_after_model: int
    """What the second environment added, after a model was run in the first and then in the second."""

    @property
    def second(self) -> int:
        """Return what the second environment added."""
        return self.after_each[1] - self.after_each[0]


@dataclass(kw_only=True, slots=True)
class Results:
    """A run: on which machine, and what came out."""

    date: str
    machine: dict[str, Any]
    settings: dict[str, Any]
    pythons: dict[str, str] = field(default_factory=dict)
    """The version of CPython that each profile's environments have, which kerasenv chose and the others were given."""
    series: list[Series] = field(default_factory=list)
    disk: list[Disk] = field(default_factory=list)

    @property
    def profiles(self) -> list[str]:
        """Return the profiles in their order."""
        return list(self.pythons)

    def find(self, what: str, profile: str | None, contestant: str) -> Series | None:
        """Return one series, None if it wasn't measured."""
        wanted = (what, profile, contestant)
        return next((one for one in self.series if (one.what, one.profile, one.contestant) == wanted), None)

    def of(self, what: str, profile: str | None) -> list[Series]:
        """Return all contestants of one comparison."""
        return [one for one in self.series if (one.what, one.profile) == (what, profile)]


def write_results(results: Results, place: Path) -> None:
    """Replace the file as a whole."""
    table = {"format": FORMAT, **_rounded(asdict(results))}
    unfinished = place.with_name(f"{place.name}.new")
    unfinished.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8", newline="\n")
    unfinished.replace(place)


def read_results(place: Path) -> Results:
    """Return what `write_results` wrote."""
    table = json.loads(place.read_text("utf-8"))
    if table.pop("format") != FORMAT:
        raise SystemExit(f"{place} is of another format than {FORMAT}: run the benchmark anew.")
    series = [Series(**row) for row in table.pop("series")]
    disk = [Disk(**{**row, "after_each": tuple(row["after_each"])}) for row in table.pop("disk")]
    return Results(**table, series=series, disk=disk)


def joined(runs: list[Results]) -> Results:
    """Return the parts of several runs on one machine as one; the first says how often all was measured.

    What is compared stays together: a part is of one run alone. What takes how much of a disk can be of several ones.
    """
    first = runs[0]
    for one in runs[1:]:
        same = _THE_SAME if one.series else _THE_SAME - {"filesystem"}
        if any(one.machine.get(name) != first.machine.get(name) for name in same):
            raise SystemExit("These figures are of different machines or versions.")
        if {(row.what, row.profile) for row in one.series} & {(row.what, row.profile) for row in first.series}:
            raise SystemExit("These figures have the same part twice: name only one of them.")
        pythons = first.pythons | one.pythons
        series, disk = [*first.series, *one.series], [*first.disk, *one.disk]
        days = {*first.date.split(_AND), one.date}
        first = replace(first, date=_AND.join(sorted(days)), pythons=pythons, series=series, disk=disk)
    return first


def _rounded(value: Any) -> Any:
    """Return the same with no more digits than a clock can tell."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value
