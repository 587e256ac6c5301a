"""Make environments that hold an interpreter and activation scripts, and nothing else."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import redirect_stderr
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kerasenv import process
from kerasenv.errors import EnvironmentFolderError
from kerasenv.folders import cache_folder
from kerasenv.venv_template import make_from_template

if TYPE_CHECKING:
    from pathlib import Path

# virtualenv has no log handlers when it is called as a library; Python would then print its warnings
logging.getLogger("virtualenv").addHandler(logging.NullHandler())

_FIRST_VERSION_OF_THE_PATCH = (3, 8)
_OLD_APP_DATA = "virtualenv-for-python2"


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
    prompt = prompt or folder.name
    virtualenv = partial(let_virtualenv_make, interpreter, folder)
    places = make_from_template(interpreter, folder, prompt=prompt, virtualenv=virtualenv) or virtualenv(prompt)
    return BareEnvironment(folder=folder, **places)


def let_virtualenv_make(interpreter: Path, folder: Path, prompt: str) -> dict[str, Path]:
    """Return the places in the environment."""
    from virtualenv import session_via_cli  # noqa: PLC0415  # 130 ms that most commands don't need

    words = ["--no-seed", *_words(interpreter, folder, prompt=prompt, app_data="virtualenv")]
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
        raise _error(folder, interpreter, said.getvalue() or str(error)) from error
    return {"python": creator.exe, "bin_dir": creator.script_dir, "site_packages": creator.purelib}


def create_bare_environment_with(
    virtualenv: Path, interpreter: Path, folder: Path, *, prompt: str | None = None, pip: bool = False
) -> BareEnvironment:
    """Let the virtualenv that the Python `virtualenv` has make an environment of a CPython 2.7; nothing is downloaded.

    With `pip` it gets the one that this virtualenv brings along. The scripts of the shells are those of kerasenv's own
    virtualenv all the same: older ones put the path into them as it is, where a quote ends it and a command runs.
    """
    seed = ["--seeder=app-data", "--no-download", "--no-setuptools", "--no-wheel"] if pip else ["--no-seed"]
    words = [*seed, "--activators=python", *_words(interpreter, folder, prompt=prompt, app_data=_OLD_APP_DATA)]
    environ = {name: value for name, value in _environ().items() if not name.startswith("PYTHON")}
    # Isolated: the folder it is started from would come first, and a random.py there would be imported
    answer = process.run([virtualenv, "-I", "-m", "virtualenv", *words], environ=environ)
    if answer.returncode:
        raise _error(folder, interpreter, "\n".join(answer.last_lines()))
    windows = sys.platform == "win32"
    library = folder / "Lib" if windows else folder / "lib" / "python2.7"
    python = python_in(folder)
    _write_activation_scripts(folder, interpreter, prompt=prompt)
    return BareEnvironment(folder=folder, python=python, bin_dir=python.parent, site_packages=library / "site-packages")


def _write_activation_scripts(folder: Path, interpreter: Path, *, prompt: str | None) -> None:
    """Write those of the shells; activate_this.py has to speak the environment's own Python."""
    from virtualenv import session_via_cli  # noqa: PLC0415  # see above
    from virtualenv.activation import PythonActivator  # noqa: PLC0415  # see above

    words = ["--no-seed", *_words(sys.executable, folder, prompt=prompt, app_data="virtualenv")]
    try:
        with redirect_stderr(io.StringIO()), session_via_cli(words, setup_logging=False, env=_environ()) as session:
            creator = session.creator
            # Which Tcl and Tk there are is known only of the Python that runs kerasenv
            creator.interpreter = copy(creator.interpreter)
            creator.interpreter.tcl_lib = creator.interpreter.tk_lib = None
            for activator in session.activators:
                if not isinstance(activator, PythonActivator):
                    activator.generate(creator)
    except (SystemExit, RuntimeError, OSError) as error:
        raise _error(folder, interpreter, str(error)) from error


def python_in(folder: Path) -> Path:
    """Return where an environment in `folder` has its interpreter."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _words(interpreter: Path | str, folder: Path, *, prompt: str | None, app_data: str) -> list[str]:
    words = ["--python", str(interpreter), "--no-periodic-update", *([f"--prompt={prompt}"] if prompt else [])]
    return [*words, "--app-data", str(cache_folder() / app_data), "--", str(folder)]


def _error(folder: Path, interpreter: Path, said: str) -> EnvironmentFolderError:
    reason = said.strip().rpartition("error: ")[2]
    return EnvironmentFolderError(
        f"virtualenv can't make an environment in {folder}: {reason}", looked_at=[f"interpreter {interpreter}"]
    )


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
