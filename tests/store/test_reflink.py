"""Where the file system can clone, no file has two names, and nobody sees what others write, whoever they are.

It needs a folder on such a file system (btrfs, XFS with reflink, APFS), which KERASENV_TEST_CLONING_FOLDER names.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.store import sharing
from kerasenv.store.sharing import clone, copy, share
from tests.isolation import MACHINE
from tests.store.rig import Rig, check_store, state_of_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local_index import LocalIndex

NAMED = "KERASENV_TEST_CLONING_FOLDER"
TIME = 1_600_000_000_123_456_700


@pytest.fixture
def cloning() -> Iterator[Path]:
    """Return a new folder where files can be cloned."""
    named = MACHINE.get(NAMED)
    if not named:
        pytest.skip(f"{NAMED} names no folder on a file system that can clone files: btrfs, XFS with reflink, APFS")
    folder = Path(tempfile.mkdtemp(dir=named, prefix="kerasenv-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("make", [clone, share, copy])
@pytest.mark.parametrize("content", [b"", b"text\n", bytes(range(256)) * 1000])
def test_a_clone_is_another_file_with_times_and_permissions(cloning: Path, make: object, content: bytes) -> None:
    source, target = cloning / "source", cloning / "target"
    source.write_bytes(content)
    source.chmod(0o755)
    os.utime(source, ns=(TIME, TIME))

    make(str(source), str(target))  # type: ignore[operator]

    state = target.lstat()
    assert (target.read_bytes(), state.st_mtime_ns, stat.S_IMODE(state.st_mode)) == (content, TIME, 0o755)
    assert (state.st_nlink, state.st_ino != source.lstat().st_ino) == (1, True)
    with target.open("ab") as stream:
        stream.write(b"mine")
    assert source.read_bytes() == content


@pytest.mark.parametrize("make", [clone, share, copy])
def test_what_is_there_stays(cloning: Path, make: object) -> None:
    source, target = cloning / "source", cloning / "target"
    source.write_bytes(b"\0")
    target.write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        make(str(source), str(target))  # type: ignore[operator]

    assert target.read_bytes() == b"mine"


def test_another_file_system_in_between_changes_nothing(cloning: Path, tmp_path: Path) -> None:
    """That nothing is cloned from here to there says nothing of here."""
    source = cloning / "source"
    source.write_bytes(b"\0content")
    if source.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"{NAMED} lies where all tests run: there is no other file system to try")

    share(str(source), str(tmp_path / "target"))
    share(str(source), str(cloning / "target"))

    assert source.stat().st_dev not in sharing._CANT_CLONE  # noqa: SLF001
    assert (tmp_path / "target").read_bytes() == b"\0content"
    assert not source.samefile(cloning / "target")


def _single(folder: Path) -> set[int]:
    """Return how many names the files of a folder have."""
    return {path.lstat().st_nlink for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def test_environments_share_nothing_that_can_be_written_into(cloning: Path, varied_index: LocalIndex) -> None:
    rig = Rig.make(cloning, varied_index)
    first = rig.make_and_keep("first")
    second, third = rig.create("second"), rig.create("third")  # a spare that was there, and what is laid without one
    rig.keep()
    assert _single(rig.store) == _single(first) == _single(second) == _single(third) == {1}
    before = {str(one): state_of_all(one) for one in (first, third)}

    for path in second.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.lstat().st_mode & 0o200:
            with path.open("ab") as stream:  # the superuser's way, into compiled code as well
                stream.write(b"# mine\n")

    assert rig.site(second).joinpath("varied", "native.so").read_bytes().endswith(b"# mine\n")
    assert {str(one): state_of_all(one) for one in (first, third)} == before
    check_store(rig.store)
    fourth = rig.create("fourth")
    for environment in (first, third, fourth):
        rig.verify(environment)
