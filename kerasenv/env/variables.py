"""The variables of an environment."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kerasenv.lock.lockfile import Promise

# What an outer shell may hold of another Keras; inside an environment only its own values count
_OF_KERAS = ("KERAS_", "TF_USE_LEGACY_KERAS", "THEANO_FLAGS", "THEANORC")


def keras_home(folder: Path) -> Path:
    """Return where the environment's own keras.json lies."""
    return folder / "keras"


def variables_of(promise: Promise, folder: Path, *, instead: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of the environment in `folder`, in the order in which they are shown.

    `instead` are templates that count on this machine, where something of the system is missing.
    KERAS_BACKEND is read by Keras 0.3 to 2.3.1 and by Keras 3, KERAS_HOME from Keras 2.2.0 on; the others ignore them.
    """
    variables = {"KERAS_BACKEND": promise.backend} if promise.backend else {}
    variables["KERAS_HOME"] = str(keras_home(folder))
    templates = {**promise.variables, **(instead or {})}
    variables.update({name: value.format(env=folder) for name, value in templates.items()})
    return variables


def bin_folder(folder: Path) -> Path:
    """Return where an environment's programs lie."""
    return folder / ("Scripts" if sys.platform == "win32" else "bin")


def activated(environ: Mapping[str, str], folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what a process sees that runs in an activated environment."""
    kept = {name: value for name, value in environ.items() if name != "PYTHONHOME"}
    path = environ.get("PATH") or os.defpath  # an empty piece of it would mean the present folder
    return {
        **kept,
        "PATH": f"{bin_folder(folder)}{os.pathsep}{path}",
        "VIRTUAL_ENV": str(folder),
        **variables,
    }


def for_smoke(environ: Mapping[str, str], folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the smoke test sees: the environment alone, with nothing of Python's or Keras' from outside."""
    clean = {name: value for name, value in environ.items() if not name.startswith(("PYTHON", *_OF_KERAS))}
    return activated(clean, folder, variables)
