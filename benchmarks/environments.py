"""Measure how long an environment takes until it is ready, and until a first model was run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contestants import READY, WAYS
from benchmarks.figures import order
from benchmarks.results import Series
from benchmarks.stopwatch import timed
from kerasenv.env.variables import for_smoke
from kerasenv.smoke.run import run_smoke

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.contestants import Way
    from benchmarks.stopwatch import Spent
    from benchmarks.workshop import Caches, Job, Workshop


def measure_environments(
    shop: Workshop, job: Job, temperature: str, comes_to: str, *, runs: int, runs_slow: int
) -> list[Series]:
    """Return the series of every contestant, with caches that are 'warm' or, each time anew, 'cold'.

    What comes to a model has rounds of its own: what a minute of training leaves of the system's memory would decide
    how long the next environment takes.
    """
    ways = [way for way in WAYS[comes_to] if temperature == "warm" or not way.at_once]
    if (temperature, comes_to) == ("warm", READY):  # which makes the caches warm
        for way in ways:
            _run(shop, job, way, shop.warm)
    found = [Series(what=f"{temperature} {comes_to}", profile=job.profile, contestant=way.contestant) for way in ways]
    pairs = tuple(zip(ways, found, strict=True))
    for number in range(max(runs, runs_slow)):
        for way, series in order(pairs, number):
            if number < (runs_slow if way.slow else runs):
                caches = shop.warm if temperature == "warm" else shop.new_caches()
                _write_down(series, *_run(shop, job, way, caches))
    return found


def _run(shop: Workshop, job: Job, way: Way, caches: Caches) -> tuple[Spent, Spent]:
    """Make one environment, and return what that took, and what it took in the background afterwards."""
    if way.at_once:
        for words in way.commands(shop, job, shop.new_folder("environment")):
            shop.do(words, caches=caches)
    folder = shop.new_folder("environment")
    commands = [shop.command(words, caches=caches) for words in way.commands(shop, job, folder)]
    spent = shop.timed(commands, sync=not way.at_once)
    if way.runs_model_after:
        spent += run_model(job, folder, caches)
    background = shop.settle(caches)
    told = f"{spent.seconds:.2f} s  background {background.seconds:.1f} s"
    print(f"    {way.contestant:<22} {way.comes_to} {told}", flush=True)
    return spent, background


def _write_down(series: Series, spent: Spent, background: Spent) -> None:
    series.seconds.append(spent.seconds)
    series.cpu_seconds.append(spent.cpu_seconds)
    series.background_seconds.append(background.seconds)
    series.background_cpu_seconds.append(background.cpu_seconds)


def run_model(job: Job, folder: Path, caches: Caches) -> Spent:
    """Run kerasenv's smoke test in an environment that may be anyone's, and tell what that took.

    It has the variables that it would have in an environment of kerasenv's.
    """
    model = job.model
    variables = {name: value.replace(str(model.folder), str(folder)) for name, value in model.receipt.variables.items()}
    environ = for_smoke(caches.environ(), folder, variables)

    def smoke() -> None:
        result = run_smoke(folder / "bin" / "python", model.plan, environ=environ, noise=model.noise)
        if not result.passed:
            raise SystemExit(f"The model of {job.profile} failed at {result.failed_step}: {result.error}")

    return timed(smoke)
