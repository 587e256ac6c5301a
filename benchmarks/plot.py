"""Draw how long each contestant takes; needs matplotlib, of the dependency group `bench`."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.results import TEMPERATURES

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.results import Results

_DRAWN = ("kerasenv", "uv", "uv --compile-bytecode", "pip")
_READY = "#30628a"
_READY_OURS = "#b04a1f"
_MODEL = "#a9c4d9"
_MODEL_OURS = "#eab696"


def draw(results: Results, place: Path) -> None:
    """Write an SVG: for each profile, with empty and with warm caches, a bar for each contestant."""
    import matplotlib as mpl  # noqa: PLC0415  # only who publishes needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    temperatures = [one for one in TEMPERATURES if any(series.what == f"{one} ready" for series in results.series)]
    if not temperatures:
        return
    # The same figures give the same file: no date, no random names; and text stays text
    with mpl.rc_context({"svg.hashsalt": "kerasenv", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(1.8 + 2.6 * len(results.profiles), 2.3 * len(temperatures)), layout="constrained")
        axes = figure.subplots(len(temperatures), len(results.profiles), squeeze=False)
        for row, temperature in zip(axes, temperatures, strict=True):
            for column, (ax, profile) in enumerate(zip(row, results.profiles, strict=True)):
                _draw_one(ax, results, temperature, profile, named=column == 0)
        place.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(place, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})


def _draw_one(ax: Any, results: Results, temperature: str, profile: str, *, named: bool) -> None:
    """Draw the time until an environment is ready dark, and what its first model takes besides in a light colour."""
    ready = [one for one in results.of(f"{temperature} ready", profile) if one.contestant in _DRAWN]
    names = [one.contestant for one in ready]
    for position, one in enumerate(ready):
        ours = one.contestant == "kerasenv"
        until_ready = median(one.seconds)
        ax.barh(position, until_ready, color=_READY_OURS if ours else _READY, height=0.7)
        model = results.find(f"{temperature} model", profile, one.contestant)
        if model is None:
            continue
        middle = median(model.seconds)
        ax.barh(
            position,
            max(middle - until_ready, 0),
            left=until_ready,
            color=_MODEL_OURS if ours else _MODEL,
            height=0.7,
        )
        ends = [[middle - min(model.seconds)], [max(model.seconds) - middle]]
        ax.errorbar(middle, position, xerr=ends, color="black", linewidth=0.8, capsize=2)
    ax.set_yticks(range(len(names)), names if named else [""] * len(names))
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.set_title(f"{profile}\ncaches {'empty' if temperature == 'cold' else 'warm'}", fontsize=9)
    ax.set_xlabel("seconds")
    ax.spines[["top", "right"]].set_visible(False)
