"""An environment that kerasenv made, known by the receipt in it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kerasenv.env.variables import bin_folder
from kerasenv.errors import EnvironmentFolderError
from kerasenv.smoke.plan import Noise, SmokePlan, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

RECEIPT = "kerasenv.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What an environment was made of."""

    format: int = FORMAT
    kerasenv: str
    created: str
    """UTC, ISO 8601."""
    profile: str
    variant: str | None
    lock_name: str
    lock_digest: str
    python_version: str
    python_path: str
    engine: str
    backend: str | None
    variables: Mapping[str, str]
    activation_hooks: bool
    startup_hook: bool
    smoke_plan: Mapping[str, Any]
    smoke: Mapping[str, Any] | None
    """The last result with its times, None if it was never run."""
    trial: Mapping[str, Any] = field(default_factory=dict)
    noise: Sequence[Mapping[str, str]] = field(default_factory=list)
    files: Mapping[str, str] | None = None
    """The state of each file whose digest no RECORD tells, by its path; None where nobody wrote it down."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """A folder and its receipt."""

    folder: Path
    receipt: Receipt

    @property
    def python(self) -> Path:
        """Return the environment's interpreter."""
        return bin_folder(self.folder) / ("python.exe" if sys.platform == "win32" else "python")

    @property
    def plan(self) -> SmokePlan:
        """Return what its smoke test is to do."""
        return _plan_of(self.receipt)

    @property
    def trial(self) -> Trial:
        """Return what is tried beyond the smoke test."""
        return _trial_of(self.receipt)

    @property
    def noise(self) -> tuple[Noise, ...]:
        """Return what it says whenever all is well."""
        return _noise_of(self.receipt)


def has_receipt(folder: Path) -> bool:
    """Say whether kerasenv made the environment in this folder."""
    return (folder / RECEIPT).is_file()


def open_environment(folder: Path) -> Environment:
    """Return the environment in a folder; raise EnvironmentFolderError if it isn't one of kerasenv's."""
    place = folder / RECEIPT
    if not folder.is_dir():
        raise EnvironmentFolderError(
            f"There is no environment in {folder}.", hints=["Make one: kerasenv create tf2-modern", "kerasenv list"]
        )
    try:
        table = json.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        raise EnvironmentFolderError(
            f"{folder} is no environment that kerasenv made.", looked_at=[f"{place}: not there"]
        ) from None
    except (OSError, ValueError) as error:
        raise EnvironmentFolderError(
            f"The receipt of {folder} can't be read.",
            looked_at=[f"{place}: {error}"],
            hints=["Make the environment anew: kerasenv rebuild --force"],
        ) from error
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise EnvironmentFolderError(
            f"The receipt of {folder} is of a kind that this kerasenv doesn't know.",
            looked_at=[f"{place}: format {table.get('format') if isinstance(table, dict) else 'none'}, not {FORMAT}"],
            hints=["Upgrade kerasenv, or make the environment anew: kerasenv rebuild --force"],
        )
    try:
        return Environment(folder=folder, receipt=_read(table))
    except (TypeError, ValueError, KeyError) as error:
        raise EnvironmentFolderError(
            f"The receipt of {folder} is not whole.",
            looked_at=[f"{place}: {error}"],
            hints=["Make the environment anew: kerasenv rebuild --force"],
        ) from error


def _read(table: dict[str, Any]) -> Receipt:
    """Return a receipt; raise TypeError, ValueError or KeyError if what is used of it again isn't what it should be."""
    receipt = Receipt(**table)
    _plan_of(receipt), _trial_of(receipt), _noise_of(receipt)
    texts = (
        *(receipt.profile, receipt.lock_name, receipt.lock_digest, receipt.python_version, receipt.python_path),
        *dict(receipt.variables).values(),
        *dict(receipt.files or {}).values(),
    )
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a number stands where a text should be")
    return receipt


def _plan_of(receipt: Receipt) -> SmokePlan:
    return SmokePlan(**{**receipt.smoke_plan, "formats": tuple(receipt.smoke_plan["formats"])})


def _trial_of(receipt: Receipt) -> Trial:
    table = receipt.trial
    return Trial(**{**table, "imports": tuple(table["imports"])}) if table else Trial()


def _noise_of(receipt: Receipt) -> tuple[Noise, ...]:
    return tuple(Noise(**row) for row in receipt.noise)


def write_receipt(folder: Path, receipt: Receipt) -> None:
    """Write the receipt that makes a folder one of kerasenv's, whole or not at all."""
    temporary = folder / f".{RECEIPT}.tmp"
    try:
        temporary.write_text(json.dumps(asdict(receipt), indent=2) + "\n", encoding="utf-8")
        temporary.replace(folder / RECEIPT)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
