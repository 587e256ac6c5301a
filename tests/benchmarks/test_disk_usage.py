from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("st_blocks is not known there", allow_module_level=True)

from benchmarks.disk_usage import bytes_of_files, bytes_used, can_clone
from tests.isolation import MACHINE

KILOBYTES_40 = b"x" * 40960


def blocks_of(*places: Path) -> int:
    return sum(place.lstat().st_blocks * 512 for place in places)


def test_a_file_with_two_names_takes_its_blocks_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (first / "file").write_bytes(KILOBYTES_40)
    os.link(first / "file", second / "other")

    both = bytes_of_files([first, second])

    assert both == blocks_of(first, second, first / "file")
    assert both - bytes_of_files([first]) == blocks_of(second)
    assert bytes_of_files([second]) == blocks_of(second, first / "file"), "by itself it has all of it"


def test_a_copy_takes_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(KILOBYTES_40)
    before = bytes_of_files([tmp_path])
    (tmp_path / "copy").write_bytes(KILOBYTES_40)

    assert bytes_of_files([tmp_path]) - before >= len(KILOBYTES_40)


def test_a_hole_takes_no_blocks(tmp_path: Path) -> None:
    place = tmp_path / "hole"
    with place.open("wb") as file:
        file.truncate(2**30)

    assert bytes_of_files([place]) < 2**20


def test_folders_count_below_one_another_and_links_are_not_followed(tmp_path: Path) -> None:
    deep, elsewhere = tmp_path / "root" / "a" / "b", tmp_path / "elsewhere"
    deep.mkdir(parents=True)
    elsewhere.write_bytes(KILOBYTES_40)
    (deep / "file").write_bytes(KILOBYTES_40)
    link = deep / "link"
    link.symlink_to(elsewhere)

    found = bytes_of_files([tmp_path / "root"])

    assert found == blocks_of(tmp_path / "root", deep.parent, deep, deep / "file", link)


def test_a_root_within_another_counts_once(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "file").write_bytes(KILOBYTES_40)

    assert bytes_of_files([inner, tmp_path]) == bytes_of_files([tmp_path])


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert bytes_of_files([tmp_path / "missing"]) == 0


def test_a_clone_takes_nothing_of_the_file_system() -> None:
    named = MACHINE.get("KERASENV_TEST_CLONING_FOLDER")
    if not named:
        pytest.skip("KERASENV_TEST_CLONING_FOLDER names no folder on a file system that can clone files")
    with tempfile.TemporaryDirectory(dir=named) as made:
        folder, size = Path(made), 20_000_000
        begun = bytes_used(folder)
        (folder / "file").write_bytes(os.urandom(size))
        written = bytes_used(folder)
        subprocess.run(["cp", "--reflink=always", folder / "file", folder / "clone"], check=True)

        assert can_clone(folder)
        assert written - begun >= size
        assert bytes_used(folder) - written < size / 10
        assert bytes_of_files([folder]) >= 2 * size


def test_where_nothing_can_be_cloned(tmp_path: Path) -> None:
    """On a file system without clones the answer is no, and in any case nothing is left behind."""
    (tmp_path / "file").write_bytes(b"content")
    words: list[str | Path] = ["cp", "--reflink=always", tmp_path / "file", tmp_path / "clone"]
    same = subprocess.run(words, capture_output=True, check=False).returncode == 0
    (tmp_path / "clone").unlink(missing_ok=True)

    assert can_clone(tmp_path) == same
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
