"""The one door to other programs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from kerasenv import progress
from kerasenv.errors import ProgramError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# Up to the last @ before the path, as every program reads it that takes a URL
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_KIND_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a program left behind: its exit code (negative: the signal) and its output as text."""

    command: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the end of what it said, standard error first."""
        return redact(self.stderr.strip() or self.stdout.strip()).splitlines()[-count:]


def redact(text: str) -> str:
    """Take user names and passwords out of every URL."""
    return _CREDENTIALS.sub("", text)


def run(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
    on_stdout_line: Callable[[str], None] | None = None,
    timeout: float | None = None,
) -> Finished:
    """Run a program to its end and return its output, whatever its exit code.

    `on_line` sees each line of standard error as it comes, `on_stdout_line` each line of standard output. A time-out
    ends the program kindly, then firmly, and raises ProgramError, as does a program that can't be started.
    """
    words = tuple(str(word) for word in command)
    progress.detail(redact(f"$ {shlex.join(words)}"))
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environ is None else dict(environ),
            cwd=cwd,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ProgramError(f"{words[0]} could not be started: {error.strerror or error}") from error
    out: list[str] = []
    err: list[str] = []
    readers = [
        # A thread begins with an empty context, where nobody listens to progress
        threading.Thread(target=copy_context().run, args=(_read, process.stdout, out, on_stdout_line), daemon=True),
        threading.Thread(target=copy_context().run, args=(_read, process.stderr, err, on_line), daemon=True),
    ]
    try:
        for reader in readers:
            reader.start()
        if stdin is not None and process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(stdin)
        if _is_overdue(process, timeout):
            raise ProgramError(f"{words[0]} did not end within {timeout:g} seconds")
    finally:
        _stop(process)
        for reader in readers:
            if reader.ident is not None:  # a signal can come before the second one is started
                reader.join(_KIND_SECONDS)  # a program that it started and left behind can keep the pipe open
    return Finished(command=words, returncode=process.returncode, stdout="".join(out), stderr="".join(err))


def _is_overdue(process: subprocess.Popen[str], seconds: float | None) -> bool:
    """Wait for a program's end; end it and say so if it takes longer than that.

    A wait with a time-out looks only now and then whether the program is still there, and finds out up to 50 ms late.
    """
    overdue = threading.Event()

    def end() -> None:
        overdue.set()
        _stop(process)

    clock = threading.Timer(seconds, end) if seconds is not None else None
    try:
        if clock is not None:
            clock.daemon = True
            clock.start()
        process.wait()
    finally:
        if clock is not None:
            clock.cancel()
    return overdue.is_set()


def _read(stream: IO[str], into: list[str], tell: Callable[[str], None] | None) -> None:
    with stream:
        for line in stream:
            into.append(line)
            if tell is not None:
                tell(line.rstrip("\r\n"))


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program that is still running: ask, then insist."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_KIND_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def leave_behind(command: Sequence[str | Path], *, environ: Mapping[str, str], cwd: Path) -> None:
    """Start a program that goes on when this one has ended, without a terminal or anybody who listens.

    That it can't be started is no failure: it does what nobody waits for.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    with suppress(OSError):
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            cwd=cwd,
            **apart,
        )
        process.returncode = 0  # or it would be called forgotten, with a warning


def hand_over(command: Sequence[str], *, environ: Mapping[str, str]) -> int:
    """Let a program have the terminal until it ends; return its exit code, 128 + N for signal N.

    On POSIX the program replaces this process, so signals, job control and the exit code are its own and this function
    never returns. Windows has no such thing: there the program is waited for.
    """
    try:
        if os.name == "posix":
            for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and that would be inherited
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.execvpe(command[0], list(command), dict(environ))  # noqa: S606  # replacing this process is the point
        # Ctrl-C reaches the child as well; it decides what that means
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            # Windows itself would look along the PATH of this process
            program = shutil.which(command[0], path=environ.get("PATH")) or command[0]
            return subprocess.call([program, *command[1:]], env=dict(environ))
        finally:
            signal.signal(signal.SIGINT, previous)
    except OSError as error:
        raise ProgramError(f"{command[0]} could not be started: {error.strerror or error}") from error
