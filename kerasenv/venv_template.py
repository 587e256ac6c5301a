"""Make an environment again as virtualenv has made one before: the same files, which speak of another place.

virtualenv takes a tenth of a second, most of it to be imported. What it makes of an interpreter differs in nothing but
the path and the prompt of the environment, so that is written down once, with these left out.
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
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kerasenv
from kerasenv.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HERE, _NAME = "\0", "\1"
"""Stand where the path and the prompt of the environment were; no script holds one."""

_PLAIN_PATH = re.compile(r"/[\w./-]*\w", re.ASCII)
_PLAIN_NAME = re.compile(r"\.?\w[\w.-]*", re.ASCII)
"""What the scripts of all shells hold as it is, without quotes."""

_NO_ONES_NAME = "prompt-of-this-environment"
"""A prompt that is found again wherever it was put, since nothing else in the scripts is called so."""

_OF_NO_USE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a template raises that isn't there, or that holds whatever."""


class _Unfit(ValueError):
    """What virtualenv made is more than texts that name their place, links and folders."""


def make_from_template(
    interpreter: Path, folder: Path, *, prompt: str, virtualenv: Callable[[str], Mapping[str, Path]]
) -> dict[str, Path] | None:
    """Make what virtualenv would make in `folder`; return the places of what it is asked for, by name.

    `virtualenv` makes one there with a prompt and returns the places: it is called if there is no template yet.
    None if an environment is more than its template, or if something is in the way: nothing was done then.
    """
    if not (_PLAIN_PATH.fullmatch(str(folder)) and _PLAIN_NAME.fullmatch(prompt)) or os.path.lexists(folder):
        return None
    for template_of in (_kept, partial(_learned, folder, virtualenv)):
        with suppress(*_OF_NO_USE):
            return _written(template_of(interpreter), folder, prompt)
    return None


def _written(template: Mapping[str, Any], folder: Path, prompt: str) -> dict[str, Path]:
    """Write an environment and return its places; if that can't be done, nothing is there."""
    path = str(folder)
    places = {name: folder / place for name, place in template["places"].items()}
    os.mkdir(path)  # noqa: PTH102  # as in the loops
    try:
        _write(template, path, prompt)
    except _OF_NO_USE:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return places


def _kept(interpreter: Path) -> dict[str, Any]:
    """Return the template of an interpreter; it raises whatever if there is none."""
    template: dict[str, Any] = json.loads(_file_of(interpreter).read_text("utf-8"))
    if template["asked"] != _asked(interpreter):
        raise ValueError(template["asked"])
    return template


def _learned(folder: Path, virtualenv: Callable[[str], Mapping[str, Path]], interpreter: Path) -> dict[str, Any]:
    """Let virtualenv make one, and return its template, which is kept if that can be; nothing else stays."""
    os.mkdir(folder)  # noqa: PTH102  # whatever is there is nobody else's, and can be removed
    try:
        places = virtualenv(_NO_ONES_NAME)
        template = {
            "asked": _asked(interpreter),
            "places": {name: place.relative_to(folder).as_posix() for name, place in places.items()},
            **_read(str(folder)),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        file = _file_of(interpreter)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(template), encoding="utf-8")
        beside.replace(file)
    return template


def _file_of(interpreter: Path) -> Path:
    # One for each kerasenv too, which would take one another's place
    name = hashlib.sha256(os.fsencode(f"{sys.executable}\0{interpreter}")).hexdigest()[:32]
    return cache_folder() / "environments" / f"{name}.json"


def _asked(interpreter: Path) -> list[str | int]:
    """Return all that decides what virtualenv makes, but for path and prompt."""
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
    ]


def _read(folder: str) -> dict[str, Any]:
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
    if _HERE in text or _NAME in text:
        raise _Unfit
    return text.replace(folder, _HERE).replace(_NO_ONES_NAME, _NAME)


def _write(template: Mapping[str, Any], folder: str, prompt: str) -> None:
    for place in template["folders"]:
        os.mkdir(f"{folder}/{place}")  # noqa: PTH102  # a Path for each would take longer than all the rest
    for place, target in template["links"].items():
        os.symlink(target, f"{folder}/{place}")  # noqa: PTH211  # see above
    for place, text in template["files"].items():
        with open(f"{folder}/{place}", "xb") as stream:  # noqa: PTH123  # see above
            stream.write(text.replace(_HERE, folder).replace(_NAME, prompt).encode())
