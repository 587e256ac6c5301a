from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform != "linux":
    pytest.skip("only Linux lets a process adopt those that others left behind", allow_module_level=True)

import subprocess

from benchmarks.stopwatch import Command, run

if TYPE_CHECKING:
    from pathlib import Path

LEAVES_ONE_BEHIND = """
import subprocess, sys
late = "import pathlib, sys; sys.stdin.read(1); pathlib.Path('late').touch()"
subprocess.Popen([sys.executable, "-c", late], start_new_session=True)
"""

# In a process of its own: whoever adopts orphans does so to its end, and would take those of other tests
WAITS = f"""
import os, subprocess, sys
from pathlib import Path
from benchmarks.stopwatch import Command, adopt_orphans, wait_for_background

adopt_orphans()
reading, writing = os.pipe()
os.set_inheritable(writing, False)
subprocess.run([sys.executable, "-c", {LEAVES_ONE_BEHIND!r}], stdin=reading, check=True)
os.close(reading)
assert not Path("late").exists()
os.write(writing, b"x")
fails = [sys.executable, "-c", "raise SystemExit(2)"]
spent = wait_for_background(Command(words=fails, environ=os.environ, cwd=Path.cwd()))
assert Path("late").exists()
print(spent.cpu_seconds > 0)
"""


def test_what_is_left_behind_is_waited_for_and_its_cpu_counted(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    answer = subprocess.run(
        [sys.executable, "-c", WAITS], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )

    assert (answer.stdout, answer.returncode) == ("True\n", 0), answer.stderr


def test_a_command_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "raise SystemExit('no such thing')"]

    with pytest.raises(SystemExit, match="no such thing"):
        run(Command(words=words, environ=os.environ, cwd=tmp_path), tmp_path / "log")


ASKS = """
import os, sys
from pathlib import Path
import benchmarks.stopwatch
from benchmarks.stopwatch import Command, wait_for_background

benchmarks.stopwatch._ASK_EVERY = 0
tells = "import pathlib; asked = pathlib.Path('asked'); number = len(asked.read_text()) if asked.exists() else 0;"
tells += "asked.write_text('x' * (number + 1)); print('{\\"data\\": {\\"busy\\": %s}}' % str(number < 2).lower())"
spent = wait_for_background(Command(words=[sys.executable, "-c", tells], environ=os.environ, cwd=Path.cwd()))
print(len(Path("asked").read_text()), spent.seconds > 0)
"""


def test_a_store_that_says_it_is_busy_is_asked_again(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    answer = subprocess.run(
        [sys.executable, "-c", ASKS], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )

    assert (answer.stdout, answer.returncode) == ("3 True\n", 0), answer.stderr
