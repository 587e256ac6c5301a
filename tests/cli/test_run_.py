"""kerasenv run: a command in an environment, as if it had been activated, and nothing of kerasenv in between."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.variables import bin_folder
from tests.programs import start_kerasenv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals and no exec")

SHOW = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:], sys.prefix, sys.stdin.read()]))"


def test_variables_words_and_input_arrive_as_they_are(made: Project) -> None:
    words = ["-q", "--json", "", "it's $HOME", "--", "é"]
    outside = {"KERAS_BACKEND": "jax", "KERAS_HOME": "/elsewhere", "PYTHONHOME": sys.base_prefix, "MINE": "a\nb"}

    done = made.run("run", ".venv", "--", "python", "-c", SHOW, *words, env=outside, stdin="line\nno end")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    environ, argv, prefix, stdin = json.loads(done.stdout)
    assert argv == words
    assert stdin == "line\nno end"
    assert prefix == environ["VIRTUAL_ENV"] == str(made.environment)
    assert environ["KERAS_BACKEND"] == "tensorflow"
    assert environ["KERAS_HOME"] == str(made.environment / "keras")
    assert environ["MINE"] == "a\nb"
    assert environ["PATH"] == f"{bin_folder(made.environment)}{os.pathsep}{os.environ['PATH']}"
    assert "PYTHONHOME" not in environ


def test_the_folder_can_be_left_out_or_be_elsewhere(made: Project, tmp_path: Path) -> None:
    for words, cwd in ([], made.folder), ([made.environment], tmp_path):
        done = made.run("run", *words, "--", "python", "-c", "import keras; print(keras.__version__)")
        assert (done.stdout, done.returncode) == ("3.15.1\n", 0), (done.stderr, cwd)


@pytest.mark.parametrize("code", [0, 1, 2, 77, 255])
def test_its_exit_code_is_the_commands(made: Project, code: int) -> None:
    assert made.run("run", "--", "python", "-c", f"raise SystemExit({code})").returncode == code


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_reach_the_command(made: Project, number: signal.Signals) -> None:
    """Who sends one to kerasenv means the command, and it may have its own mind."""
    code = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with start_kerasenv("run", "--", "python", "-c", code, cwd=made.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(30) == 42


@posix
def test_a_command_that_dies_of_a_signal(made: Project) -> None:
    """Whoever waits for kerasenv sees the very same death."""
    done = made.run("run", "--", "sh", "-c", "kill -KILL $$")

    assert done.returncode == -signal.SIGKILL


@posix
def test_a_broken_pipe_ends_a_program_quietly(made: Project) -> None:
    """Python ignores SIGPIPE, and what it starts would inherit that."""
    done = made.run("run", "--", "sh", "-c", "yes | head -n 1; kill -PIPE $$")

    assert done.stdout == "y\n"
    assert done.stderr == ""
    assert done.returncode == -signal.SIGPIPE


@posix
def test_what_was_ignored_stays_ignored(made: Project) -> None:
    """As under nohup."""
    words = ["sh", "-c", "kill -HUP $$; echo alive"]
    with start_kerasenv(
        "run", "--", *words, cwd=made.folder, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ) as process:
        stdout, _ = process.communicate(timeout=60)

    assert stdout == "alive\n"


def test_what_a_program_prints_goes_straight_out(made: Project) -> None:
    """Nothing is held back until the end."""
    code = "import sys; print('first', flush=True); sys.stdin.readline(); print('second')"
    with start_kerasenv("run", "--", "python", "-c", code, cwd=made.folder) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "first\n"
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "second\n"


def test_json_is_for_what_kerasenv_says(made: Project) -> None:
    done = made.run("run", "--json", "--", "python", "-c", "print('mine')")

    assert done.stdout == "mine\n"


@pytest.mark.parametrize("words", [[], ["--"], [".venv"], [".venv", "--"]], ids=" ".join)
def test_without_a_command(made: Project, words: list[str]) -> None:
    error = made.refused("run", *words, code=2)

    assert "There is no command to run." in error
    assert "hint: kerasenv run .venv -- python" in error


def test_a_command_that_is_not_there(made: Project) -> None:
    error = made.refused("run", "--", "no-such-command")

    assert "no-such-command could not be started: No such file" in error


def test_without_an_environment(made: Project, tmp_path: Path) -> None:
    assert f"There is no environment in {tmp_path / 'none'}." in made.refused("run", tmp_path / "none", "--", "true")
    assert f"{tmp_path} is no environment that kerasenv made." in made.refused("run", tmp_path, "--", "true")


@posix
def test_kerasenv_is_gone_meanwhile(made: Project) -> None:
    """The command takes its place, so that there is one process less to wait for and to signal."""
    with start_kerasenv("run", "--", "sh", "-c", "echo $$", cwd=made.folder) as process:
        stdout, _ = process.communicate(timeout=60)

    assert int(stdout) == process.pid


def test_a_program_finds_its_neighbours(made: Project) -> None:
    """pip is the environment's, though it is asked for by name alone."""
    done = made.run("run", "--", "pip", "--version")

    assert done.stdout.startswith(f"pip 26.0 from {made.environment}")
