"""A user's project: a folder with a profile, where kerasenv is run, and what is found there afterwards."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import tomli
import tomli_w
from packaging.pylock import Pylock

from kerasenv.env.environment import RECEIPT
from kerasenv.env.relocate import WORK_PREFIX
from kerasenv.env.variables import bin_folder
from kerasenv.venv import python_in
from tests.local_index import Wheel, sources
from tests.programs import run_kerasenv
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from pathlib import Path

BROKEN_KERAS = Wheel(
    name="keras",
    version="3.16.0",
    requires=("h5py", "numpy"),
    requires_python=">=3.10",
    files={
        "keras/__init__.py": "raise RuntimeError('this Keras is broken')\n",
        "keras/_version.py": "__version__ = '3.16.0'\n",
    },
)
"""Newer than what the standard index has, and no model can be built with it."""
NEWER_KERAS = replace(BROKEN_KERAS, files=sources("keras") | {"keras/_version.py": '__version__ = "3.16.0"\n'})
"""Newer than what the standard index has, and as good."""

ENVELOPE = ["format", "kerasenv", "command", "status", "exit_code", "data", "error", "notes"]


@dataclass(frozen=True, slots=True)
class Project:
    """A folder where kerasenv is run as a user runs it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, **profile: Any) -> Project:
        """Make a project with the profile `tiny`, whose keys `profile` changes."""
        folder.mkdir(parents=True, exist_ok=True)
        write_profile(folder / "profiles", **profile)
        return cls(folder)

    @property
    def lock(self) -> Path:
        """Return where the lock of `tiny` is written."""
        return self.folder / "pylock.tiny.toml"

    @property
    def environment(self) -> Path:
        """Return where an environment is made by default."""
        return self.folder / ".venv"

    def run(self, *args: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run kerasenv here."""
        return run_kerasenv(*args, cwd=self.folder, **options)

    def done(self, *args: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run kerasenv here; it must succeed."""
        finished = self.run(*args, **options)
        assert finished.returncode == 0, finished.stderr
        return finished

    def refused(self, *args: str | Path, code: int = 1, **options: Any) -> str:
        """Run kerasenv here; it must fail with an error, which is returned, and without a fault of its own."""
        finished = self.run(*args, **options)
        assert finished.returncode == code, finished.stderr
        assert finished.stdout == ""
        assert "\nTraceback" not in finished.stderr
        assert "kerasenv itself failed" not in finished.stderr
        head, mark, error = finished.stderr.partition("error: ")
        assert mark, head
        return error

    def json(self, *args: str | Path, **options: Any) -> dict[str, Any]:
        """Run kerasenv here with --json and return the envelope, which must be all of its standard output."""
        verb = 2 if args[0] in {"python", "store"} else 1  # the verbs of two words
        finished = self.run(*args[:verb], "--json", *args[verb:], **options)
        envelope: dict[str, Any] = json.loads(finished.stdout)
        assert list(envelope) == ENVELOPE
        assert envelope["exit_code"] == finished.returncode
        return envelope

    def forget(self) -> None:
        """Take away what was made."""
        shutil.rmtree(self.environment)
        self.lock.unlink()

    def leftovers(self) -> list[str]:
        """Return what a run should have cleared away, wherever it lies below the project."""
        found = [*self.folder.rglob(".kerasenv*"), *self.folder.rglob("*.tmp"), *self.folder.rglob("*.kerasenv")]
        return sorted(str(path.relative_to(self.folder)) for path in found)


def work_folders(parent: Path) -> set[str]:
    """Return the folders where something is being built, or was when its process died."""
    return {name for name in os.listdir(parent) if name.startswith(WORK_PREFIX)}  # noqa: PTH208  # while they change


def packages_of(environment: Path) -> dict[str, str]:
    """Return the packages that are installed, with their versions."""
    names = (folder.name for folder in environment.rglob("*.dist-info"))
    return dict(sorted(name.removesuffix(".dist-info").split("-") for name in names))


def packages_in(lock: Path) -> dict[str, list[str]]:
    """Return the packages of a lock, which must be valid, with their versions."""
    found: dict[str, list[str]] = {}
    for package in Pylock.from_dict(tomli.loads(lock.read_text("utf-8"))).packages:
        found.setdefault(package.name, []).append(str(package.version))
    return found


def drop_our_table(lock: Path) -> None:
    """Write a lock anew as another tool does that knows nothing of kerasenv."""
    table = tomli.loads(lock.read_text("utf-8"))
    del table["tool"]
    lock.write_text(tomli_w.dumps(table), "utf-8")


def receipt_of(environment: Path) -> dict[str, Any]:
    """Return what an environment says it was made of."""
    receipt: dict[str, Any] = json.loads((environment / RECEIPT).read_text("utf-8"))
    return receipt


def say(environment: Path, code: str, **environ: str) -> str:
    """Run code in an environment's interpreter, without activation, and return what it prints."""
    finished = subprocess.run(
        [python_in(environment), "-c", code],
        env={**os.environ, **environ},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def backend_of(environment: Path, **environ: str) -> str:
    """Return the backend that Keras chooses in an environment without activation."""
    return say(environment, "import keras; print(keras.backend.backend())", **environ)


def is_whole(environment: Path) -> bool:
    """Say whether an environment has a receipt, an interpreter and a Keras that can be imported, and a pip."""
    version = subprocess.run(
        [bin_folder(environment) / "pip", "--version"], capture_output=True, check=True, encoding="utf-8"
    )
    return (
        bool(receipt_of(environment)["smoke"]["passed"]) and backend_of(environment) == "tensorflow" and bool(version)
    )


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all that lies in a folder, to the byte, with its permissions; compiled Python is left out."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "__pycache__" in path.parts:
            continue
        if path.is_symlink():
            found[name] = (0, os.fsencode(os.readlink(path)))  # noqa: PTH115  # as it is written there
        else:
            found[name] = (stat.S_IMODE(path.stat().st_mode), b"" if path.is_dir() else path.read_bytes())
    return found
