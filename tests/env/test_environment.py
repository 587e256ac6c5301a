from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from kerasenv.env.environment import RECEIPT, Environment, Receipt, has_receipt, open_environment, write_receipt
from kerasenv.errors import EnvironmentFolderError
from kerasenv.smoke.plan import Noise, SmokePlan, Trial

RECEIPT_OF_TINY = Receipt(
    kerasenv="0.1.0",
    created="2026-01-01T00:00:00+00:00",
    profile="tiny",
    variant=None,
    lock_name="pylock.tiny.toml",
    lock_digest="sha256:0",
    python_version="3.11.7",
    python_path="/somewhere/python",
    engine="uv 0.9",
    backend="tensorflow",
    variables={"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/a place/é"},
    activation_hooks=True,
    startup_hook=False,
    smoke_plan=asdict(SmokePlan(backend="tensorflow")) | {"formats": ["h5"]},
    smoke={"passed": True},
)


def write(folder: Path, **changes: Any) -> Path:
    """Write a receipt in which some keys differ, or are missing if they are None; return its path."""
    table = asdict(RECEIPT_OF_TINY) | changes
    place = folder / RECEIPT
    place.write_text(json.dumps({key: table[key] for key in table if changes.get(key, "") is not None}))
    return place


def test_a_receipt_comes_back_as_it_was(tmp_path: Path) -> None:
    assert not has_receipt(tmp_path)

    write_receipt(tmp_path, RECEIPT_OF_TINY)

    assert has_receipt(tmp_path)
    assert open_environment(tmp_path) == Environment(folder=tmp_path, receipt=RECEIPT_OF_TINY)
    assert open_environment(tmp_path).plan == SmokePlan(backend="tensorflow", formats=("h5",))
    assert [path.name for path in tmp_path.iterdir()] == [RECEIPT]


def test_what_is_tried_and_known_comes_back(tmp_path: Path) -> None:
    trial, noise = Trial(idiom="keras2", imports=("import keras",)), Noise(text="BLAS", because="it is")
    write(tmp_path, trial=asdict(trial), noise=[asdict(noise)])

    assert open_environment(tmp_path).trial == trial
    assert open_environment(tmp_path).noise == (noise,)


def test_a_receipt_from_before_there_were_trials(tmp_path: Path) -> None:
    write(tmp_path, trial=None, noise=None)

    assert open_environment(tmp_path).trial == Trial()
    assert open_environment(tmp_path).noise == ()


def test_it_knows_its_python(tmp_path: Path) -> None:
    inside = Path("Scripts", "python.exe") if sys.platform == "win32" else Path("bin", "python")

    assert Environment(folder=tmp_path, receipt=RECEIPT_OF_TINY).python == tmp_path / inside


def test_a_receipt_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the disk is full."""
    write_receipt(tmp_path, RECEIPT_OF_TINY)

    def run_full(self: Path, *_args: object, **_options: object) -> None:
        self.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", run_full)
    with pytest.raises(OSError, match="No space left"):
        write_receipt(tmp_path, replace(RECEIPT_OF_TINY, profile="other"))

    assert open_environment(tmp_path).receipt == RECEIPT_OF_TINY
    assert [path.name for path in tmp_path.iterdir()] == [RECEIPT]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "can't be read"),
        ("{", "can't be read"),
        ("\udcff", "can't be read"),
        ("[]", "of a kind that this kerasenv doesn't know"),
        ("null", "of a kind that this kerasenv doesn't know"),
        ("{}", "of a kind that this kerasenv doesn't know"),
        ('{"format": 2}', "of a kind that this kerasenv doesn't know"),
        ('{"format": 1}', "is not whole"),
        ('{"format": 1, "profile": "tiny"}', "is not whole"),
    ],
)
def test_a_receipt_that_can_not_be_used(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / RECEIPT).write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(EnvironmentFolderError) as caught:
        open_environment(tmp_path)

    assert said in caught.value.message
    assert str(tmp_path / RECEIPT) in caught.value.looked_at[0]
    assert any("kerasenv rebuild --force" in hint for hint in caught.value.hints)


@pytest.mark.parametrize(
    "changes",
    [
        {"variables": "x"},
        {"variables": {"KERAS_BACKEND": 1}},
        {"smoke_plan": []},
        {"smoke_plan": {}},
        {"smoke_plan": {"unheard": "of"}},
        {"trial": {"idiom": "keras2"}},
        {"trial": "x"},
        {"noise": [{"text": "BLAS"}]},
        {"noise": ["x"]},
        {"profile": 1},
        {"profile": None},
        {"unheard": "of"},
    ],
    ids=repr,
)
def test_a_receipt_that_somebody_edited(tmp_path: Path, changes: dict[str, Any]) -> None:
    place = write(tmp_path, **changes)

    with pytest.raises(EnvironmentFolderError, match="is not whole") as caught:
        open_environment(tmp_path)

    assert str(place) in caught.value.looked_at[0]


def test_what_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    for name, said in {"none": "There is no environment", "file": "There is no environment", "folder": "made"}.items():
        with pytest.raises(EnvironmentFolderError, match=said):
            open_environment(tmp_path / name)
