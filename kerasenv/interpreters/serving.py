"""Which programs can work for a Python: what makes its environments, and what fills them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from kerasenv.errors import InterpreterError

if TYPE_CHECKING:
    from packaging.version import Version


class Creator(Enum):
    """What makes an environment."""

    OWN = "virtualenv"
    """The virtualenv that is installed with kerasenv."""
    LAST_FOR_PYTHON_2 = "virtualenv 20.21.1"
    """In an environment of its own, since it needs older packages than kerasenv does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """What serves a range of Pythons; of the engines the first is taken if nothing is asked for."""

    pythons: SpecifierSet
    creator: Creator
    engines: tuple[str, ...]


SERVING = (
    # virtualenv 20.22 left out everything before 3.7, and 21 took back 3.6; uv has never known a Python before 3.6
    Serving(pythons=SpecifierSet("==2.7.*"), creator=Creator.LAST_FOR_PYTHON_2, engines=("pip-tools",)),
    Serving(pythons=SpecifierSet(">=3.6"), creator=Creator.OWN, engines=("uv", "pip-tools")),
)


def serving(version: Version | str) -> Serving:
    """Return what serves a Python; raise InterpreterError if nothing does."""
    for row in SERVING:
        if row.pythons.contains(version, prereleases=True):
            return row
    raise InterpreterError(
        f"kerasenv can't make environments of CPython {version}.",
        looked_at=[f"{row.pythons}: {row.creator.value}, filled by {' or '.join(row.engines)}" for row in SERVING],
    )


def served_by(engine: str, pythons: tuple[str, ...]) -> tuple[str, ...]:
    """Return the minor versions out of `pythons` that an engine serves."""
    return tuple(python for python in pythons if engine in serving(python).engines)
