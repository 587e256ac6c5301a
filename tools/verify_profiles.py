"""Build shipped profiles from their pins for real, run their models, and keep what came out as evidence.

    python tools/verify_profiles.py                       every profile on every Python of this machine that it is for
    python tools/verify_profiles.py theano-legacy         one of them
    python tools/verify_profiles.py --newest --full       each on its newest Python here, with the trial of its era

Each run begins with an empty home and an empty cache, and with --rebuild it is done once more from the lock alone.
As many go at the same time as processors and memory allow. A run that fails takes the evidence of the same profile,
variant, platform and Python away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any

from packaging.specifiers import SpecifierSet

from kerasenv import process
from kerasenv.interpreters.find import find_all
from kerasenv.interpreters.finders import pyenv
from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.profiles.evidence import FILE, Evidence, pins_digest
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import list_profiles
from kerasenv.resources import shipped_profiles

# What importing and training takes at most, next to the files of its packages that the system keeps in memory
GIGABYTES_EACH = 3
CHECKOUT = Path(__file__).resolve().parent.parent
_writing = Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One profile on one Python, and what is to be done with it."""

    profile: Profile
    variant: str | None
    interpreter: Interpreter
    full: bool
    rebuild: bool

    @property
    def title(self) -> str:
        """Return how it is called in the table."""
        name = f"{self.profile.name} ({self.variant})" if self.variant else self.profile.name
        return f"{name:<28} {self.interpreter.version!s:<8}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """How a run came out: the seconds of each thing that was done, and what went wrong, if anything did."""

    run: Run
    seconds: dict[str, float]
    unknown: tuple[str, ...]
    """What was said that the profile doesn't know."""
    evidence: Evidence | None
    error: str | None

    def __str__(self) -> str:
        cells = (f"{self.seconds[what]:.0f} s" if what in self.seconds else "-" for what in COLUMNS)
        verdict = "passed" if self.error is None else f"FAILED: {self.error}"
        line = f"{self.run.title}  {'  '.join(f'{cell:>7}' for cell in cells)}  {verdict}"
        return "\n".join((line, *(f"    not known to the profile: {said}" for said in self.unknown)))


