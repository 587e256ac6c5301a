"""What every verb has in common: how much is said, and in which form."""

import functools
import inspect
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Any

from kerasenv import progress
from kerasenv.cli.parameter import option
from kerasenv.outcome import Outcome
from kerasenv.report.progress import TerminalProgress
from kerasenv.report.screen import Screen

Verb = Callable[..., Outcome[Any]]


@dataclass(kw_only=True, slots=True)
class Face:
    """How this run speaks."""

    json: bool = False
    verbosity: int = 0
    words: list[str] = field(default_factory=list)
    """What stands behind `--` on the command line."""
    notes: list[str] = field(default_factory=list)


current: ContextVar[Face] = ContextVar("face")


class Leave(Exception):
    """A verb has done all that it had to, and knows the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


_OPTIONS: dict[str, Any] = {
    "json": Annotated[bool, option("--json", help="Print one JSON object and nothing else.")],
    "quiet": Annotated[
        int,
        option(
            "--quiet",
            "-q",
            count=True,
            help="Say less: once only the result, twice nothing but errors.",
            show_default=False,
        ),
    ],
    "verbose": Annotated[
        int,
        option("--verbose", "-v", count=True, help="Say more: every program that is started, too.", show_default=False),
    ],
}


class _Listener(TerminalProgress):
    """Shows progress, and keeps notes for the JSON envelope."""

    def note(self, text: str) -> None:
        current.get().notes.append(text)
        super().note(text)


def verb(function: Verb) -> Verb:
    """Give a verb the options that all have, and let its progress be seen."""

    @functools.wraps(function)
    def wrapped(*, json: bool, quiet: int, verbose: int, **arguments: Any) -> Outcome[Any]:
        face = current.get()
        face.json, face.verbosity = json, verbose - quiet
        with progress.listening(_Listener(Screen(sys.stderr), verbosity=face.verbosity)):
            return function(**arguments)

    signature = inspect.signature(function)
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=False if name == "json" else 0
        )
        for name, annotation in _OPTIONS.items()
    ]
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in signature.parameters.values()]
    wrapped.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {**function.__annotations__, **_OPTIONS}
    return wrapped
