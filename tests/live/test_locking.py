"""Locks of the shipped profiles, from the real index."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from packaging.pylock import Pylock

from kerasenv.lock.cells import grid, pythons_of
from kerasenv.lock.gaps import gaps_in
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.search import list_profiles
from kerasenv.resources import shipped_profiles
from tests.programs import PYENV_ROOT, start_kerasenv

if TYPE_CHECKING:
    from pathlib import Path

PROFILES = {profile.name: profile for profile in list_profiles(cwd=shipped_profiles()).profiles}
BOTH = ("tf2-modern", "tf1-legacy-standalone", "theano-legacy")


@pytest.fixture(autouse=True)
def _pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(PYENV_ROOT))


def locked(*words: str, cwd: Path, mask: int = 0o022, **env: str) -> Any:
    """Lock, and return the data of the answer."""
    with start_kerasenv("lock", *words, "--json", "--quiet", cwd=cwd, env=env, umask=mask) as process:
        stdout, stderr = process.communicate(timeout=1800)
    envelope = json.loads(stdout)
    assert process.returncode == 0, envelope["error"] or stderr
    return envelope["data"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
@pytest.mark.parametrize("name", PROFILES)
def test_two_locks_are_the_same_bytes_for_all_that_the_profile_claims(name: str, tmp_path: Path) -> None:
    contents = []
    for number, (mask, zone, language) in enumerate([(0o077, "UTC", "C"), (0o002, "Pacific/Chatham", "tr_TR.UTF-8")]):
        home = tmp_path / f"home of user {number}"
        home.mkdir()
        places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "UV_CACHE_DIR": str(home / "uv")}
        locked(name, cwd=home, mask=mask, TZ=zone, LANG=language, LC_ALL=language, **places)
        contents.append((home / f"pylock.{name}.toml").read_bytes())
        shutil.rmtree(home / "uv", ignore_errors=True)
    assert contents[0] == contents[1]

    pylock = Pylock.from_dict(tomli.loads(contents[0].decode()))
    pylock.validate()
    profile = PROFILES[name]
    cells = grid(pythons_of(profile.requires_python), [PLATFORMS[one] for one in profile.platforms])
    known = tomli.loads(contents[0].decode())["tool"]["kerasenv"].get("missing", [])
    gaps = [
        {"package": gap.package, "platform": gap.platform, "pythons": list(gap.pythons)}
        for gap in gaps_in(pylock.packages, cells)
    ]
    assert gaps == known
    assert {gap["platform"] for gap in gaps} < set(profile.platforms)


@pytest.mark.parametrize("name", BOTH)
def test_both_engines_choose_the_same(name: str, tmp_path: Path) -> None:
    """Without the shipped pins, which would lead both to the same."""
    (answer,) = locked(name, "--engine", "both", "--upgrade", cwd=tmp_path)

    assert answer["status"] == "new"
    assert answer["agreed"]


def test_the_pandas_of_a_spring(tmp_path: Path) -> None:
    locked("tf1-legacy-standalone", "--as-of", "2020-06-01", "--with", "pandas", cwd=tmp_path)

    lock = tomli.loads((tmp_path / "pylock.tf1-legacy-standalone.toml").read_text("utf-8"))
    versions = {package["name"]: package["version"] for package in lock["packages"]}
    assert versions["pandas"] == "1.0.4"
    assert versions["tensorflow"] == "1.15.5", "which came later, and is what the profile is about"
    late = {
        package["name"]
        for package in lock["packages"]
        for file in (*package.get("wheels", ()), *filter(None, [package.get("sdist")]))
        if file["upload-time"].strftime("%Y-%m-%d") > "2020-06-01"
    }
    assert late <= {"tensorflow", "setuptools", "wheel"}
