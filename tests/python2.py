"""A CPython 2.7 of this machine, and environments of it that need no virtualenv."""

from __future__ import annotations

import shutil
import zipfile
from functools import cache
from typing import TYPE_CHECKING

import pytest

from kerasenv.interpreters.find import inspect
from tests.local_index import Wheel
from tests.programs import find_python

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.interpreters.interpreter import Interpreter


@cache
def python2() -> Interpreter:
    """Return it, or skip the test."""
    return inspect(find_python("2.7"), source="test")


def environment_of_python2(folder: Path) -> Path:
    """Make an environment as the first virtualenvs did, and return its Python.

    An interpreter takes the folder for its prefix that has the standard library beside it. What makes the real ones has
    to come from an index, and there is none here: tests/live tries that.
    """
    base = python2().path.resolve()
    library = base.parents[1] / "lib" / "python2.7"
    if not library.is_dir():
        pytest.skip(f"the CPython 2.7 at {base} has its standard library elsewhere than other systems have it")
    here = folder / "lib" / "python2.7"
    (here / "site-packages").mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name != "site-packages":
            (here / entry.name).symlink_to(entry)
    (folder / "bin").mkdir()
    shutil.copy2(base, folder / "bin" / "python")
    return folder / "bin" / "python"


@cache
def pip_of_python2() -> Wheel:
    """Return the pip that comes with CPython 2.7 itself, without launchers for Windows."""
    bundled = python2().path.resolve().parents[1] / "lib" / "python2.7" / "ensurepip" / "_bundled"
    wheels = list(bundled.glob("pip-*.whl"))
    if not wheels:
        pytest.skip(f"this CPython 2.7 brings no pip along: {bundled}")
    with zipfile.ZipFile(wheels[0]) as archive:
        files = {
            name: archive.read(name).decode("utf-8")
            for name in archive.namelist()
            if name.startswith("pip/") and not name.endswith(".exe")
        }
    version = wheels[0].name.split("-")[1]
    return Wheel(name="pip", version=version, files=files, scripts={"pip": "pip._internal:main"})
