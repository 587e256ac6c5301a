"""An interpreter in a bundle: only one that runs wherever it is put."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv.bundle.archive import Entry
from kerasenv.bundle.manifest import PYTHON, Python
from kerasenv.errors import BundleError
from kerasenv.interpreters.find import find_all
from kerasenv.interpreters.finders import kept
from kerasenv.interpreters.finders import uv as managed
from kerasenv.interpreters.providers import uv as provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kerasenv.bundle.manifest import Target
    from kerasenv.interpreters.interpreter import Interpreter

# What these builds have besides that only some need; terminfo has names that are one where case doesn't count
_LEFT_OUT = {"share", "__pycache__", "site-packages", "test", "tests", "idlelib", "idle_test"}
_LARGEST_TEXT = 1 << 20
_BUILT_FOR = b"/install"
"""The prefix that these builds are made with; nothing but building against them asks for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """An interpreter's files by their names in a bundle."""

    python: Python
    entries: dict[str, Entry]


def pack_python(target: Target, requires: SpecifierSet) -> Packed:
    """Return what belongs to a Python for the target; raise BundleError if this machine has none that can be moved."""
    wanted = requires & SpecifierSet(f"=={target.python}.*")
    found = [one for one in find_all(wanted) if one.usable]
    interpreter = next((one for one in found if _is_relocatable(one)), None)
    if interpreter is None:
        raise BundleError(
            f"No CPython {target.python} of this machine can go into a bundle: only those of uv run wherever they are.",
            looked_at=[f"{one.version} ({one.source}), bound to its folder: {one.path}" for one in found],
            hints=[_advice(target)],
        )
    executable = interpreter.path.resolve()
    prefix = _prefix(executable)
    names = dict(_walk(prefix))
    links = {
        name: os.path.relpath(path.resolve(), prefix).replace(os.sep, "/")
        for name, path in names.items()
        if path.is_symlink()
    }
    python = Python(
        version=interpreter.version,
        platform=target.platform,
        executable=executable.relative_to(prefix).as_posix(),
        # One to a folder, or to what was left out, is of no use
        links={name: aim for name, aim in links.items() if aim in names and aim not in links},
    )
    entries = {f"{PYTHON}/{name}": _entry(path, prefix) for name, path in names.items() if name not in links}
    return Packed(python=python, entries=entries)


def _advice(target: Target) -> str:
    if provider.obstacle(Version(target.python)) is None:
        return f"Get one: uv python install {target.python}"
    return f"uv has no CPython {target.python}, so the other machine needs one of its own: leave --with-python out"


def _is_relocatable(interpreter: Interpreter) -> bool:
    """Say whether uv installed it, for itself or for kerasenv."""
    prefix = _prefix(interpreter.path.resolve())
    minor = SpecifierSet(f"=={interpreter.minor}.*")
    pythons = kept.pythons_folder().resolve()
    ours = pythons in prefix.parents and prefix.relative_to(pythons).parts[0].endswith(f"-{provider.NAME}")
    return ours or any(_prefix(path.resolve()) == prefix for path in managed.candidates(minor))


def _prefix(executable: Path) -> Path:
    return executable.parent if sys.platform == "win32" else executable.parents[1]


def _walk(prefix: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file that belongs to the interpreter, by its path below the prefix."""
    for folder, folders, files in os.walk(prefix):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix not in {".pyc", ".a"}:
                yield path.relative_to(prefix).as_posix(), path


def _entry(path: Path, prefix: Path) -> Entry:
    """Return a file without the folder that it happens to lie in, which uv writes into some."""
    program = bool(path.stat().st_mode & stat.S_IXUSR)
    own = os.fsencode(prefix)
    if path.stat().st_size <= _LARGEST_TEXT and own in (content := path.read_bytes()) and b"\0" not in content:
        return Entry(source=content.replace(own, _BUILT_FOR), program=program)
    return Entry(source=path, program=program)
