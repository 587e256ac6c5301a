from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.store import sharing
from kerasenv.store.sharing import (
    clone,
    copy,
    forbid_writing_into_shared,
    may_be_shared,
    part_from_others,
    share,
    with_other_names,
)
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="elsewhere permissions are another thing")
TIME = 1_600_000_000_123_456_700


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be cloned, wherever the tests run."""
    monkeypatch.setattr(sharing, "_CLONING", {})


def _file(folder: Path, content: bytes = b"\0content", *, mode: int = 0o644, name: str = "source") -> str:
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, ns=(TIME, TIME))
    return str(path)


@pytest.mark.parametrize(
    ("name", "content", "shared"),
    [
        ("module.py", b"import os\n", False),
        ("empty.py", b"", False),
        ("library.so", b"\x7fELF\2\0", True),
        ("header.h", b"#pragma once\n", True),
        ("late", b"x" * 4096 + b"\0", False),
        ("early", b"x" * 4095 + b"\0", True),
        ("METADATA", "Name: größe\n".encode(), False),
    ],
)
def test_text_is_not_shared(tmp_path: Path, name: str, content: bytes, *, shared: bool) -> None:
    assert may_be_shared(_file(tmp_path, content, name=name)) is shared


@posix
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("mode", [0o644, 0o755, 0o444, 0o666])
def test_what_is_shared_is_the_same_and_can_not_be_written_into(tmp_path: Path, mode: int) -> None:
    source, target = _file(tmp_path, mode=mode), str(tmp_path / "target")

    share(source, target)

    assert os.path.samefile(source, target)  # noqa: PTH121
    assert stat.S_IMODE(os.lstat(target).st_mode) == mode & 0o555
    assert os.lstat(source).st_mtime_ns == TIME


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("content", [b"", b"text", bytes(range(256)) * 5000])
def test_a_copy_is_another_file_of_the_same_time(tmp_path: Path, content: bytes) -> None:
    source, target = _file(tmp_path, content, mode=0o755), tmp_path / "target"

    copy(source, str(target))

    assert target.read_bytes() == content
    assert not target.samefile(source)
    assert target.lstat().st_mtime_ns == TIME
    if os.name == "posix":
        assert stat.S_IMODE(target.lstat().st_mode) == 0o755


@pytest.mark.parametrize("make", [share, copy])
@pytest.mark.parametrize("there", ["file", "link"])
def test_what_is_there_stays(tmp_path: Path, make: object, there: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"mine") if there == "file" else target.symlink_to("nowhere")

    with pytest.raises(FileExistsError):
        make(_file(tmp_path), str(target))  # type: ignore[operator]

    assert target.is_symlink() if there == "link" else target.read_bytes() == b"mine"


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "error", [OSError(errno.EXDEV, "another"), OSError(errno.EMLINK, "many"), NotImplementedError()]
)
def test_it_is_copied_where_it_can_not_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os, "link", refuse)
    source, target = _file(tmp_path), tmp_path / "target"

    share(source, str(target))

    assert target.read_bytes() == b"\0content"
    assert not target.samefile(source)
    assert os.access(target, os.W_OK)  # nobody else has it


FULL = """
import resource, sys
sys.path[0] = sys.argv[1]
from kerasenv.store import sharing
sharing._CLONING = {}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    sharing.copy(*sys.argv[2:])
except OSError as error:
    print(error.strerror)
else:
    print("copied")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_nothing_is_copied_by_halves(tmp_path: Path) -> None:
    """Where the disk is full a write can be shorter than what it was given, without an error."""
    source, target = _file(tmp_path, bytes(250_000)), tmp_path / "target"

    finished = subprocess.run(
        [sys.executable, "-c", FULL, CHECKOUT, source, target], capture_output=True, check=True, encoding="utf-8"
    )

    assert finished.stdout.strip() == os.strerror(errno.EFBIG)
    assert not target.exists()


@posix
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("stays_open", [True, False])
def test_text_parts_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stays_open: bool) -> None:
    monkeypatch.setattr(sharing, "_STAYS_OPEN", stays_open)
    for name, content in (("text", b"text\n"), ("module.py", b"one = 1\n"), ("code", b"\0")):
        os.link(_file(tmp_path, content, name=f"kept-{name}"), tmp_path / name)
    (tmp_path / "link").symlink_to("kept-text")
    (tmp_path / "single").write_bytes(b"single\n")

    several = with_other_names(str(tmp_path), ["text", "module.py", "code", "link", "single"])
    part_from_others(str(tmp_path), several)
    assert list(several) == ["code", "module.py", "text"]
    forbid_writing_into_shared(str(tmp_path), ["text", "module.py", "code", "link", "single", "gone"])

    for name, apart in (("text", True), ("module.py", True), ("code", False)):
        kept, own = tmp_path / f"kept-{name}", tmp_path / name
        assert own.samefile(kept) is not apart
        assert own.read_bytes() == kept.read_bytes()
        assert own.lstat().st_mtime_ns == TIME
        assert bool(own.stat().st_mode & 0o222) is apart
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".kerasenv")) == []


def test_a_file_system_that_can_not_clone_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    asked = []

    def refuse(*_: object) -> None:
        asked.append(1)
        raise OSError(errno.EOPNOTSUPP, "can't")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    monkeypatch.setattr(sharing, "_CANT_CLONE", set())
    source = _file(tmp_path)

    for name in ("one", "two"):
        assert sharing._clone_on_linux(source, str(tmp_path / name)) is False  # noqa: SLF001
        assert not (tmp_path / name).exists()

    assert len(asked) == 1


def test_one_that_could_not_just_now_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk says nothing of what the file system can."""
    fcntl = pytest.importorskip("fcntl")
    asked = []

    def refuse(*_: object) -> None:
        asked.append(1)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    monkeypatch.setattr(sharing, "_CANT_CLONE", set())
    source = _file(tmp_path)

    for name in ("one", "two"):
        assert sharing._clone_on_linux(source, str(tmp_path / name)) is False  # noqa: SLF001

    assert len(asked) == 2


def test_where_nothing_can_be_cloned_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_CLONING", {})

    assert clone(_file(tmp_path), str(tmp_path / "target")) is False
