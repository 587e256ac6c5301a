"""CPythons of conda-forge, through py-rattler: for who has no conda."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.errors import InterpreterError
from kerasenv.folders import cache_folder
from kerasenv.interpreters.provider import conda_channel, conda_obstacle, python_in_prefix
from kerasenv.process import redact, run
from kerasenv.resources import probe

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

NAME = "py-rattler"


def obstacle(version: Version) -> str | None:
    """Say that it isn't installed, or that there is no such build."""
    return conda_obstacle(version) or ("it is not installed beside kerasenv" if find_spec("rattler") is None else None)


def promise(_: Version) -> str:
    """Say where from, and what a download costs."""
    return f"downloads 20 to 80 MB from {redact(conda_channel())}"


def install(version: Version, folder: Path) -> Path:
    """Let it link the packages in a folder; each is verified by its sha256, and none of their scripts is run."""
    cache = cache_folder() / "conda-packages"
    cache.mkdir(parents=True, exist_ok=True)
    wish = {
        "channel": conda_channel(),
        "spec": f"python={version}",
        "prefix": str(folder),
        "cache": str(cache),
    }
    answer = run([sys.executable, probe("rattler_install")], stdin=json.dumps(wish), on_line=progress.passing)
    try:
        error = json.loads(answer.stdout)["error"]
    except (ValueError, KeyError, TypeError):
        error = "\n".join(answer.last_lines())
    if error is not None:
        raise InterpreterError(f"py-rattler could not get CPython {version}.", looked_at=redact(error).splitlines())
    return python_in_prefix(folder)
