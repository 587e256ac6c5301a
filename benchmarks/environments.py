"""Measure how long an environment takes until it is ready, and until a first model was run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contestants import FOR_COLD, MODEL, WAYS
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


def measure_environments(shop: Workshop, job: Job, temperature: str, *, runs: int, runs_slow: int) -> list[Series]:
    """Return the series of every contestant, with caches that are 'warm' or, each time anew, 'cold'."""
    found: dict[tuple[str, str], Series] = {}
    ways = WAYS if temperature == "warm" else FOR_COLD
    if temperature == "warm":
        for way in ways:
            _run(shop, job, way, shop.warm, found={})
    for number in range(max(runs, runs_slow)):
        for way in order(ways, number):
            if number < (runs_slow if way.slow else runs):
                caches = shop.warm if temperature == "warm" else shop.new_caches()
                _run(shop, job, way, caches, found=found)
    return [
        Series(
            what=f"{temperature} {one.what}",
            profile=job.profile,
            contestant=one.contestant,
            seconds=one.seconds,
            cpu_seconds=one.cpu_seconds,
            background_seconds=one.background_seconds,
            background_cpu_seconds=one.background_cpu_seconds,
        )
        for one in sorted(found.values(), key=lambda one: one.what, reverse=True)  # ready comes before model
    ]


def _run(shop: Workshop, job: Job, way: Way, caches: Caches, *, found: dict[tuple[str, str], Series]) -> None:
    """Make one environment, and write down how long it took."""
    if way.at_once:
        for words in way.commands(shop, job, shop.new_folder("environment")):
            shop.do(words, caches=caches)
    folder = shop.new_folder("environment")
    commands = [shop.command(words, caches=caches) for words in way.commands(shop, job, folder)]
    spent = shop.timed(commands, sync=not way.at_once)
    passed = [(way.comes_to, spent)]
    if way.runs_model_after:
        passed.append((MODEL, spent + run_model(job, folder, caches)))
    background = shop.settle(caches)
    for what, one in passed:
        key = (what, way.contestant)
        series = found.setdefault(key, Series(what=what, profile=job.profile, contestant=way.contestant))
        series.seconds.append(one.seconds)
        series.cpu_seconds.append(one.cpu_seconds)
        series.background_seconds.append(background.seconds)
        series.background_cpu_seconds.append(background.cpu_seconds)
    ready = "  ".join(f"{what} {one.seconds:.2f} s" for what, one in passed)
    print(f"    {way.contestant:<22} {ready}  background {background.seconds:.1f} s", flush=True)


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
