"""What needs the system, for real: CNTK with and without OpenMPI, Theano without a compiler."""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import KERASENV, PYENV_ROOT, run_kerasenv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FindPython

OPENMPI = ctypes.util.find_library("mpi_cxx")
TRAIN = """
import numpy as np
from keras.layers import LSTM, Conv2D, Dense, Flatten, MaxPooling2D
from keras.models import Sequential

labels = np.eye(2, dtype="float32")[np.arange(32) % 2]
images = Sequential([Conv2D(4, 3, input_shape=(8, 8, 1)), MaxPooling2D(), Flatten(), Dense(2, activation="softmax")])
words = Sequential([LSTM(8, input_shape=(5, 3)), Dense(2, activation="softmax")])
for model, shape in ((images, (32, 8, 8, 1)), (words, (32, 5, 3))):
    model.compile("adam", "categorical_crossentropy")
    loss = model.fit(np.random.rand(*shape).astype("float32"), labels, verbose=0).history["loss"][-1]
    assert np.isfinite(loss)
print("trained")
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to stand in, where pyenv's Pythons are found."""
    monkeypatch.setenv("PYENV_ROOT", str(PYENV_ROOT))
    return tmp_path


def create(profile: str, python: Path, cwd: Path, **env: str) -> Any:
    """Make an environment and return the data of the answer."""
    answer = run_kerasenv("create", profile, "--python", python, "--json", "--quiet", cwd=cwd, env=env, timeout=1800)
    envelope = json.loads(answer.stdout)
    assert answer.returncode == 0, envelope["error"]
    return envelope["data"]


def test_cntk_trains_without_any_variable(room: Path, python: FindPython) -> None:
    """Convolutional and recurrent models too; by the interpreter of the environment, in an empty environment."""
    if OPENMPI is None:
        pytest.skip("there is no OpenMPI with libmpi_cxx on this machine: apt-get install libopenmpi3")

    made = create("cntk-legacy", python("3.6"), room)

    assert made["smoke"]["passed"]
    trained = subprocess.run(
        [room / ".venv" / "bin" / "python", "-c", TRAIN],
        env={"PATH": os.defpath, "HOME": str(room)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.stdout.endswith("trained\n"), trained.stderr


def test_without_openmpi_cntk_stops_before_anything_is_fetched(room: Path, python: FindPython) -> None:
    """Where there is one, it is hidden: empty files are put over it, for this process alone."""
    interpreter = python("3.6")
    command = [*KERASENV, "create", "cntk-legacy", "--python", str(interpreter)]
    if OPENMPI is not None:
        if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
            pytest.skip("OpenMPI is here, and only root on Linux can hide it")
        hide = "find /lib/ /usr/lib/ -name 'libmpi*.so*' -exec mount --bind /dev/null {} \\; ; exec \"$@\""
        command = ["unshare", "--mount", "sh", "-c", hide, "sh", *command]

    refused = subprocess.run(command, cwd=room, capture_output=True, text=True, check=False)

    assert refused.returncode == 1, refused.stderr
    assert "error: OpenMPI is missing on this system" in refused.stderr
    assert "libmpi_cxx.so.1: cannot open shared object file" in refused.stderr
    assert "libopenmpi3" in refused.stderr.partition("hint: ")[2]
    assert list(room.iterdir()) == []


def test_theano_works_without_a_compiler(room: Path, python: FindPython) -> None:
    nothing = room / "nothing"
    nothing.mkdir()

    made = create("theano-legacy", python("3.7"), room, PATH=str(nothing))

    assert made["smoke"]["passed"]
    assert made["environment"]["receipt"]["variables"]["THEANO_FLAGS"].endswith(",cxx=")
