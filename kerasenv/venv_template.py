"""Make an environment again as virtualenv has made one before: the same files, which speak of another place.

virtualenv takes a tenth of a second, most of it to be imported. What it makes of an interpreter differs in nothing but
the path of the environment, so that is written down once, with the path left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kerasenv
from kerasenv.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = "\0"
"""Stands where the path of the environment was; no script holds one."""

_PLAIN = re.compile(r"/[\w./-]*\w", re.ASCII)
"""A path that the scripts of all shells hold as it is, without quotes."""

_OF_NO_USE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a template raises that isn't there, or that holds whatever."""


class _Unfit(Exception):
    """What virtualenv made is more than texts that name their place, links and folders."""


def make_from_template(interpreter: Path, folder: Path, *, prompt: str | None) -> dict[str, Path] | None:
    """Make what virtualenv would make in `folder`; return the places that were written down with it, by name.

    None if that isn't known, and then nothing is there.
    """
    path = str(folder)
    try:
        template = json.loads(_file_of(interpreter).read_text("utf-8"))
        if template["asked"] != _asked(interpreter, prompt or folder.name) or not _PLAIN.fullmatch(path):
            return None
        places = {name: folder / place for name, place in template["places"].items()}
        os.mkdir(path)  # noqa: PTH102  # as in the loops
    except _OF_NO_USE:
        return None
    try:
        _write(template, path)
    except _OF_NO_USE:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return places


def keep_template(interpreter: Path, folder: Path, *, prompt: str | None, places: Mapping[str, Path]) -> None:
    """Write down what virtualenv made in `folder`, if nothing but the path would be another one elsewhere.

    The path is one that no script names for a reason of its own, as those of work folders are.
    """
    with suppress(OSError, ValueError, _Unfit):
        template = {
            "asked": _asked(interpreter, prompt or folder.name),
            "places": {name: place.relative_to(folder).as_posix() for name, place in places.items()},
            **_read(str(folder)),
        }
        file = _file_of(interpreter)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(template), encoding="utf-8")
        beside.replace(file)


def _file_of(interpreter: Path) -> Path:
    # One for each kerasenv too, which would take one another's place
    name = hashlib.sha256(os.fsencode(f"{sys.executable}\0{interpreter}")).hexdigest()[:32]
    return cache_folder() / "environments" / f"{name}.json"


def _asked(interpreter: Path, prompt: str) -> list[str | int]:
    """Return all that decides what virtualenv makes, but for the path."""
    state = interpreter.stat()
    found = find_spec("virtualenv")
    virtualenv = Path(found.origin).with_name("version.py").read_text("utf-8") if found and found.origin else ""
    return [
        kerasenv.__version__,
        virtualenv,
        sys.executable,  # which is noted down in pyvenv.cfg
        str(interpreter),
        os.path.realpath(interpreter),
        state.st_mtime_ns,
        state.st_size,
        prompt,
    ]


def _read(folder: str) -> dict[str, Any]:
    if not _PLAIN.fullmatch(folder):
        raise _Unfit
    folders: list[str] = []
    links: dict[str, str] = {}
    files: dict[str, str] = {}
    for above, inside, names in os.walk(folder):
        for name in (*inside, *names):
            path = f"{above}/{name}"
            place = path.removeprefix(f"{folder}/")
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                links[place] = os.readlink(path)  # noqa: PTH115  # a Path would not keep it as it is
            elif stat.S_ISDIR(mode):
                folders.append(place)
            elif mode & stat.S_IXUSR:
                raise _Unfit
            else:
                files[place] = _without(folder, Path(path))
    return {"folders": folders, "links": links, "files": files}


def _without(folder: str, file: Path) -> str:
    text = file.read_bytes().decode()
    if _HERE in text:
        raise _Unfit
    return text.replace(folder, _HERE)


def _write(template: Mapping[str, Any], folder: str) -> None:
    for place in template["folders"]:
        os.mkdir(f"{folder}/{place}")  # noqa: PTH102  # a Path for each would take longer than all the rest
    for place, target in template["links"].items():
        os.symlink(target, f"{folder}/{place}")  # noqa: PTH211  # see above
    for place, text in template["files"].items():
        with open(f"{folder}/{place}", "xb") as stream:  # noqa: PTH123  # see above
            stream.write(text.replace(_HERE, folder).encode())
