from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("st_blocks is not known there", allow_module_level=True)

from benchmarks.disk_usage import bytes_on_disk

if TYPE_CHECKING:
    from pathlib import Path

KILOBYTES_40 = b"x" * 40960


def blocks_of(*places: Path) -> int:
    return sum(place.lstat().st_blocks * 512 for place in places)


def test_a_file_with_two_names_takes_its_blocks_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (first / "file").write_bytes(KILOBYTES_40)
    os.link(first / "file", second / "other")

    both = bytes_on_disk([first, second])

    assert both == blocks_of(first, second, first / "file")
    assert both - bytes_on_disk([first]) == blocks_of(second)
    assert bytes_on_disk([second]) == blocks_of(second, first / "file"), "by itself it has all of it"


def test_a_copy_takes_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(KILOBYTES_40)
    before = bytes_on_disk([tmp_path])
    (tmp_path / "copy").write_bytes(KILOBYTES_40)

    assert bytes_on_disk([tmp_path]) - before >= len(KILOBYTES_40)


def test_a_hole_takes_no_blocks(tmp_path: Path) -> None:
    place = tmp_path / "hole"
    with place.open("wb") as file:
        file.truncate(2**30)

    assert bytes_on_disk([place]) < 2**20


def test_folders_count_below_one_another_and_links_are_not_followed(tmp_path: Path) -> None:
    deep, elsewhere = tmp_path / "root" / "a" / "b", tmp_path / "elsewhere"
    deep.mkdir(parents=True)
    elsewhere.write_bytes(KILOBYTES_40)
    (deep / "file").write_bytes(KILOBYTES_40)
    link = deep / "link"
    link.symlink_to(elsewhere)

    found = bytes_on_disk([tmp_path / "root"])

    assert found == blocks_of(tmp_path / "root", deep.parent, deep, deep / "file", link)


def test_a_root_within_another_counts_once(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_bytes(KILOBYTES_40)

    assert bytes_on_disk([inner, tmp_path]) == bytes_on_disk([tmp_path])


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert bytes_on_disk([tmp_path / "missing"]) == 0
