"""The pins that ship: what can be known of them without an index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.lock.cells import grid, marker_for, pythons_of
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.satisfy import unmet_by_pins
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.evidence import pins_name
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile
from kerasenv.requirements_file import format_hashed, parse_hashed
from kerasenv.resources import shipped_profiles
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.lock.cells import Cell
    from kerasenv.profiles.profile import Profile
    from kerasenv.resolution import Pin

NAMES = sorted(path.stem for path in shipped_profiles().glob("*.toml"))
FILES = sorted(shipped_profiles().glob("*.txt"))


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    """Return one of the files."""
    return request.param  # type: ignore[no-any-return]  # pytest says nothing of its type


@pytest.fixture
def pins(path: Path) -> tuple[Pin, ...]:
    return parse_hashed(path.read_text("utf-8"))


@pytest.fixture
def profile(path: Path, tmp_path: Path) -> Profile:
    """Return whose pins they are."""
    name, _, variant = path.stem.partition(".")
    found = find_profile(name, cwd=tmp_path)
    return variant_of(found, variant) if variant else found


@pytest.fixture
def cells(profile: Profile) -> tuple[Cell, ...]:
    return grid(pythons_of(profile.requires_python), [PLATFORMS[name] for name in profile.platforms])


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_and_variant_has_pins(name: str, tmp_path: Path) -> None:
    """Otherwise `create` would resolve, and two people would get different versions."""
    variants = (None, *find_profile(name, cwd=tmp_path).variants)

    assert [variant for variant in variants if not (shipped_profiles() / pins_name(name, variant)).is_file()] == []


def test_they_fit_their_profile(pins: tuple[Pin, ...], profile: Profile) -> None:
    assert unmet_by_pins(pins, profile) == []


def test_they_are_the_answer_for_their_profile(path: Path, profile: Profile) -> None:
    name, _, variant = path.stem.partition(".")

    assert shipped_pins(profile, variant=variant or None)[1] == name


def test_every_one_has_hashes(pins: tuple[Pin, ...]) -> None:
    assert [pin.name for pin in pins if not pin.hashes] == []


def test_they_name_nothing_of_a_machine(path: Path) -> None:
    """Neither an index nor a folder: `create` uses the index that the user has."""
    lines = path.read_text("utf-8").splitlines()

    assert [line for line in lines if re.search(r"://|@|\s/|^-", line)] == []
    assert [line for line in lines if line.strip().startswith("--") and "--hash=sha256:" not in line] == []


def test_they_are_written_as_the_tool_writes_them(path: Path, pins: tuple[Pin, ...]) -> None:
    """With line ends of one kind, so that their digest is the same in every checkout."""
    content = path.read_bytes()
    head = [line for line in content.decode().splitlines(keepends=True) if line.startswith("#")]

    assert len(head) == 2
    assert content == ("".join(head) + format_hashed(pins)).encode()


def test_in_each_cell_every_name_comes_once(pins: tuple[Pin, ...], cells: tuple[Cell, ...]) -> None:
    for cell in cells:
        here = [pin.name for pin in pins if cell.holds(pin.marker)]
        assert sorted(set(here)) == sorted(here), f"Python {cell.python} on {cell.platform.title}"


def test_every_marker_is_in_the_terms_of_the_grid(pins: tuple[Pin, ...], cells: tuple[Cell, ...]) -> None:
    for pin in pins:
        marker = marker_for([cell for cell in cells if cell.holds(pin.marker)], cells)
        assert (marker or "").replace("'", '"') == (pin.marker or ""), pin.name


def test_the_tool_that_made_them_is_content() -> None:
    answer = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "lock_profiles.py", "--check"],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stderr) == (0, "")
    assert sorted(answer.stdout.splitlines()) == sorted(f"{path.name}: fits" for path in FILES)
