from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from kerasenv import progress

if TYPE_CHECKING:
    from kerasenv.progress import Step


class Listener:
    """Remembers all that it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self, step: Step) -> None:
        self.heard.append(f"begin {step.title}")

    def passing(self, line: str) -> None:
        self.heard.append(f"passing {line}")

    def substep(self, line: str) -> None:
        self.heard.append(f"substep {line}")

    def detail(self, line: str) -> None:
        self.heard.append(f"detail {line}")

    def note(self, text: str) -> None:
        self.heard.append(f"note {text}")

    def end(self, step: Step) -> None:
        self.heard.append(f"end {step.title}: {step.result} [{step.source}] {'failed' if step.failed else 'done'}")
        assert step.seconds >= 0


def speak() -> None:
    with progress.step("Lock") as step:
        progress.passing("a line")
        progress.substep("a part")
        progress.detail("a command")
        step.done("7 packages", source="here")
    progress.note("by the way")


def test_who_listens_hears_it_in_order() -> None:
    listener = Listener()

    with progress.listening(listener):
        speak()
    speak()

    assert listener.heard == [
        "begin Lock",
        "passing a line",
        "substep a part",
        "detail a command",
        "end Lock: 7 packages [here] done",
        "note by the way",
    ]


def test_nobody_has_to_listen() -> None:
    speak()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_step_that_fails_ends_too(error: type[BaseException]) -> None:
    listener = Listener()

    with progress.listening(listener), pytest.raises(error), progress.step("Lock"):
        raise error

    assert listener.heard == ["begin Lock", "end Lock:  [] failed"]


def test_a_step_can_say_itself_that_it_failed() -> None:
    listener = Listener()

    with progress.listening(listener), progress.step("Smoke test") as step:
        step.failed = True

    assert listener.heard[-1].endswith(" failed")


def test_listeners_can_be_nested() -> None:
    outer, inner = Listener(), Listener()

    with progress.listening(outer):
        with progress.listening(inner):
            progress.note("inside")
        progress.note("outside")

    assert (outer.heard, inner.heard) == (["note outside"], ["note inside"])


def test_a_thread_is_heard_in_the_context_that_it_was_given() -> None:
    listener = Listener()

    with progress.listening(listener):
        threads = [
            threading.Thread(target=copy_context().run, args=(progress.note, "heard")),
            threading.Thread(target=progress.note, args=("in a context of its own",)),
        ]
    for thread in threads:
        thread.start()
        thread.join()

    assert listener.heard == ["note heard"]
