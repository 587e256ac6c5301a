"""Private environments for programs that have to run under the Python they work for."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock

from kerasenv import process, progress
from kerasenv.errors import InstallError
from kerasenv.folders import data_folder
from kerasenv.uv import uv_command, uv_environ
from kerasenv.venv import create_bare_environment, python_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kerasenv.engine import Index
    from kerasenv.interpreters.interpreter import Interpreter

LOCKS = Path(__file__).with_name("tool_locks")
"""What tool environments hold, as hashed requirements."""

_DIGITS = 16


class Fill(Protocol):
    """Makes an environment and installs into it."""

    def __call__(self, folder: Path, wanted: Path, *, interpreter: Interpreter, index: Index) -> process.Finished:
        """Do so in `folder`, which holds nothing but the requirements file `wanted`."""
        ...


def fill_with_uv(folder: Path, wanted: Path, *, interpreter: Interpreter, index: Index) -> process.Finished:
    """Let virtualenv make the environment, and uv install into it."""
    environment = create_bare_environment(interpreter.path, folder)
    return process.run(
        [
            *uv_command(),
            "pip",
            "sync",
            "--no-config",
            "--quiet",
            f"--python={environment.python}",
            "--no-python-downloads",
            "--require-hashes",
            str(wanted),
        ],
        # As a variable, an address with a password is not for everyone to see in the list of processes
        environ=uv_environ({"UV_DEFAULT_INDEX": index.url} if index.url else {}),
        cwd=folder,
    )


def tool_environment(
    tool: str,
    requirements: str,
    *,
    interpreter: Interpreter,
    index: Index,
    fill: Fill = fill_with_uv,
    hints: Sequence[str] = (),
) -> Path:
    """Return the Python of an environment that holds just these hashed requirements; make it if it isn't there.

    It is built beside its place and renamed, so what is in its place is whole; who comes at the same time waits.
    `hints` are for a person whose index hasn't got it.
    """
    tools = data_folder() / "tools"
    place = tools / f"{tool}-{interpreter.minor}-{_key(interpreter, requirements)}"
    if python_in(place).exists():
        return python_in(place)
    try:
        tools.mkdir(parents=True, exist_ok=True)
        with FileLock(tools / f"{place.name}.lock"):
            # The interpreter below may be gone and back since: a link to nowhere is no Python
            if not python_in(place).exists():
                _clear_away(place, *tools.glob(f".{place.name}-*"))
                progress.passing(f"Getting {tool} ready for CPython {interpreter.minor}, which is kept for next time")
                answer = _make(place, requirements, partial(fill, interpreter=interpreter, index=index))
                if answer.returncode:
                    raise InstallError(
                        f"{tool} could not be installed for CPython {interpreter.minor}.",
                        looked_at=[index.source, *answer.last_lines()],
                        hints=hints,
                    )
    except OSError as error:
        raise InstallError(
            f"{tool} can't be put into its folder: {error.strerror or error}", looked_at=[str(place)]
        ) from error
    return python_in(place)


def _key(interpreter: Interpreter, requirements: str) -> str:
    told = "\n".join([str(interpreter.path), str(interpreter.version), requirements])
    return hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]


def _make(place: Path, requirements: str, fill: Callable[[Path, Path], process.Finished]) -> process.Finished:
    staging = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        wanted = staging / "requirements.txt"
        wanted.write_text(requirements, encoding="utf-8")
        answer = fill(staging, wanted)
        if not answer.returncode:
            staging.rename(place)
        return answer
    finally:
        _clear_away(staging)


def _clear_away(*folders: Path) -> None:
    """Remove what is there, as far as it goes: a process that was killed may have a child that still writes."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