COLUMNS = ("create", "model", "trial", "rebuild")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--variant", help="a variant of the named profiles, not the profiles themselves")
    parser.add_argument("--newest", action="store_true", help="only the newest Python here that a profile is for")
    parser.add_argument("--full", action="store_true", help="the trial of the era as well")
    parser.add_argument("--rebuild", action="store_true", help="once more, from the lock alone")
    parser.add_argument("--jobs", type=int, default=_jobs(), help="how many at the same time (here: %(default)s)")
    options = parser.parse_args()
    known = {profile.name for profile in list_profiles(cwd=shipped_profiles()).profiles}
    if unknown := sorted(set(options.names) - known):
        parser.error(f"no such profiles: {', '.join(unknown)}")
    runs = _runs(options)
    print(f"{'profile':<28} {'CPython':<8}  {'  '.join(f'{column:>7}' for column in COLUMNS)}", flush=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        came = list(pool.map(_verified, runs))
    failed = [one for one in came if one.error is not None]
    print(f"{len(came) - len(failed)} of {len(came)} passed", *failed, sep="\n")
    return int(bool(failed) or not came)


def _jobs() -> int:
    """Return how many environments can train at the same time; where the memory can't be told, one."""
    try:
        told = dict(line.split(":") for line in Path("/proc/meminfo").read_text("utf-8").splitlines())
    except OSError:  # Windows, macOS
        return 1
    gigabytes = int(told["MemAvailable"].split()[0]) / 2**20
    return max(1, min(os.cpu_count() or 1, int(gigabytes / GIGABYTES_EACH)))


def _runs(options: argparse.Namespace) -> list[Run]:
    here = {interpreter.minor: interpreter for interpreter in reversed(find_all(SpecifierSet()))}
    newest_first = sorted(here.values(), key=lambda interpreter: interpreter.version, reverse=True)
    runs = []
    for profile in list_profiles(cwd=shipped_profiles()).profiles:
        if options.names and profile.name not in options.names:
            continue
        if options.variant and options.variant not in profile.variants:
            continue
        chosen = variant_of(profile, options.variant) if options.variant else profile
        fitting = [
            one
            for one in newest_first
            if chosen.requires_python.contains(one.version) and one.platform and one.platform.name in chosen.platforms
        ]
        runs += [
            Run(
                profile=chosen,
                variant=options.variant,
                interpreter=interpreter,
                full=options.full,
                rebuild=options.rebuild,
            )
            for interpreter in (fitting[:1] if options.newest else fitting)
        ]
    return runs


def _verified(run: Run) -> Came:
    came = _came(run)
    with _writing:
        _keep(came)
        print(came, flush=True)
    return came


def _came(run: Run) -> Came:
    """Do all that is asked for, up to what fails."""
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="kerasenv-verify-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environ = _fresh(folder / "home")
        python = ("--python", str(run.interpreter.path))
        variant = ("--variant", run.variant) if run.variant else ()
        steps: list[tuple[str, tuple[str, ...]]] = [("create", ("create", run.profile.name, "env", *python, *variant))]
        if run.full:
            steps.append(("trial", ("smoke", "env", "--full")))
        if run.rebuild:
            lock = f"pylock.{run.profile.name}.toml"
            steps.append(("rebuild", ("rebuild", lock, "again", *python)))
        smoke: dict[str, Any] = {}
        unknown: tuple[str, ...] = ()
        for what, words in steps:
            began = time.perf_counter()
            envelope = _kerasenv(words, cwd=folder, environ=environ if what != "rebuild" else _fresh(folder / "other"))
            seconds[what] = time.perf_counter() - began
            if envelope["error"]:
                error = envelope["error"]["message"]
                return Came(run=run, seconds=seconds, unknown=unknown, evidence=None, error=error)
            if what == "create":
                smoke = envelope["data"]["smoke"]
                seconds["model"] = smoke["seconds"]
                unknown += tuple(smoke["unknown"])
            if what == "trial":
                unknown += tuple(envelope["data"]["full"]["unknown"])
    return Came(run=run, seconds=seconds, unknown=unknown, evidence=_evidence(run, smoke, seconds), error=None)


def _fresh(home: Path) -> dict[str, str]:
    """Return variables with which nothing that was ever downloaded or made is found."""
    names = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
    return {
        **os.environ,
        **{name: str(home / name.lower()) for name in names},
        "UV_CACHE_DIR": str(home / "uv"),
        "PYENV_ROOT": str(pyenv.root()),
        "PYTHONPATH": str(CHECKOUT),
    }


def _kerasenv(words: tuple[str, ...], *, cwd: Path, environ: dict[str, str]) -> Any:
    answer = process.run(
        [sys.executable, "-m", "kerasenv", *words, "--json", "--quiet"],
        cwd=cwd,
        environ=environ,
    )
    try:
        return json.loads(answer.stdout)
    except ValueError:  # killed, for want of memory as a rule
        said = f"kerasenv ended with {answer.returncode}: {' / '.join(answer.last_lines(3))}"
        return {"data": None, "error": {"message": said}}


def _evidence(run: Run, smoke: dict[str, Any], seconds: dict[str, float]) -> Evidence:
    platform = run.interpreter.platform
    return Evidence(
        profile=run.profile.name,
        variant=run.variant,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        platform=platform.name if platform else "unknown",
        python=str(run.interpreter.version),
        seconds=round(smoke["seconds"], 1),
        steps={step["name"]: round(step["seconds"], 1) for step in smoke["steps"]},
        trial=round(seconds["trial"], 1) if run.full else None,
        rebuilt=run.rebuild,
        versions=smoke["versions"],
        pins=pins_digest(run.profile.name, run.variant) or "",
    )


def _keep(came: Came) -> None:
    run = came.run
    place = shipped_profiles() / FILE
    rows = json.loads(place.read_text("utf-8")) if place.is_file() else []
    platform = run.interpreter.platform
    same = (run.profile.name, run.variant, platform.name if platform else "unknown", str(run.interpreter.version))
    before = [row for row in rows if (row["profile"], row["variant"], row["platform"], row["python"]) == same]
    rows = [row for row in rows if (row["profile"], row["variant"], row["platform"], row["python"]) != same]
    if came.evidence is not None:
        rows.append(_with_what_was_done_before(asdict(came.evidence), before))
    rows.sort(key=_place_of)
    unfinished = place.with_suffix(".tmp")
    unfinished.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8", newline="\n")
    unfinished.replace(place)


def _with_what_was_done_before(row: dict[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a row that keeps the trial and the rebuild of an earlier run with the same pins."""
    for old in before:
        if old["pins"] == row["pins"]:
            trial = old.get("trial") if row["trial"] is None else row["trial"]
            row |= {"trial": trial, "rebuilt": row["rebuilt"] or old.get("rebuilt", False)}
    return row


def _place_of(row: dict[str, Any]) -> tuple[str, str, str, list[int]]:
    return row["profile"], row["variant"] or "", row["platform"], [int(part) for part in row["python"].split(".")]


if __name__ == "__main__":
    sys.exit(main())
