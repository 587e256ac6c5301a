from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kerasenv.env.keras_home import write_keras_home
from kerasenv.lock.lockfile import Promise
from kerasenv.profiles.profile import KerasSettings
from kerasenv.smoke.plan import SmokePlan

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, **promised: Any) -> dict[str, Any]:
    """Return what Keras reads."""
    write_keras_home(folder / "keras", Promise(profile="tiny", smoke=SmokePlan(), **promised))
    read: dict[str, Any] = json.loads((folder / "keras" / "keras.json").read_text("utf-8"))
    return read


def test_what_every_keras_expects(tmp_path: Path) -> None:
    """A Keras that misses a key writes the file anew, or fails."""
    assert settings(tmp_path, backend="theano") == {
        "floatx": "float32",
        "epsilon": 1e-07,
        "image_data_format": "channels_last",
        "backend": "theano",
    }


def test_what_the_profile_wants(tmp_path: Path) -> None:
    chosen = KerasSettings(floatx="float16", epsilon=0.0, image_data_format="channels_first")

    assert settings(tmp_path, settings=chosen) == {
        "floatx": "float16",
        "epsilon": 0.0,
        "image_data_format": "channels_first",
        "backend": "tensorflow",
    }


def test_downloads_stay_shared_with_every_other_keras(tmp_path: Path, home: Path) -> None:
    settings(tmp_path)

    (tmp_path / "keras" / "models" / "weights.h5").write_text("downloaded")

    assert (home / ".keras" / "models" / "weights.h5").read_text() == "downloaded"
    assert sorted(path.name for path in (home / ".keras").iterdir()) == ["datasets", "models"]


@pytest.mark.skipif(sys.platform == "win32", reason="there it is made in another way")
def test_a_home_that_can_not_be_written(tmp_path: Path, home: Path) -> None:
    """Then Keras makes folders of its own."""
    (home / ".keras").touch()

    assert settings(tmp_path)["backend"] == "tensorflow"
    assert [path.name for path in (tmp_path / "keras").iterdir()] == ["keras.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_home_that_is_elsewhere(tmp_path: Path, home: Path) -> None:
    """Many have their weights on a bigger disk."""
    (tmp_path / "big").mkdir()
    (home / ".keras").symlink_to(tmp_path / "big")

    settings(tmp_path)

    assert (tmp_path / "keras" / "models").resolve() == tmp_path / "big" / "models"
