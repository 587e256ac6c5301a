"""Who makes environments from a lock, and with which commands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.figures import AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.workshop import Job, Workshop

READY, MODEL = "ready", "model"


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to an environment."""

    contestant: str
    commands: Callable[[Workshop, Job, Path], list[list[str | Path]]]
    """What is typed to get an environment into a folder."""
    comes_to: str = READY
    """What there is then: an environment, or one in which a model was run."""
    slow: bool = False
    """Done fewer times."""
    at_once: bool = False
    """Begun as soon as the same command has ended, without waiting for what that one does in the background."""

    @property
    def runs_model_after(self) -> bool:
        """Say whether the smoke script is run afterwards, since nothing of the kind belongs to the commands."""
        return self.comes_to == MODEL and self.commands is not kerasenv_model


def kerasenv_ready(shop: Workshop, job: Job, folder: Path) -> list[list[str | Path]]:
    """Return how kerasenv makes an environment without running a model."""
    return [[shop.kerasenv, "create", job.profile, folder, "--no-smoke"]]


def kerasenv_model(shop: Workshop, job: Job, folder: Path) -> list[list[str | Path]]:
    """Return how kerasenv makes an environment by default."""
    return [[shop.kerasenv, "create", job.profile, folder]]


def uv(shop: Workshop, job: Job, folder: Path) -> list[list[str | Path]]:
    """Return how uv does it."""
    return _uv(shop, job, folder)


def uv_compiling(shop: Workshop, job: Job, folder: Path) -> list[list[str | Path]]:
    """Return how uv does it if it is to compile bytecode as pip does."""
    return _uv(shop, job, folder, "--compile-bytecode")


def _uv(shop: Workshop, job: Job, folder: Path, *options: str) -> list[list[str | Path]]:
    python = folder / "bin" / "python"
    sync: list[str | Path] = [shop.uv, "pip", "sync", "--no-config", "--preview-features=pylock", "--python", python]
    return [
        [shop.uv, "venv", "--no-config", "--python", job.python, folder],
        [*sync, *options, job.lock],
    ]


def pip(shop: Workshop, job: Job, folder: Path) -> list[list[str | Path]]:  # noqa: ARG001  # as the others are called
    """Return how it is done with what comes with Python."""
    python = folder / "bin" / "python"
    return [
        [job.python, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--require-hashes", "-r", job.requirements],
    ]


_OTHERS = (
    Way(contestant="uv", commands=uv),
    Way(contestant="uv" + AGAIN, commands=uv),
    Way(contestant="uv --compile-bytecode", commands=uv_compiling),
    Way(contestant="pip", commands=pip, slow=True),
)
WAYS = {
    READY: (
        Way(contestant="kerasenv", commands=kerasenv_ready),
        *_OTHERS,
        Way(contestant="kerasenv, at once", commands=kerasenv_ready, at_once=True),
    ),
    MODEL: (
        Way(contestant="kerasenv", commands=kerasenv_model, comes_to=MODEL),
        *(replace(way, comes_to=MODEL) for way in _OTHERS),
    ),
}
FOR_DISK = tuple(way for way in WAYS[READY] if way.contestant in {"kerasenv", "uv", "pip"})
