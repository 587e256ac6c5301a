"""What an inventory says of folders that other installers left, or that somebody damaged."""

from __future__ import annotations

import sys
from base64 import urlsafe_b64encode
from hashlib import md5, sha256
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.inventory import differing, is_bytecode, own_files, state_of, take_inventory
from kerasenv.errors import EnvironmentFolderError

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.7/site-packages"


def digest(content: bytes) -> str:
    return f"sha256={urlsafe_b64encode(sha256(content).digest()).rstrip(b'=').decode()}"


def write(folder: Path, path: str, content: str = "") -> None:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode())


def test_what_a_record_tells(tmp_path: Path) -> None:
    """Paths with a comma, with backslashes, outside of site-packages; rows that are short or empty."""
    record = f'"a,b.py",{digest(b"")},0\nsub\\c.py,{digest(b"c")},1\n../../../bin/tool,{digest(b"t")},1\n\na.pyc\nx,,\n'
    write(tmp_path, f"{SITE}/Old_Thing-1.0.post1.dist-info/RECORD", record)

    (package,) = take_inventory(tmp_path).packages

    assert (package.name, package.version) == ("old-thing", "1.0.post1")
    assert package.files == {
        f"{SITE}/a,b.py": digest(b""),
        f"{SITE}/sub/c.py": digest(b"c"),
        "bin/tool": digest(b"t"),
        f"{SITE}/a.pyc": None,
        f"{SITE}/x": None,
    }


@pytest.mark.parametrize("content", [b"\xff\xfe", b'"' + b"x" * 200_000, b"a\0b,,"], ids=["bytes", "quote", "null"])
def test_a_record_that_is_none(tmp_path: Path, content: bytes) -> None:
    """It can't be read, or tells nothing that is so; either way it is no fault of the program."""
    write(tmp_path, f"{SITE}/thing-1.0.dist-info/RECORD")
    (tmp_path / SITE / "thing-1.0.dist-info" / "RECORD").write_bytes(content)

    inventory = take_inventory(tmp_path)

    (package,) = inventory.packages
    for path in package.files or {}:
        assert path not in inventory.files


def test_what_older_installers_left(tmp_path: Path) -> None:
    write(tmp_path, f"{SITE}/one-1.0-py3.7.egg-info", "Name: One\nVersion: 1.0\n")
    write(tmp_path, f"{SITE}/two-2.0-py3.7.egg-info/PKG-INFO", "Name: Two\nVersion: 2.0\n")
    write(tmp_path, f"{SITE}/three-3.0-py3.7.egg-info/SOURCES.txt")
    write(tmp_path, f"{SITE}/four-4.0.dist-info/METADATA")

    packages = take_inventory(tmp_path).packages

    assert [(one.name, one.version, one.files) for one in packages] == [
        ("four", "4.0", None),
        ("one", "1.0", None),
        ("three", "3.0", None),
        ("two", "2.0", None),
    ]


def test_what_is_bytecode() -> None:
    files = frozenset({"a.py", "a.pyc", "b.pyo", "__pycache__/gone.cpython-37.pyc", "a.pyo"})

    assert {path for path in files if is_bytecode(path, files)} == files - {
        "a.py",
        "b.pyo",
    }  # alone, it would be imported


def test_own_files_are_those_that_no_record_tells(tmp_path: Path) -> None:
    """A script whose first line an installer wrote after the RECORD is one of them."""
    record = (
        f"thing.py,{digest(b'1')},1\n../../../bin/tool,{digest(b'#!python')},8\n../../../bin/right,{digest(b'r')},1\n"
    )
    write(tmp_path, f"{SITE}/thing-1.0.dist-info/RECORD", record)
    write(tmp_path, f"{SITE}/thing.py", "changed")
    write(tmp_path, "bin/tool", "#!/env/bin/python")
    write(tmp_path, "bin/right", "r")
    write(tmp_path, "pyvenv.cfg", "home")
    write(tmp_path, "kerasenv.json", "{}")
    write(tmp_path, "keras/keras.json", "{}")
    write(tmp_path, "keras/models/weights.h5", "downloads")

    assert own_files(take_inventory(tmp_path)) == {
        "bin/tool": digest(b"#!/env/bin/python"),
        "keras/keras.json": digest(b"{}"),
        f"{SITE}/thing-1.0.dist-info/RECORD": digest(record.encode()),
        "pyvenv.cfg": digest(b"home"),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a privilege for links")
def test_links(tmp_path: Path) -> None:
    write(tmp_path, "target/file", "x")
    (tmp_path / "lib64").symlink_to("target")
    (tmp_path / "lost").symlink_to("nowhere")

    inventory = take_inventory(tmp_path)

    assert inventory.files == {"target/file", "lib64", "lost"}
    assert (state_of(tmp_path / "lib64"), state_of(tmp_path / "lost")) == ("link:target", "link:nowhere")
    expected = {"lib64": frozenset({"link:target"}), "lost": frozenset({"link:elsewhere"})}
    assert differing(tmp_path, expected) == {"lost": "changed"}


def test_what_differs(tmp_path: Path) -> None:
    """Any of several states will do; a digest that nobody can compute is none."""
    for name in ("same", "other", "either", "old", "odd"):
        write(tmp_path, name, "x")
    (tmp_path / "folder").mkdir()
    old = f"md5={urlsafe_b64encode(md5(b'x', usedforsecurity=False).digest()).rstrip(b'=').decode()}"
    right = digest(b"x")
    expected = {
        "same": {right},
        "other": {digest(b"y")},
        "either": {digest(b"y"), right},
        "old": {old},
        "odd": {"crc99=abc"},
        "nameless": {""},
        "folder": {right},
        "same/below": {right},
        "missing": {right},
    }

    assert differing(tmp_path, {path: frozenset(states) for path, states in expected.items()}) == {
        "other": "changed",
        "odd": "changed",
        "nameless": "changed",
        "folder": "changed",
        "same/below": "missing",
        "missing": "missing",
    }


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFolderError, match="can't be read"):
        take_inventory(tmp_path / "nowhere")
