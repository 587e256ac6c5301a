"""Measure kerasenv beside what one would take instead, in one run and on one machine.

    python benchmarks/run.py --out results.json              everything: hours, and tens of gigabytes
    python benchmarks/run.py --only warm,start-up --runs 3   some of it
    python benchmarks/run.py --show results.json             the tables of an earlier run
    python benchmarks/run.py --publish results.json          the page of the documentation from an earlier run

The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the checkout; this folder itself is not one to import from

from benchmarks.contestants import MODEL, READY  # noqa: E402
from benchmarks.disk import measure_disk  # noqa: E402
from benchmarks.environments import measure_environments  # noqa: E402
from benchmarks.locks import measure_locks  # noqa: E402
from benchmarks.machine import machine_facts  # noqa: E402
from benchmarks.publish import publish  # noqa: E402
from benchmarks.results import Results, read_results, write_results  # noqa: E402
from benchmarks.startup import measure_startup  # noqa: E402
from benchmarks.stopwatch import adopt_orphans, wait_for_orphans  # noqa: E402
from benchmarks.table import report  # noqa: E402
from benchmarks.workshop import Job, Workshop  # noqa: E402

PROFILES = ("tf2-modern", "tf1-legacy-standalone", "theano-legacy")
PARTS = ("start-up", "lock", "warm", "cold", "disk")
STEPS = (
    ("warm", READY),
    ("warm", MODEL),
    ("cold", READY),
    ("cold", MODEL),
    ("disk",),
    ("lock",),
)


def main() -> int:
    """Do what the command line asks for."""
    options = _options()
    if options.show:
        print(report(read_results(options.show)))
        return 0
    if options.publish:
        publish(options.publish)
        return 0
    for place in (options.work, options.out and options.out.parent):
        if place:
            place.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    # Whoever ends it gets the disk back
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="kerasenv-benchmark-", dir=options.work)).resolve()
    try:
        results = _measure(Workshop(folder, room=options.room), options)
    finally:
        print("removing what was made", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        wait_for_orphans()  # one that was writing there when its parent was ended
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{report(results)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_parts, default=PARTS, help=f"some of: {','.join(PARTS)}")
    parser.add_argument("--profiles", type=_names, default=PROFILES, help=f"here: {','.join(PROFILES)}")
    parser.add_argument("--runs", type=int, default=7, help="how often each is measured (here: %(default)s)")
    parser.add_argument(
        "--runs-slow", type=int, default=3, help="how often pip is, a slow model, and all with empty caches"
    )
    parser.add_argument("--runs-startup", type=int, default=31, help="how often a start is (here: %(default)s)")
    parser.add_argument("--environments", type=int, default=10, help="how many are counted on disk")
    parser.add_argument("--work", type=Path, help="where to work: the disk that is measured (a temporary folder)")
    parser.add_argument("--room", type=float, default=40, help="GiB that must be free before a series (%(default)s)")
    parser.add_argument("--out", type=Path, help="where to write the figures, as JSON")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print the tables of these figures")
    parser.add_argument(
        "--publish", type=Path, nargs="+", metavar="FILE", help="make the documentation's page of these"
    )
    options = parser.parse_args()
    if min(options.runs, options.runs_slow, options.runs_startup) < 1 or options.environments < 2:  # noqa: PLR2004
        parser.error("at least one run, and two environments")
    return options


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _parts(text: str) -> tuple[str, ...]:
    unknown = set(_names(text)) - set(PARTS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no such parts: {', '.join(sorted(unknown))}")
    return _names(text)


def _measure(shop: Workshop, options: argparse.Namespace) -> Results:
    facts = machine_facts(shop.folder)
    _tell("installing kerasenv")
    shop.install()
    _tell("locks, and a first environment of each")
    jobs = [shop.job(profile) for profile in options.profiles]
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=facts | _versions(shop, jobs),
        settings={name: getattr(options, name) for name in ("runs", "runs_slow", "runs_startup", "environments")},
        pythons={job.profile: job.model.receipt.python_version for job in jobs},
    )
    if "start-up" in options.only:
        _tell("start-up")
        results.series += measure_startup(shop, runs=options.runs_startup)
    for step in STEPS:
        for job in jobs if step[0] in options.only else ():
            shop.make_room(keep=tuple(one.model.folder for one in jobs))
            _tell(" ".join((*step, job.profile)))
            _measure_step(step, shop, job, results, options)
            if options.out:  # what was measured stays, whatever comes
                write_results(results, options.out)
    if options.out:
        write_results(results, options.out)
    return results


def _measure_step(
    step: tuple[str, ...], shop: Workshop, job: Job, results: Results, options: argparse.Namespace
) -> None:
    slow = options.runs_slow
    if step == ("lock",):
        results.series += measure_locks(shop, job, runs=slow, runs_slow=1)
    elif step == ("disk",):
        results.disk += measure_disk(shop, job, environments=options.environments)
    else:
        part, comes_to = step
        runs = options.runs if part == "warm" else slow
        if comes_to == MODEL and job.is_slow:
            runs = slow if part == "warm" else 1
        results.series += measure_environments(shop, job, part, comes_to, runs=runs, runs_slow=min(runs, slow))


def _versions(shop: Workshop, jobs: list[Job]) -> dict[str, str]:
    def said(*words: str | Path) -> str:
        answer = subprocess.run(
            [str(word) for word in words], env=shop.warm.environ(), capture_output=True, text=True, check=True
        )
        return answer.stdout.split()[1]

    # Each Python brings its own pip along
    pips = dict.fromkeys(f"{said(job.python, '-m', 'pip', '--version')} ({job.profile})" for job in jobs)
    return {
        "kerasenv": said(shop.kerasenv, "--version"),
        "python": platform.python_version(),
        "uv": said(shop.uv, "--version"),
        "pip": ", ".join(pips),
    }


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
