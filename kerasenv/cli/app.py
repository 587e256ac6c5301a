"""The command line: the verbs, and the one place where errors become text, JSON and exit codes."""

import gc
import importlib
import io
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, NoReturn

from kerasenv.cli import face
from kerasenv.cli.face import Face, Leave, Verb
from kerasenv.cli.parameter import taken_by
from kerasenv.cli.plain import plainly
from kerasenv.errors import Interrupted, KerasenvError
from kerasenv.outcome import Outcome
from kerasenv.report import text
from kerasenv.report.screen import Screen

# The function of each verb; of two words, if it stands in a group. Only the one that is called is imported
VERBS = {
    "create": "create.create",
    "rebuild": "rebuild.rebuild",
    "lock": "lock.lock",
    "diff": "diff.diff",
    "list": "list_.list_",
    "show": "show.show",
    "smoke": "smoke.smoke",
    "run": "run_.run",
    "verify": "verify.verify",
    "sync": "sync.sync",
    "export": "export.export",
    "bundle": "bundle.bundle",
    "remove": "remove.remove",
    "python list": "python_.list_",
    "python install": "python_.install",
    "store info": "store_.info",
    "store verify": "store_.verify",
    "store gc": "store_.gc",
    "store clear": "store_.clear",
}
GROUPS = {
    "python": "See which Pythons there are, and get others.",
    "store": "See and tidy up what is kept for the next environments.",
}


class _Signalled(BaseException):
    """Somebody wants this process to end.

    No `except Exception` on the way out may think otherwise, nor typer, which makes an exit code of KeyboardInterrupt.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run() -> NoReturn:
    """Run the command line and leave with its exit code."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # What is ignored stays so: under nohup, or in the background of a script
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name), _leave)
    # A path or a summary can hold what the locale's encoding can't
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output went away, as `| head` does; Python would complain once more when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    gc.freeze()  # what is there goes with the process, and need not be looked through once more
    sys.exit(code)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that everything half-made is cleared away on the way out
    raise _Signalled(number)


def main(arguments: list[str]) -> int:
    """Run one command line; return its exit code."""
    words = [word for word in arguments if not word.startswith("-")]
    command = " ".join(words[: 2 if words and words[0] in GROUPS else 1])
    before, behind = _split(arguments) if command == "run" else (arguments, [])
    current = Face(json="--json" in before, words=behind)
    token = face.current.set(current)
    try:
        outcome = _run(before)
    except BrokenPipeError:
        raise
    except Leave as leave:
        return leave.code
    except (_Signalled, Exception) as error:  # noqa: BLE001  # the one boundary: all is told in the form asked for
        return _fail(current, command, _told(error))
    else:
        return outcome if isinstance(outcome, int) else _succeed(current, command, outcome)
    finally:
        face.current.reset(token)


def _run(words: list[str]) -> Outcome[Any] | int:
    """Return what the verb returns, or the exit code of --help, --version and completion."""
    meant = _meant(words)
    if len(meant) == 1 and _COMPLETE not in os.environ:
        (verb,) = map(load, meant)
        arguments = plainly(taken_by(verb), words[len(meant[0].split()) :])
        if arguments is not None:
            return verb(**arguments)
    from kerasenv.cli.full import run_fully  # noqa: PLC0415  # 150 ms with the typer that it imports

    return run_fully({name: load(name) for name in meant}, GROUPS, words or ["--help"])


def _meant(words: list[str]) -> list[str]:
    """Return the verbs that a command line can mean: the one that it begins with, those of a group, or all."""
    for count in (1, 2):
        if " ".join(words[:count]) in VERBS:
            return [" ".join(words[:count])]
    return [name for name in VERBS if name.split()[0] in words[:1]] or list(VERBS)


def load(name: str) -> Verb:
    """Return a verb with the options that all have."""
    module, _, function = VERBS[name].partition(".")
    return face.verb(getattr(importlib.import_module(f"kerasenv.cli.{module}"), function))


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part the command line at the first `--`: what is behind it belongs to another program."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


# By which the shell is told that the person presses tab
_COMPLETE = "_KERASENV_COMPLETE"
_SILENT = -2


def _succeed(current: Face, command: str, outcome: Outcome[Any]) -> int:
    if current.json:
        from kerasenv.report import json as json_report  # noqa: PLC0415  # only for programs

        sys.stdout.write(json_report.outcome_as_json(command, outcome, current.notes) + "\n")
    elif current.verbosity > _SILENT:
        text.print_outcome(Screen(sys.stdout), outcome)
    sys.stdout.flush()
    if outcome.error is not None and not current.json:
        text.print_error(Screen(sys.stderr), outcome.error)
    return outcome.exit_code


def _fail(current: Face, command: str, error: KerasenvError) -> int:
    if current.json:
        from kerasenv.report import json as json_report  # noqa: PLC0415  # only for programs

        sys.stdout.write(json_report.error_as_json(command, error, current.notes) + "\n")
        sys.stdout.flush()
    else:
        text.print_error(Screen(sys.stderr), error)
    return error.exit_code


def _told(error: BaseException) -> KerasenvError:
    """Return any error as one that tells a person what to do."""
    match error:
        case KerasenvError():
            return error
        case _Signalled():
            name = signal.Signals(error.number).name
            interrupted = Interrupted(f"Interrupted by {name}: what was there before is still there.")
            interrupted.exit_code = 128 + error.number
            return interrupted
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            return KerasenvError(f"{error.strerror or error}{where}", hints=["What was there before is still there."])
        case _:
            return KerasenvError(
                f"kerasenv itself failed: {type(error).__name__}: {error}",
                looked_at=traceback.format_exception(error),
                hints=["This is a fault of kerasenv. What was there before is still there."],
            )
