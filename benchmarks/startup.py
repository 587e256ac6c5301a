"""Measure how long the command line takes to start, next to Python itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import AGAIN, order
from benchmarks.results import Series

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.workshop import Workshop


def measure_startup(shop: Workshop, *, runs: int) -> list[Series]:
    """Return the series of two verbs and of a Python that does nothing, all from an empty folder."""
    nothing: list[str | Path] = [shop.python, "-c", "pass"]
    commands: dict[str, list[str | Path]] = {
        "python": nothing,
        "kerasenv --version": [shop.kerasenv, "--version"],
        "python" + AGAIN: nothing,
        "kerasenv list": [shop.kerasenv, "list"],
    }
    found = {name: Series(what="start-up", profile=None, contestant=name) for name in commands}
    for words in commands.values():
        shop.do(words, cwd=shop.empty)
    for number in range(runs):
        for name in order(list(commands), number):
            spent = shop.timed([shop.command(commands[name], cwd=shop.empty)])
            found[name].seconds.append(spent.seconds)
            found[name].cpu_seconds.append(spent.cpu_seconds)
    return list(found.values())
