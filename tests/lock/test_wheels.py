"""What the index has for which machine, and what a person takes whose machine a profile is not for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kerasenv.errors import ProfileError
from kerasenv.lock.machine import check_platform, this_machine
from kerasenv.lock.wheels import coverage_of, nearest
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.search import find_profile, list_profiles
from kerasenv.resources import shipped_profiles

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(path.stem for path in shipped_profiles().glob("*.toml"))


def markers(platform: str) -> dict[str, str]:
    one = PLATFORMS[platform]
    return this_machine() | {"sys_platform": one.sys_platform, "platform_machine": one.machine}


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_claims_just_the_machines_that_the_index_has_everything_for(name: str, tmp_path: Path) -> None:
    profile = find_profile(name, cwd=tmp_path)
    known = coverage_of(profile)

    assert [one.platform for one in known] == list(PLATFORMS), "look again: tools/find_wheels.py"
    assert {one.platform for one in known if one.pythons} == set(profile.platforms)


def test_what_is_missing_on_every_python_is_what_keeps_a_profile_away(tmp_path: Path) -> None:
    (there,) = [
        one
        for one in coverage_of(find_profile("tf1-legacy-standalone", cwd=tmp_path))
        if one.platform == "linux-aarch64"
    ]

    assert "tensorflow 1.15.5" in there.lacking
    assert there.pythons == ()


def test_nothing_is_known_of_a_profile_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\nextends = "tf2-modern"\nsummary = "Mine"\n')

    assert coverage_of(find_profile("./mine.toml", cwd=tmp_path)) == ()


@pytest.mark.parametrize(
    ("name", "platform", "expected"),
    [
        # Keras 2.3 on TensorFlow: the oldest Keras 2 on TensorFlow that has wheels there
        ("tf1-legacy-standalone", "macos-arm64", "tf210"),
        ("tf24", "linux-aarch64", "tf210"),
        # Keras 3: the last TensorFlow for Intel Macs is older
        ("tf2-modern", "macos-x86_64", "tf215-keras2"),
    ],
)
def test_the_nearest_has_the_same_backend_and_the_next_keras(
    name: str, platform: str, expected: str, tmp_path: Path
) -> None:
    # Of the TensorFlow ones alone: which other backends there are is not what this is about
    others = [one for one in list_profiles(cwd=tmp_path).profiles if one.name.startswith("tf2")]

    near = nearest(find_profile(name, cwd=tmp_path), others, platform=platform)

    assert near is not None
    assert near.name == expected


def test_there_is_no_nearest_where_nothing_runs(tmp_path: Path) -> None:
    assert nearest(find_profile("tf24", cwd=tmp_path), [], platform="linux-aarch64") is None


def test_on_another_machine_it_says_what_is_missing_and_what_to_take(tmp_path: Path) -> None:
    profile = find_profile("tf1-legacy-standalone", cwd=tmp_path)

    with pytest.raises(ProfileError, match="is not for this machine: macOS arm64") as caught:
        check_platform(profile, markers("macos-arm64"), cwd=tmp_path)

    assert "no wheels for macOS arm64: " in caught.value.looked_at[1]
    assert "tensorflow 1.15.5" in caught.value.looked_at[1]
    assert caught.value.hints[0].endswith("kerasenv create tf210")
    assert "Rosetta 2" in caught.value.hints[1]
    assert "container of Linux x86_64" in caught.value.hints[2]


def test_a_machine_that_kerasenv_does_not_know_is_named_as_it_names_itself(tmp_path: Path) -> None:
    profile = find_profile("tf2-modern", cwd=tmp_path)

    with pytest.raises(ProfileError, match="is not for this machine: freebsd14 riscv64"):
        check_platform(
            profile, this_machine() | {"sys_platform": "freebsd14", "platform_machine": "riscv64"}, cwd=tmp_path
        )


def test_where_it_runs_there_is_nothing_to_say(tmp_path: Path) -> None:
    check_platform(find_profile("tf2-modern", cwd=tmp_path), markers("macos-arm64"), cwd=tmp_path)
