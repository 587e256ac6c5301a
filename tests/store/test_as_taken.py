"""The process that says which entries are as they were taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.resources import probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTS = ("spare", "tree")
FOLDERS = ("", "lib", "lib/one", "lib/one/deep", "lib/two")
FILES = [f"{folder}/{name}".lstrip("/") for folder in FOLDERS for name in ("first.py", "second.so")]


@pytest.fixture(params=[1, 2, 99], ids="{} folders in a line".format)
def entry(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make an entry whose files lie in several folders, so that whoever shares the work has some of each, or none."""
    entry = tmp_path / "entry"
    table: dict[str, list[list[object]]] = {}
    for part in PARTS:
        for path in FILES:
            file = entry / part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(path, encoding="utf-8")
            os.utime(file, ns=(0, 1_700_000_000_000_000_001))
    for path in FILES:
        folder, _, name = path.rpartition("/")
        table.setdefault(folder, []).append([name, "text", len(path), 1_700_000_000_000_000_001])
    write_table(entry, table, together=request.param)
    return entry


def write_table(entry: Path, table: dict[str, list[list[object]]], *, together: int) -> None:
    folders = list(table.items())
    lines = [json.dumps(dict(folders[start : start + together])) for start in range(0, len(folders), together)]
    (entry / "files.jsonl").write_text("\n".join(lines), encoding="utf-8")


def read_table(entry: Path) -> dict[str, list[list[object]]]:
    lines = (entry / "files.jsonl").read_text("utf-8").split("\n")
    return dict(item for line in lines for item in json.loads(line).items())


def good_parts(*entries: Path) -> list[str]:
    asked = {"entries": [str(entry) for entry in entries], "parts": PARTS}
    words = [sys.executable, "-I", "-S", str(probe("as_taken"))]
    answer = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    parts = json.loads(answer.stdout)
    assert isinstance(parts, list)
    return parts


def longer(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + "more", encoding="utf-8")


def later(path: Path) -> None:
    os.utime(path, ns=(0, 1_700_000_000_000_000_002))


def test_what_was_not_touched_is_good(entry: Path, tmp_path: Path) -> None:
    assert good_parts(entry, tmp_path / "none", entry) == ["spare", "", "spare"]


def test_a_part_that_is_not_there_is_not_good(entry: Path, tmp_path: Path) -> None:
    (entry / "spare").rename(tmp_path / "taken")
    assert good_parts(entry, entry) == ["tree", "tree"]

    (entry / "tree").rename(tmp_path / "gone")
    assert good_parts(entry, entry) == ["", ""]


def test_an_entry_without_files_must_have_its_folder(entry: Path, tmp_path: Path) -> None:
    write_table(entry, {}, together=1)
    assert good_parts(entry) == [""], "no line is no table"
    (entry / "files.jsonl").write_text("{}", encoding="utf-8")
    assert good_parts(entry) == ["spare"]
    (entry / "spare").rename(tmp_path / "taken")
    assert good_parts(entry) == ["tree"]


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("harm", [longer, later, os.unlink])
def test_one_file_anywhere_spoils_its_part(entry: Path, path: str, harm: Callable[[Path], None]) -> None:
    harm(entry / "spare" / path)
    assert good_parts(entry) == ["tree"]

    harm(entry / "tree" / path)
    assert good_parts(entry) == [""]


@pytest.mark.parametrize("spoilt", FILES)
def test_two_parts_that_are_spoilt_in_different_places_make_none_that_is_good(entry: Path, spoilt: str) -> None:
    later(entry / "spare" / FILES[0])
    later(entry / "tree" / spoilt)

    assert good_parts(entry) == [""]


@pytest.mark.parametrize("name", ["..", "../first.py", "", "."])
def test_a_table_that_leads_elsewhere_is_of_no_use(entry: Path, name: str) -> None:
    table = read_table(entry)
    table["lib/two"].append([name, "text", 1, 1])
    write_table(entry, table, together=1)

    assert good_parts(entry) == [""]
