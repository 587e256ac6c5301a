"""The shipped profiles, built and trained for real, each on every Python of this machine that it is for."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from packaging.pylock import Pylock
from uv import find_uv_bin

from kerasenv.resources import shipped_profiles
from tests.programs import PYENV_ROOT, run_kerasenv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FindPython

BACKENDS = {"tf2-modern": "tensorflow", "tf1-legacy-standalone": "tensorflow", "theano-legacy": "theano"}
PYTHONS = [
    *(("tf2-modern", python) for python in ("3.10", "3.11", "3.12", "3.13")),
    *(("tf1-legacy-standalone", python) for python in ("3.6", "3.7")),
    *(("theano-legacy", python) for python in ("3.6", "3.7", "3.8")),
]
OTHERS = sorted({path.stem for path in shipped_profiles().glob("*.toml")} - BACKENDS.keys())
ELSEWHERE = {
    "cntk-legacy": "needs a library of the system: test_system.py tries it where that is there",
    "keras3-torch": "takes 3 GB of downloads: nox -s profiles builds it",
}
INFERRING = {"keras3-numpy", "keras3-openvino"}
BACKEND = "import keras; print(keras.backend.backend())"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to stand in, where pyenv's Pythons are found."""
    monkeypatch.setenv("PYENV_ROOT", str(PYENV_ROOT))
    return tmp_path


def kerasenv(*arguments: str | Path, cwd: Path, **env: str) -> Any:
    """Run a verb and return the data of its answer."""
    answer = run_kerasenv(*arguments, "--json", "--quiet", cwd=cwd, env=env, timeout=1800)
    envelope = json.loads(answer.stdout)
    assert answer.returncode == 0, envelope["error"]
    return envelope["data"]


def last_line(*command: str | Path, **env: str) -> str:
    answer = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        env={**os.environ, **env},
    )
    return answer.stdout.strip().splitlines()[-1]


def installed(environment: Path) -> dict[str, str]:
    """Return every file of an environment's packages with its digest, as their RECORD files have it."""
    return {
        path: digest
        for record in environment.glob("lib/python*/site-packages/*.dist-info/RECORD")
        for path, digest, _ in csv.reader(record.read_text("utf-8").splitlines())
        if digest
    }


@pytest.mark.parametrize(("profile", "version"), PYTHONS)
def test_a_profile_makes_an_environment_that_trains(
    profile: str, version: str, room: Path, home: Path, python: FindPython
) -> None:
    made = kerasenv("create", profile, "--python", python(version), cwd=room)

    smoke = made["smoke"]
    assert smoke["passed"]
    assert {"import", "backend", "build", "compile", "train", "predict"} <= {step["name"] for step in smoke["steps"]}
    assert made["environment"]["receipt"]["python_version"].startswith(f"{version}.")

    # Without activation, with settings of another Keras in the home, and with the variable already set
    (home / ".keras").mkdir(exist_ok=True)
    (home / ".keras" / "keras.json").write_text('{"backend": "cntk", "floatx": "float16", "epsilon": "x"}')
    interpreter = room / ".venv" / "bin" / "python"
    assert last_line(interpreter, "-c", BACKEND) == BACKENDS[profile]
    assert last_line(interpreter, "-c", BACKEND, KERAS_BACKEND=BACKENDS[profile]) == BACKENDS[profile]
    assert last_line(room / ".venv" / "bin" / "pip", "--version").startswith("pip ")


@pytest.mark.parametrize("profile", [*BACKENDS, *OTHERS])
def test_what_the_era_wrote_works(profile: str, room: Path) -> None:
    """In the idiom of the era; what the three best known ones say meanwhile is all known."""
    if profile in ELSEWHERE:
        pytest.skip(ELSEWHERE[profile])
    kerasenv("create", profile, "--no-smoke", cwd=room)

    smoke = kerasenv("smoke", "--full", cwd=room)

    assert [step["name"] for step in smoke["full"]["steps"]] == [
        *("imports", "import", "conv2d", "lstm", "functional"),
        *(("generator",) if profile in INFERRING else ("callbacks", "generator")),
    ]
    assert {step["status"] for step in smoke["full"]["steps"]} == {"passed"}
    assert profile not in BACKENDS or (smoke["unknown"], smoke["full"]["unknown"]) == ([], [])
    assert smoke["devices"]


@pytest.mark.parametrize("profile", BACKENDS)
def test_a_lock_alone_gives_the_same_environment(
    profile: str, room: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In another folder, with an empty home and an empty cache."""
    kerasenv("create", profile, "--no-smoke", cwd=room)
    elsewhere, stranger = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("stranger")
    lock = f"pylock.{profile}.toml"
    shutil.copy(room / lock, elsewhere)

    try:
        made = kerasenv(
            "rebuild",
            cwd=elsewhere,
            HOME=str(stranger),
            UV_CACHE_DIR=str(stranger / "uv"),
            XDG_CACHE_HOME=str(stranger / "cache"),
        )

        assert made["smoke"]["passed"]
        assert installed(elsewhere / ".venv") == installed(room / ".venv")
        assert (elsewhere / lock).read_bytes() == (room / lock).read_bytes()
    finally:
        shutil.rmtree(elsewhere)
        shutil.rmtree(stranger)


def test_other_tools_accept_the_lock(room: Path, python: FindPython) -> None:
    kerasenv("create", "tf2-modern", "--python", python("3.12"), "--no-smoke", cwd=room)
    lock = room / "pylock.tf2-modern.toml"
    Pylock.from_dict(tomli.loads(lock.read_text("utf-8"))).validate()
    interpreter = room / ".venv" / "bin" / "python"

    synced = subprocess.run(
        [find_uv_bin(), "pip", "sync", "--dry-run", "--python", interpreter, lock],
        capture_output=True,
        text=True,
        check=False,
    )
    assert synced.returncode == 0, synced.stderr
    assert "Would make no changes" in synced.stderr

    by_pip = subprocess.run(
        [interpreter, "-m", "pip", "install", "--dry-run", "--no-deps", "-r", lock],
        capture_output=True,
        text=True,
        check=False,
    )
    assert by_pip.returncode == 0, by_pip.stderr
    assert "Would install" not in by_pip.stdout


def test_the_second_engine_makes_the_same_environment(room: Path, python: FindPython) -> None:
    folders = []
    for engine in ("uv", "pip-tools"):
        folder = room / engine
        folder.mkdir()
        words = ("--python", python("3.7"), "--engine", engine)
        made = kerasenv("create", "tf1-legacy-standalone", *words, cwd=folder)
        assert made["smoke"]["passed"]
        folders.append(folder)

    def packages(folder: Path) -> set[str]:
        return {path.name for path in folder.glob(".venv/lib/python3.7/site-packages/*.dist-info")}

    assert packages(folders[0]) == packages(folders[1])
    locks = [tomli.loads((folder / "pylock.tf1-legacy-standalone.toml").read_text("utf-8")) for folder in folders]
    assert hashes(locks[0]) == hashes(locks[1])


def hashes(lock: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """Return the files of each version that a lock names."""
    return {
        (package["name"], package["version"]): {
            file["hashes"]["sha256"] for file in (*package.get("wheels", ()), *filter(None, [package.get("sdist")]))
        }
        for package in lock["packages"]
    }
