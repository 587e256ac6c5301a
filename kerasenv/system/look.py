"""Look for what a profile needs of the system, before anything is downloaded or built.

Whether a library can be loaded only the loader knows: by its own paths, for the architecture, with all that the library
needs in turn. So the interpreter that will need it loads it, in a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasenv import process
from kerasenv.errors import SystemNeedError
from kerasenv.resources import probe
from kerasenv.system.findings import Findings, Link, Missing
from kerasenv.system.packages import this_system

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.system.need import SystemNeed
    from kerasenv.system.packages import System

_PROBE_SECONDS = 60


def look(needs: Sequence[SystemNeed], interpreter: Interpreter) -> Findings:
    """Return what the system has of these; raise SystemNeedError if something is missing that nothing works without."""
    kind = interpreter.platform.name if interpreter.platform else None
    here = [need for need in needs if not need.platforms or kind in need.platforms]
    if not here:
        return Findings()
    answers = _ask(here, interpreter)
    searches = [_search(need, answers) for need in here]
    missing = tuple(Missing(need=search.need, looked_at=tuple(search.absent)) for search in searches if search.absent)
    for one in missing:
        if one.need.needed:
            raise _error(one, this_system(), interpreter)
    return Findings(
        present=tuple(words for search in searches if not search.absent for words in search.present),
        missing=missing,
        links=tuple(link for search in searches for link in search.links),
    )


def advice(missing: Missing, interpreter: Interpreter) -> str:
    """Return what to say of something that it works without."""
    command = this_system().command(missing.need.packages, python=interpreter.minor)
    how = f"Install it with `{command}`" if command else f"Install {missing.need.name}"
    return f"{missing.need.name} is not here: {missing.need.because}. {how}, and make the environment anew (--force)."


@dataclass(kw_only=True, slots=True)
class _Search:
    """What is found out of one need, piece by piece."""

    need: SystemNeed
    present: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


def _search(need: SystemNeed, answers: Mapping[str, Any]) -> _Search:
    search = _Search(need=need)
    for name, others in need.libraries.items():
        _library(search, name, others, answers["libraries"])
    for name in need.headers:
        answer = answers["headers"][name]
        (search.present if answer["there"] else search.absent).append(answer.get("path") or answer["why"])
    if need.programs:
        found = next(filter(None, map(shutil.which, need.programs)), None)
        if found:
            search.present.append(found)
        else:
            search.absent += [f"{name}: not on PATH" for name in need.programs]
    return search


def _library(search: _Search, name: str, others: Sequence[str], answers: Mapping[str, Any]) -> None:
    if answers[name]["there"] and name not in others:
        search.present.append(answers[name]["path"] or name)
        return
    stand_in = next((other for other in others if answers[other]["there"] and answers[other]["path"]), None)
    if stand_in is None or search.need.links is None:
        tried = dict.fromkeys((name, *others))
        search.absent += [answers[one].get("why") or f"{one}: there, but not where" for one in tried]
        return
    target = Path(answers[stand_in]["path"])
    search.links.append(Link(path=f"{search.need.links}/{name}", target=target))
    search.present.append(str(target) if stand_in == name else f"{target} for {name}")


def _ask(needs: Sequence[SystemNeed], interpreter: Interpreter) -> Mapping[str, Any]:
    wanted = {
        "libraries": [name for need in needs for own, others in need.libraries.items() for name in (own, *others)],
        "headers": [name for need in needs for name in need.headers],
    }
    if not any(wanted.values()):
        return {}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    question = json.dumps(wanted)
    answer = process.run([interpreter.path, "-S", probe("system"), question], environ=environ, timeout=_PROBE_SECONDS)
    try:
        facts: Mapping[str, Any] = json.loads(answer.stdout)
    except ValueError:
        raise SystemNeedError(
            f"{interpreter.path} can't look for libraries.",
            looked_at=answer.last_lines(),
            hints=["Name another Python: --python X"],
        ) from None
    return facts


def _error(missing: Missing, system: System, interpreter: Interpreter) -> SystemNeedError:
    need = missing.need
    command = system.command(need.packages, python=interpreter.minor)
    if command:
        hints = [f"Install it: {command}", "Then run the same command again. kerasenv installs no system packages."]
    else:
        elsewhere = ", ".join(f"{package} ({manager})" for manager, package in need.packages.items())
        hints = [f"Install {need.name}; elsewhere it is called {elsewhere}" if elsewhere else f"Install {need.name}"]
    return SystemNeedError(
        f"{need.name} is missing on this system, and without it: {need.because}.",
        looked_at=[*missing.looked_at, f"system {system.title}"],
        hints=hints,
    )
