"""Measure how long it takes to choose versions, with hashes, for what a profile asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figures import AGAIN, order
from benchmarks.results import Series
from kerasenv.lock.cells import pythons_of
from kerasenv.lock.lockfile import default_name
from kerasenv.profiles.search import find_profile
from kerasenv.resources import shipped_profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.workshop import Job, Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class Locker:
    """A way to choose versions; its words write into a folder."""

    contestant: str
    words: Callable[[Path], list[str | Path]]
    slow: bool = False


def measure_locks(shop: Workshop, job: Job, *, runs: int, runs_slow: int) -> list[Series]:
    """Return the series of each contestant, all of which have asked the index once before."""
    lockers = _lockers(shop, job)
    found = {one.contestant: Series(what="lock", profile=job.profile, contestant=one.contestant) for one in lockers}
    for locker in lockers:
        shop.do(locker.words(_folder(shop)))
    for number in range(max(runs, runs_slow)):
        for locker in order(lockers, number):
            if number >= (runs_slow if locker.slow else runs):
                continue
            # A new folder each time: what an older lock holds would be taken again
            spent = shop.timed([shop.command(locker.words(_folder(shop)))])
            shop.settle()
            found[locker.contestant].seconds.append(spent.seconds)
            found[locker.contestant].cpu_seconds.append(spent.cpu_seconds)
            print(f"    {locker.contestant:<22} {spent.seconds:.2f} s", flush=True)
    return list(found.values())


def _lockers(shop: Workshop, job: Job) -> list[Locker]:
    profile = find_profile(job.profile, cwd=shipped_profiles())
    asked = shop.new_folder("asked")
    asked.mkdir()
    constraints = asked / "constraints.txt"
    constraints.write_text("".join(f"{one.requirement}\n" for one in profile.constraints), encoding="utf-8")
    wanted = asked / "requirements.in"
    lines = [f"-c {constraints}", *map(str, profile.requirements)]
    wanted.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    oldest = pythons_of(profile.requires_python)[0]
    pip_compile = _pip_compile(shop, job)

    def kerasenv(folder: Path) -> list[str | Path]:
        return [shop.kerasenv, "lock", job.profile, "--upgrade", "--lock", folder / default_name(job.profile)]

    def uv(folder: Path, *options: str) -> list[str | Path]:
        words: list[str | Path] = [shop.uv, "pip", "compile", "--no-config", "--generate-hashes"]
        return [*words, *options, "--python", job.python, "--output-file", folder / "locked.txt", wanted]

    def uv_universal(folder: Path) -> list[str | Path]:
        return uv(folder, "--universal", "--python-version", oldest)

    def pip_tools(folder: Path) -> list[str | Path]:
        # What pip-tools did before its version 7 if not told otherwise is no longer in pip
        words: list[str | Path] = [pip_compile, "--resolver=backtracking", "--generate-hashes"]
        return [*words, "--output-file", folder / "locked.txt", wanted]

    return [
        Locker(contestant="kerasenv", words=kerasenv),
        Locker(contestant="uv", words=uv_universal),
        Locker(contestant="uv" + AGAIN, words=uv_universal),
        Locker(contestant="uv, one Python", words=uv),
        Locker(contestant="pip-compile, one Python", words=pip_tools, slow=True),
    ]


def _pip_compile(shop: Workshop, job: Job) -> Path:
    """Install pip-tools for the Python that it is to choose for, since it can choose for no other one."""
    folder = shop.new_folder("pip-tools")
    python = folder / "bin" / "python"
    shop.do([job.python, "-m", "venv", folder])
    shop.do([python, "-m", "pip", "install", "--quiet", "--upgrade", "pip", "pip-tools"])
    return folder / "bin" / "pip-compile"


def _folder(shop: Workshop) -> Path:
    folder = shop.new_folder("lock")
    folder.mkdir()
    return folder
