"""The command line as such: help, completion, exit codes, terminals and pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import kerasenv
from kerasenv.cli.app import main
from tests.programs import KERASENV, start_kerasenv
from tests.project import Project, work_folders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex

VERBS = [
    *("create", "rebuild", "lock", "diff", "list", "show", "smoke", "run"),
    *("verify", "sync", "export", "bundle", "remove"),
]
GROUPS = ["python", "store"]
IN_GROUPS = ["python list", "python install", "store info", "store verify", "store gc", "store clear"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")


def test_help_shows_every_verb(tmp_path: Path) -> None:
    project = Project(tmp_path)

    for words in ([], ["--help"]):
        done = project.done(*words)
        commands = done.stdout.partition("Commands:")[2]
        assert [line.split()[0] for line in commands.splitlines() if line.strip()] == [*VERBS, *GROUPS]
        assert done.stderr == ""


@pytest.mark.parametrize("verb", [*VERBS, *IN_GROUPS])
def test_every_verb_has_help_and_the_same_options(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*verb.split(), "--help"]) == 0

    out, err = capfd.readouterr()
    for option in ("--json", "--quiet", "--verbose", "--help"):
        assert option in out
    assert err == ""


def test_the_version(tmp_path: Path) -> None:
    assert Project(tmp_path).done("--version").stdout == f"kerasenv {kerasenv.__version__}\n"
    assert Project(tmp_path).done("--version", "list").stdout == f"kerasenv {kerasenv.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_profiles_are_completed(tmp_path: Path, shell: str) -> None:
    variables = {
        "bash": {"COMP_WORDS": "kerasenv create t", "COMP_CWORD": "2"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "kerasenv create t"},
        "fish": {"_TYPER_COMPLETE_ARGS": "kerasenv create t", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]

    done = Project.make(tmp_path).run(env={"_KERASENV_COMPLETE": f"complete_{shell}", **variables})

    for name in ("tf1-legacy-standalone", "tf2-modern", "theano-legacy", "tiny"):
        assert name in done.stdout


def test_what_is_behind_two_dashes_is_not_dropped(tmp_path: Path) -> None:
    """Only `run` has words for another program there; for the rest, options end."""
    error = Project.make(tmp_path).refused("create", "--", "no-such-profile")

    assert "there is no profile 'no-such-profile'" in error


def test_an_error_says_what_to_type(tmp_path: Path) -> None:
    error = Project(tmp_path).refused("create", "--bogus", code=2)

    assert error.startswith("No such option: --bogus")
    assert error.endswith("hint: kerasenv create --help\n")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_at_once_and_leaves_nothing(
    project: Project, index: LocalIndex, number: signal.Signals
) -> None:
    """While packages are installed."""
    with (
        index.trouble("keras-*.whl", hold=True) as trouble,
        start_kerasenv("create", "tiny", "new/place/.venv", cwd=project.folder) as process,
    ):
        assert trouble.met.wait(60)
        assert work_folders(project.folder / "new" / "place")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert stdout == ""
    assert "error: " in stderr
    assert "what was there before is still there" in stderr
    assert [path.name for path in project.folder.iterdir()] == ["profiles"]


@posix
def test_under_nohup_it_goes_on(project: Project, index: LocalIndex) -> None:
    with (
        index.trouble("keras-*.whl", hold=True) as trouble,
        start_kerasenv(
            *("create", "tiny", "--no-smoke"),
            cwd=project.folder,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        ) as process,
    ):
        assert trouble.met.wait(60)
        process.send_signal(signal.SIGHUP)
        trouble.release.set()
        process.communicate(timeout=60)

    assert process.returncode == 0


@posix
def test_who_stops_reading_is_no_error(tmp_path: Path) -> None:
    """As `kerasenv list | head -n 1` does."""
    with start_kerasenv("list", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


def test_what_the_locale_can_not_encode_is_escaped(tmp_path: Path) -> None:
    project = Project.make(tmp_path, summary="\N{GREEK SMALL LETTER KAPPA}eras")

    done = project.run("show", "tiny", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    failed = project.run("create", "\N{GREEK SMALL LETTER KAPPA}", env={"PYTHONIOENCODING": "ascii"})

    assert done.stdout.startswith("tiny: \\u03baeras")
    assert "\\u03ba" in failed.stderr
    assert failed.returncode == 1


@posix
class TestTerminal:
    @staticmethod
    def shown(project: Project, *words: str, **environ: str) -> str:
        """Run kerasenv on a terminal of its own and return all that it shows there."""
        leader, follower = os.openpty()
        with (
            os.fdopen(leader, "rb", buffering=0) as screen,
            subprocess.Popen(
                [*KERASENV, *words],
                cwd=project.folder,
                env={**os.environ, "TERM": "xterm", **environ},
                stdin=follower,
                stdout=follower,
                stderr=follower,
            ) as process,
        ):
            os.close(follower)
            seen = b""
            while True:
                try:
                    seen += screen.read(4096)
                except OSError:  # the other end is closed
                    break
            assert process.wait() == 0
        return seen.decode()

    def test_colours_where_somebody_looks(self, made: Project) -> None:
        assert "\x1b[1;32m✓ " in self.shown(made, "create", "tiny", "--no-smoke")

    def test_no_colours_where_nobody_wants_them(self, made: Project) -> None:
        shown = self.shown(made, "create", "tiny", "--no-smoke", NO_COLOR="1")

        assert "\x1b[1;32m" not in shown
        assert "✓ " in shown

    def test_plain_lines_in_ci(self, made: Project) -> None:
        assert "\x1b" not in self.shown(made, "create", "tiny", "--no-smoke", CI="true")
