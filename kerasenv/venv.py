"""Make environments that hold an interpreter and activation scripts, and nothing else."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv.errors import EnvironmentFolderError
from kerasenv.folders import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

# virtualenv has no log handlers when it is called as a library; Python would then print its warnings
logging.getLogger("virtualenv").addHandler(logging.NullHandler())

_FIRST_VERSION_OF_THE_PATCH = (3, 8)


@dataclass(frozen=True, kw_only=True, slots=True)
class BareEnvironment:
    """An environment without any package, not even pip."""

    folder: Path
    python: Path
    bin_dir: Path
    site_packages: Path


def create_bare_environment(interpreter: Path, folder: Path, *, prompt: str | None = None) -> BareEnvironment:
    """Let virtualenv make an environment of `interpreter` in `folder`; nothing is downloaded.

    The environment says of itself that it is relocatable: an installer that knows the word (uv) then writes entry
    points that find their interpreter beside them, so the folder can be built in one place and moved to another.
    """
    from virtualenv import session_via_cli  # noqa: PLC0415  # 130 ms that most commands don't need

    words = ["--python", str(interpreter), "--no-seed", "--no-periodic-update"]
    words += ["--prompt", prompt] if prompt else []
    words += ["--app-data", str(cache_folder() / "virtualenv"), "--", str(folder)]
    said = io.StringIO()
    try:
        # It refuses as a command line program does: usage on standard error, then SystemExit
        with redirect_stderr(said), session_via_cli(words, setup_logging=False, env=_environ()) as session:
            session.run()
            creator = session.creator
            if tuple(creator.interpreter.version_info[:2]) < _FIRST_VERSION_OF_THE_PATCH:
                _remove_patch(creator.purelib)
            with (creator.dest / "pyvenv.cfg").open("a", encoding="utf-8") as config:
                config.write("relocatable = true\n")
    except (SystemExit, RuntimeError, OSError) as error:
        reason = said.getvalue().strip().rpartition("error: ")[2] or str(error)
        raise EnvironmentFolderError(
            f"virtualenv can't make an environment in {folder}: {reason}", looked_at=[f"interpreter {interpreter}"]
        ) from error
    return BareEnvironment(
        folder=creator.dest, python=creator.exe, bin_dir=creator.script_dir, site_packages=creator.purelib
    )


def python_in(folder: Path) -> Path:
    """Return where an environment in `folder` has its interpreter."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _environ() -> dict[str, str]:
    """Return this process's variables without those that would change what virtualenv makes."""
    environ = {name: value for name, value in os.environ.items() if not name.upper().startswith("VIRTUALENV_")}
    environ["VIRTUALENV_CONFIG_FILE"] = os.devnull
    # A variable, since older releases refuse the option. Without it, one built beside a pyproject.toml leaves a file
    # named .venv there that points to it
    environ["VIRTUALENV_NO_VENV_REDIRECT"] = "true"
    return environ


def _remove_patch(site_packages: Path) -> None:
    """Take out the distutils patch, which older Pythons can't even parse and complain about at every start."""
    for name in ("_virtualenv.pth", "_virtualenv.py"):
        (site_packages / name).unlink(missing_ok=True)
