from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasenv import process, progress
from kerasenv.errors import ProgramError
from kerasenv.process import Finished, redact, run
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals and no exec")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class TestRun:
    def test_output_and_exit_code_come_back(self) -> None:
        finished = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))

        assert (finished.returncode, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
        assert finished.command[0] == sys.executable

    def test_lines_are_heard_as_they_come(self) -> None:
        heard: list[str] = []
        with_both: list[str] = []

        run(
            python("import sys; print('out'); print('a\\r\\nb', file=sys.stderr); print('c', end='', file=sys.stderr)"),
            on_line=heard.append,
            on_stdout_line=with_both.append,
        )

        assert heard == ["a", "b", "c"]
        assert with_both == ["out"]

    def test_a_flood_on_both_streams(self) -> None:
        """Neither pipe may fill up while the other is read."""
        code = "import sys; [(print('x' * 999), print('y' * 999, file=sys.stderr)) for _ in range(2000)]"

        finished = run(python(code))

        assert len(finished.stdout) == len(finished.stderr) == 2_000_000

    def test_words_variables_folder_and_input_arrive(self, tmp_path: Path) -> None:
        code = "import os, sys; print(sys.argv[1:], os.environ['MINE'], os.getcwd(), sys.stdin.read())"
        words = ["", "a b", "'\"$HOME`", "é"]

        finished = run(
            [*python(code), *words],
            environ={**os.environ, "MINE": "1"},
            cwd=tmp_path,
            stdin="text \N{GREEK SMALL LETTER PI}",
        )

        assert finished.stdout == f"{words} 1 {tmp_path} text \N{GREEK SMALL LETTER PI}\n"

    def test_without_input_there_is_none(self) -> None:
        """A program that asks would wait for an answer that nobody sees the question of."""
        assert run(python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"

    def test_a_program_that_does_not_read_its_input(self) -> None:
        assert run(python("pass"), stdin="x" * 1_000_000).returncode == 0

    def test_bytes_that_are_no_text(self) -> None:
        finished = run(python("import sys; sys.stdout.buffer.write(b'a\\xffb')"))

        assert finished.stdout == "a\N{REPLACEMENT CHARACTER}b"

    def test_a_program_that_is_not_there(self) -> None:
        with pytest.raises(ProgramError, match="no-such-program could not be started: No such file"):
            run(["no-such-program"])

    def test_one_that_takes_too_long_is_ended(self, tmp_path: Path) -> None:
        code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"

        with pytest.raises(ProgramError, match="did not end within 1 seconds"):
            run(python(code), timeout=1)

        if sys.platform != "win32":
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / "pid").read_text()), 0)

    @posix
    def test_one_that_will_not_end_is_killed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process, "_KIND_SECONDS", 0.2)
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"

        with pytest.raises(ProgramError, match="did not end within"):
            run(python(code), timeout=1)

    def test_whoever_interrupts_ends_the_program_too(self, tmp_path: Path) -> None:
        """Here from a listener's thread; as Ctrl-C does in the main one."""
        code = f"import time; print('on', flush=True); time.sleep(60); open({str(tmp_path / 'late')!r}, 'w')"
        parent = (
            f"import sys; sys.path[0] = {str(CHECKOUT)!r}; import os, signal; from kerasenv.process import run\n"
            f"run({python(code)!r}, on_stdout_line=lambda _: os.kill(os.getpid(), signal.SIGINT))"
        )

        done = subprocess.run(python(parent), capture_output=True, check=False, encoding="utf-8")

        assert "KeyboardInterrupt" in done.stderr
        assert not (tmp_path / "late").exists()

    @posix
    def test_what_it_leaves_behind_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that was started in the background keeps the pipes open."""
        monkeypatch.setattr(process, "_KIND_SECONDS", 0.2)

        finished = run(["sh", "-c", "sleep 30 & echo $!"])

        assert finished.returncode == 0
        os.kill(int(finished.stdout), signal.SIGKILL)

    def test_listeners_hear_it_from_threads_as_well(self) -> None:
        heard: list[str] = []

        class Listener:
            def begin(self, step: progress.Step) -> None: ...
            def end(self, step: progress.Step) -> None: ...
            def note(self, text: str) -> None: ...
            def substep(self, line: str) -> None: ...
            def passing(self, line: str) -> None:
                heard.append(f"{line} {threading.current_thread() is threading.main_thread()}")

            def detail(self, line: str) -> None:
                heard.append(line)

        with progress.listening(Listener()):
            run([*python("print('hello')"), "http://me:secret@127.0.0.1/x y"], on_stdout_line=progress.passing)

        assert heard[0].startswith("$ ")
        assert heard[0].endswith("'http://127.0.0.1/x y'")
        assert heard[1:] == ["hello False"]


def test_the_end_of_what_a_program_said() -> None:
    many = "".join(f"{number}\n" for number in range(100))

    def said(stdout: str, stderr: str) -> list[str]:
        return Finished(command=("x",), returncode=1, stdout=stdout, stderr=stderr).last_lines(3)

    assert said(many, "") == ["97", "98", "99"]
    assert said(many, "https://me:pw@127.0.0.1/\n\n") == ["https://127.0.0.1/"]
    assert said("", "") == []


class TestRedact:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("https://me:pw@127.0.0.1/simple", "https://127.0.0.1/simple"),
            ("https://token@127.0.0.1:8080", "https://127.0.0.1:8080"),
            ("from https://me:p@ss@127.0.0.1/simple/, or", "from https://127.0.0.1/simple/, or"),
            ("'http://me:it's@127.0.0.1/'", "'http://127.0.0.1/'"),
            ("git+ssh://git@127.0.0.1/me/it@v1", "git+ssh://127.0.0.1/me/it@v1"),
            ("https://127.0.0.1/me@home", "https://127.0.0.1/me@home"),
            ("write to me@127.0.0.1", "write to me@127.0.0.1"),
            ("https://me:pw@127.0.0.1 https://you:pw@127.0.0.2", "https://127.0.0.1 https://127.0.0.2"),
        ],
    )
    def test_credentials_are_taken_out_of_every_address(self, text: str, told: str) -> None:
        assert redact(text) == told

    @given(st.text(st.characters(exclude_characters="/", exclude_categories=["Z", "C"]), min_size=3))
    def test_whatever_a_password_is(self, password: str) -> None:
        assert redact(f"a https://user:{password}@127.0.0.1/simple b") == "a https://127.0.0.1/simple b"


@posix
class TestHandOver:
    """It never returns here, so another process calls it."""

    @staticmethod
    def call(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        code = (
            f"import sys; sys.path[0] = {str(CHECKOUT)!r}; import os; from kerasenv.process import hand_over;"
            f"hand_over({list(command)!r}, environ={{**os.environ, **{environ!r}}})"
        )
        return subprocess.run(python(code), capture_output=True, check=False, encoding="utf-8", input="input")

    def test_exit_code_and_streams_are_the_programs(self) -> None:
        done = self.call("sh", "-c", "cat; echo err >&2; exit 7")

        assert (done.returncode, done.stdout, done.stderr) == (7, "input", "err\n")

    def test_it_is_found_along_the_new_path(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("#!/bin/sh\necho here\n")
        (tmp_path / "mine").chmod(0o755)

        assert self.call("mine", PATH=str(tmp_path)).stdout == "here\n"

    def test_signals_have_their_first_meaning(self) -> None:
        code = "import signal; print([signal.getsignal(getattr(signal, n)).name for n in ('SIGTERM', 'SIGHUP')])"

        assert self.call(sys.executable, "-c", code).stdout == "['SIG_DFL', 'SIG_DFL']\n"
        assert self.call("sh", "-c", "kill -PIPE $$").returncode == -signal.SIGPIPE
        assert self.call("sh", "-c", "kill -XFSZ $$").returncode == -signal.SIGXFSZ

    def test_a_program_that_is_not_there(self) -> None:
        assert "ProgramError: no-such-program could not be started: No such file" in self.call("no-such-program").stderr

    def test_what_windows_does_instead(self, tmp_path: Path) -> None:
        """It waits, and looks along the new PATH itself, since Windows would take that of the waiting process."""
        (tmp_path / "mine").write_text("#!/bin/sh\nexit 5\n")
        (tmp_path / "mine").chmod(0o755)
        code = (
            f"import sys; sys.path[0] = {str(CHECKOUT)!r}; import signal, types; from kerasenv import process\n"
            "process.os = types.SimpleNamespace(name='nt')\n"
            f"print(process.hand_over(['mine'], environ={{'PATH': {str(tmp_path)!r}}}))\n"
            "print(signal.getsignal(signal.SIGINT).__name__)"
        )

        done = subprocess.run(python(code), capture_output=True, check=False, encoding="utf-8")

        assert (done.stdout, done.stderr) == ("5\ndefault_int_handler\n", "")
