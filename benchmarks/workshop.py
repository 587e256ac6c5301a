"""Where a run works: a kerasenv of its own, caches of its own, and a new folder for whatever is made."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.stopwatch import Command, Spent, run, timed, wait_for_background
from kerasenv.env.environment import Environment, open_environment
from kerasenv.lock.lockfile import default_name

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[1]
# ext4 doesn't use the number of a file again that was deleted less than so many seconds ago, and looking for another
# one makes each new file take longer: nothing is deleted while anything is measured.
_SECONDS_UNTIL_FORGOTTEN = 310
_CACHES = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "UV_CACHE_DIR", "PIP_CACHE_DIR")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caches:
    """Folders that hold whatever a tool keeps for the next time."""

    folder: Path

    def environ(self) -> dict[str, str]:
        """Return the machine's variables with these caches, and without what is of Python's alone.

        PYTHONDONTWRITEBYTECODE, for one, would make the second start of everything as slow as the first.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return kept | {name: str(self.folder / name.lower()) for name in _CACHES}


SLOW_MODEL = 20
"""In seconds, in a new environment and with nothing kept of earlier ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A profile with its lock, in the two forms that the contestants read, and the environment to go by."""

    profile: str
    lock: Path
    requirements: Path
    model: Environment
    """An environment that kerasenv made: which Python it took, which variables it has, what its smoke test does."""

    @property
    def python(self) -> str:
        """Return the interpreter that all environments are made with."""
        return self.model.receipt.python_path

    @property
    def is_slow(self) -> bool:
        """Say whether its first model took so long that it is not run as often as the others."""
        smoke = self.model.receipt.smoke
        return smoke is not None and smoke["seconds"] > SLOW_MODEL


class Workshop:
    """The folder of a run, and how things are done in it."""

    def __init__(self, folder: Path, *, room: float) -> None:
        self.folder = folder
        self._room = room * 2**30
        self._numbers: Iterator[int] = count(1)
        self.locks = self._made("locks")
        self.empty = self._made("empty")
        self.warm = Caches(folder=self._made("warm"))
        self._log = folder / "log"
        self._bin = folder / "installed" / "bin"

    @property
    def kerasenv(self) -> Path:
        """Return the program that is measured, as it is installed."""
        return self._bin / "kerasenv"

    @property
    def uv(self) -> Path:
        """Return the uv that was installed with kerasenv: both sides use the same one."""
        return self._bin / "uv"

    @property
    def python(self) -> Path:
        """Return the Python that kerasenv runs on."""
        return self._bin / "python"

    def install(self) -> None:
        """Install this checkout as a user would, not as a developer."""
        self.do([sys.executable, "-m", "venv", self._bin.parent])
        self.do([self.python, "-m", "pip", "install", "--quiet", CHECKOUT])

    def job(self, profile: str) -> Job:
        """Lock a profile and make a first environment of it, which is not measured."""
        lock = self.locks / default_name(profile)
        requirements = self.locks / f"{profile}.txt"
        model = self.new_folder("model")
        self.do([self.kerasenv, "lock", profile])
        self.do([self.kerasenv, "export", "requirements", lock, "--output", requirements])
        self.do([self.kerasenv, "create", profile, model])
        self.settle()
        return Job(profile=profile, lock=lock, requirements=requirements, model=open_environment(model))

    def new_folder(self, what: str) -> Path:
        """Return a folder that is not there yet, and that nothing was ever called like."""
        return self._made("made") / f"{what}-{next(self._numbers)}"

    def new_caches(self) -> Caches:
        """Return caches that hold nothing."""
        folder = self.new_folder("caches")
        folder.mkdir()
        return Caches(folder=folder)

    def command(self, words: list[str | Path], *, caches: Caches | None = None, cwd: Path | None = None) -> Command:
        """Return a command that stands among the locks, with the caches that are warm unless others are given."""
        return Command(words=words, environ=(caches or self.warm).environ(), cwd=cwd or self.locks)

    def do(self, words: list[str | Path], *, caches: Caches | None = None, cwd: Path | None = None) -> None:
        """Run a command that is not measured."""
        run(self.command(words, caches=caches, cwd=cwd), self._log)

    def timed(self, commands: list[Command], *, sync: bool = True) -> Spent:
        """Run commands one after another and tell what they took, once all that was written before is on the disk."""

        def work() -> None:
            for command in commands:
                run(command, self._log)

        if sync:
            os.sync()
        return timed(work)

    def settle(self, caches: Caches | None = None) -> Spent:
        """Wait until nothing is at work in the background."""
        return wait_for_background(self.command([self.kerasenv, "store", "info", "--json"], caches=caches))

    def make_room(self, *, keep: tuple[Path, ...]) -> None:
        """Remove what is no longer needed if the disk gets full, and wait until the file system has forgotten it."""
        if shutil.disk_usage(self.folder).free > self._room:
            return
        print("making room: a few minutes", flush=True)
        for place in self._made("made").iterdir():
            if place not in keep:
                shutil.rmtree(place)
        os.sync()
        time.sleep(_SECONDS_UNTIL_FORGOTTEN)

    def _made(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir(exist_ok=True)
        return place
