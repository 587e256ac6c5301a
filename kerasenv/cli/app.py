"""The command line: the verbs, and the one place where errors become text, JSON and exit codes."""

import io
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

import kerasenv
from kerasenv.cli import (
    bundle,
    create,
    diff,
    export,
    face,
    list_,
    lock,
    python_,
    rebuild,
    remove,
    run_,
    show,
    smoke,
    store_,
    sync,
    verify,
)
from kerasenv.cli.face import Face
from kerasenv.errors import Interrupted, KerasenvError, UsageError
from kerasenv.outcome import Outcome
from kerasenv.report import json as json_report
from kerasenv.report import text
from kerasenv.report.progress import make_console

app = typer.Typer(
    name="kerasenv",
    help="Working Keras environments of every era: profile, lock, environment, proof.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _name, _verb in (
    ("create", create.create),
    ("rebuild", rebuild.rebuild),
    ("lock", lock.lock),
    ("diff", diff.diff),
    ("list", list_.list_),
    ("show", show.show),
    ("smoke", smoke.smoke),
    ("run", run_.run),
    ("verify", verify.verify),
    ("sync", sync.sync),
    ("export", export.export),
    ("bundle", bundle.bundle),
    ("remove", remove.remove),
):
    app.command(_name)(face.verb(_verb))
_python = typer.Typer(help="See which Pythons there are, and get others.")
_python.command("list")(face.verb(python_.list_))
_python.command("install")(face.verb(python_.install))
app.add_typer(_python, name="python")
_store = typer.Typer(help="See and tidy up what is kept for the next environments.")
_store.command("info")(face.verb(store_.info))
_store.command("verify")(face.verb(store_.verify))
_store.command("gc")(face.verb(store_.gc))
_store.command("clear")(face.verb(store_.clear))
app.add_typer(_store, name="store")


def _print_version(value: bool) -> None:  # noqa: FBT001  # typer's callback
    if value:
        typer.echo(f"kerasenv {kerasenv.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


# typer carries a click of its own, and shows of its errors only the leaves
_ClickError: type[Any] = typer.BadParameter.__mro__[2]


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
    sys.exit(code)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that everything half-made is cleared away on the way out
    raise _Signalled(number)


def main(arguments: list[str]) -> int:
    """Run one command line; return its exit code."""
    words = [word for word in arguments if not word.startswith("-")]
    command = " ".join(words[: 2 if words[:1] in (["python"], ["store"]) else 1])
    before, behind = _split(arguments) if command == "run" else (arguments, [])
    current = Face(json="--json" in before, words=behind)
    token = face.current.set(current)
    try:
        outcome = typer.main.get_command(app).main(before or ["--help"], prog_name="kerasenv", standalone_mode=False)
    except BrokenPipeError:
        raise
    except (_Signalled, Exception) as error:  # noqa: BLE001  # the one boundary: all is told in the form asked for
        return _fail(current, command, _told(error))
    else:
        # typer hands over the exit code of --help, --version and typer.Exit
        return outcome if isinstance(outcome, int) else _succeed(current, command, outcome)
    finally:
        face.current.reset(token)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part the command line at the first `--`: what is behind it belongs to another program."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


_SILENT = -2


def _succeed(current: Face, command: str, outcome: Outcome[Any]) -> int:
    if current.json:
        sys.stdout.write(json_report.outcome_as_json(command, outcome, current.notes) + "\n")
    elif current.verbosity > _SILENT:
        text.print_outcome(make_console(stderr=False), outcome)
    sys.stdout.flush()
    if outcome.error is not None and not current.json:
        text.print_error(make_console(stderr=True), outcome.error)
    return outcome.exit_code


def _fail(current: Face, command: str, error: KerasenvError) -> int:
    if current.json:
        sys.stdout.write(json_report.error_as_json(command, error, current.notes) + "\n")
        sys.stdout.flush()
    else:
        text.print_error(make_console(stderr=True), error)
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
        case _ClickError():
            context = getattr(error, "ctx", None)
            path = context.command_path if context else "kerasenv"
            usage = f"{path} [DIR] -- COMMAND..." if path.endswith(" run") else f"{path} --help"
            return UsageError(error.format_message(), hints=[usage])
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            return KerasenvError(f"{error.strerror or error}{where}", hints=["What was there before is still there."])
        case _:
            return KerasenvError(
                f"kerasenv itself failed: {type(error).__name__}: {error}",
                looked_at=traceback.format_exception(error),
                hints=["This is a fault of kerasenv. What was there before is still there."],
            )
