"""The environment's own keras.json, beside downloads that stay shared.

Every Keras reads ~/.keras/keras.json, so what an old one wrote breaks a new one. Through KERAS_HOME each environment
has settings of its own; `models` and `datasets` lead to the shared folder, since downloads belong to no version.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasenv.lock.lockfile import Promise

SHARED = ("datasets", "models")
_DEFAULTS = {"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last"}


def write_keras_home(home: Path, promise: Promise) -> None:
    """Write keras.json and the links to what is shared."""
    home.mkdir(parents=True)
    settings = {**_DEFAULTS, "backend": promise.backend or "tensorflow"}
    for name in _DEFAULTS:
        chosen = getattr(promise.settings, name)
        if chosen is not None:
            settings[name] = chosen
    (home / "keras.json").write_text(json.dumps(settings, indent=4) + "\n", encoding="utf-8")
    for name in SHARED:
        _link(home / name, Path.home() / ".keras" / name)


def _link(link: Path, target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            # A symbolic link needs a privilege there, a junction doesn't
            import _winapi  # noqa: PLC0415

            _winapi.CreateJunction(str(target), str(link))
        else:
            link.symlink_to(target, target_is_directory=True)
    except OSError:
        # A home that can't be written, or a file system without links: Keras makes a folder of its own there
        return
