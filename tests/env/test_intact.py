from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kerasenv.env.intact import Unlike, find_unlike, unlike_error, unpacked_since
from kerasenv.env.inventory import take_inventory
from kerasenv.progress import listening
from kerasenv.store.sharing import with_other_names
from kerasenv.uv import uv_command
from tests.local_index import Wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return an environment with a package of twelve files and a script."""
    names = [f"tiny/{number:02}.py" for number in range(12)]
    wheel = Wheel(
        name="tiny",
        version="1.0",
        files=dict.fromkeys(["tiny/__init__.py", *names], "x = 1\n"),
        scripts={"run": "tiny:x"},
    )
    (tmp_path / wheel.filename).write_bytes(wheel.build())
    folder = tmp_path / "env"
    for words in (["venv", str(folder)], ["pip", "install", f"--python={folder}", str(tmp_path / wheel.filename)]):
        subprocess.run([*uv_command(), *words, "--quiet", "--offline"], check=True, stdin=subprocess.DEVNULL)
    return folder


def test_what_was_just_installed(environment: Path) -> None:
    assert find_unlike(take_inventory(environment)) is None


def test_bytecode_is_nobodys_business(environment: Path) -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(environment)], check=True)

    assert find_unlike(take_inventory(environment)) is None


def test_files_that_changed_are_named(environment: Path) -> None:
    for number in range(12):
        (place,) = environment.rglob(f"tiny/{number:02}.py")
        place.unlink()
        if number != 3:
            place.write_text("x = 2\n", "utf-8")

    unlike = find_unlike(take_inventory(environment))
    assert unlike is not None
    error = unlike_error(unlike)

    assert error.message.startswith("Not all that was installed is what its package says of it: 12 of ")
    told = [line.replace("\\", "/") for line in error.looked_at]
    assert told[0].startswith("tiny: ")
    assert told[0].endswith("/site-packages/tiny/00.py (changed)")
    assert told[3].endswith("/site-packages/tiny/03.py (missing)")
    assert told[10:] == ["and 2 more"]
    assert error.hints[0].endswith("uv cache clean tiny")


def test_one_without_a_record(environment: Path) -> None:
    (record,) = environment.rglob("tiny-1.0.dist-info/RECORD")
    record.unlink()

    unlike = find_unlike(take_inventory(environment))
    assert unlike is not None
    error = unlike_error(unlike)

    assert error.looked_at == ("tiny: its RECORD can't be read",)


@pytest.mark.parametrize("name", ["METADATA", "WHEEL"])
def test_what_describes_a_wheel_is_told_and_no_reason_to_stop(environment: Path, name: str) -> None:
    """Publishers edited it later: that of tensorflow 0.12.1, and cntk 2.7.post2 can be had in no other form."""
    _edit(environment, name)
    said: list[str] = []
    listener: Any = SimpleNamespace(note=said.append)

    with listening(listener):
        assert find_unlike(take_inventory(environment)) is None

    assert len(said) == 1
    assert f"tiny-1.0.dist-info/{name} isn't what the package says of it" in said[0]


def _edit(environment: Path, *names: str) -> None:
    for name in names:
        (place,) = environment.rglob(f"tiny-1.0.dist-info/{name}")
        content = place.read_bytes()
        place.unlink()
        place.write_bytes(content + b"\n")


def test_of_what_was_unpacked_just_now_the_size_is_compared(environment: Path) -> None:
    """The engine unpacked it from a file whose sha256 it verified."""
    same, other, old = (next(environment.rglob(f"tiny/{number:02}.py")) for number in (1, 2, 3))
    for place, text in ((same, "y = 1\n"), (other, "x = 10\n"), (old, "z = 1\n")):
        place.unlink()
        place.write_text(text, "utf-8")
    unpacked = {place.relative_to(environment).as_posix(): place.stat().st_size for place in (same, other)}

    by_size = find_unlike(take_inventory(environment), unpacked=unpacked)
    by_digest = find_unlike(take_inventory(environment))

    assert _told(by_size) == ["02.py (changed)", "03.py (changed)"]
    assert _told(by_digest) == ["01.py (changed)", "02.py (changed)", "03.py (changed)"]


def test_what_has_no_other_name_may_be_a_copy_of_anything(tmp_path: Path) -> None:
    early, late, alone = (tmp_path / name for name in ("early", "late", "alone"))
    for place, time in ((early, 1), (late, 3), (alone, 3)):
        place.write_bytes(b"four")
        os.utime(place, ns=(time, time))
    for place in (early, late):
        place.with_suffix(".kept").hardlink_to(place)

    kept = with_other_names(str(tmp_path), ["early", "late", "alone"])

    assert unpacked_since(2, kept) == {"late": 4}


def _told(unlike: Unlike | None) -> list[str]:
    assert unlike is not None
    return [line.rpartition("/")[2] for line in unlike.told]
