"""What is going on, told by whoever does it to whoever listens.

The domain says ``with step("Installing"): ...`` and never knows whether a terminal, a log or nobody hears it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(Protocol):
    """Hears steps begin, move and end."""

    def begin(self, step: Step) -> None:
        """Hear that a step begins."""

    def passing(self, line: str) -> None:
        """Hear what goes on within the present step."""

    def substep(self, line: str) -> None:
        """Hear that a part of the present step is over."""

    def end(self, step: Step) -> None:
        """Hear that a step is over."""

    def detail(self, line: str) -> None:
        """Hear what helps to find out why something fails."""

    def note(self, text: str) -> None:
        """Hear what a person should know that is no error."""


@dataclass(kw_only=True, slots=True)
class Step:
    """One thing that takes time; `result` and `source` are what a person reads when it is done."""

    title: str
    result: str = ""
    source: str = ""
    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    failed: bool = False

    def done(self, result: str, *, source: str = "") -> None:
        """Say what came out and where the decision came from."""
        self.result, self.source = result, source


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send all that is told inside to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Tell that something begins, and afterwards how long it took."""
    current = Step(title=title)
    listener = _listener.get()
    if listener is not None:
        listener.begin(current)
    try:
        yield current
    except BaseException:
        current.failed = True
        raise
    finally:
        current.seconds = time.perf_counter() - current.started
        if listener is not None:
            listener.end(current)


def passing(line: str) -> None:
    """Tell what is going on within the present step, such as a download."""
    listener = _listener.get()
    if listener is not None:
        listener.passing(line)


def substep(line: str) -> None:
    """Tell that a part of the present step is over, and what came out."""
    listener = _listener.get()
    if listener is not None:
        listener.substep(line)


def detail(line: str) -> None:
    """Tell what helps to find out why something fails, such as a command that is run."""
    listener = _listener.get()
    if listener is not None:
        listener.detail(line)


def note(text: str) -> None:
    """Tell a person something they should know that is no error."""
    listener = _listener.get()
    if listener is not None:
        listener.note(text)
