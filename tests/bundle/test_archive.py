"""A bundle is input from strangers: whatever is off is refused before anything is written."""

from __future__ import annotations

import stat
import sys
import warnings
import zipfile
from typing import TYPE_CHECKING

import pytest

from kerasenv.bundle.archive import Entry, fault_of_names, is_archive, open_archive, rewrite_wheel, write_archive
from kerasenv.errors import BundleError
from tests.bundle.bundles import MARK, contents, entry, forge, seal, write

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> dict[str, bytes]:
    with open_archive(path) as archive:
        return {name: archive.read(name, limit=1 << 20) for name in archive.entries}


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        opened(path)
    assert f"{path.name} is no bundle that can be trusted" in caught.value.message
    assert caught.value.hints
    return caught.value.message


class TestWriting:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        found = opened(write(tmp_path / "x.zip"))

        assert list(found)[1:] == list(contents())
        assert found.items() >= contents().items()

    def test_the_same_content_is_the_same_bytes(self, tmp_path: Path) -> None:
        """Whatever the files' own times and permissions are."""
        one, other = tmp_path / "one.txt", tmp_path / "other.txt"
        for file, mode in ((one, 0o600), (other, 0o644)):
            file.write_text("same", "utf-8")
            file.chmod(mode)
        for source, name in ((one, "a.zip"), (other, "b.zip")):
            with (tmp_path / name).open("w+b") as target:
                write_archive(target, {"wheels/x": Entry(source=source)})

        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()

    def test_other_tools_can_read_it(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(write(tmp_path / "x.zip")) as archive:
            assert archive.testzip() is None

    def test_a_wheel_is_written_anew_without_what_the_machine_left_in_it(self, tmp_path: Path) -> None:
        made = []
        for name, time, order in (("a.whl", (2020, 1, 1, 3, 0, 0), 1), ("b.whl", (2021, 1, 1, 0, 0, 0), -1)):
            with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as wheel:
                for file, mode in [("x.py", 0o600), ("run", 0o700)][::order]:
                    info = zipfile.ZipInfo(file, time)
                    info.external_attr = (stat.S_IFREG | mode) << 16
                    wheel.writestr(info, b"content")
            rewrite_wheel(tmp_path / name)
            made.append((tmp_path / name).read_bytes())

        assert made[0] == made[1]
        with zipfile.ZipFile(tmp_path / "a.whl") as wheel:
            modes = {info.filename: info.external_attr >> 16 for info in wheel.infolist()}
        assert modes == {"run": 0o100755, "x.py": 0o100644}


class TestEveryByteCounts:
    def test_one_that_is_flipped(self, tmp_path: Path) -> None:
        """In names, times, contents, the directory at the end, or the digest itself."""
        whole = write(tmp_path / "x.zip").read_bytes()
        for place in range(0, len(whole), 7):
            flipped = bytearray(whole)
            flipped[place] ^= 1
            (tmp_path / "x.zip").write_bytes(flipped)

            refusal(tmp_path / "x.zip")

    def test_one_that_is_missing_at_the_end(self, tmp_path: Path) -> None:
        whole = write(tmp_path / "x.zip").read_bytes()
        for length in (0, 1, 50, len(whole) // 2, len(whole) - 1):
            (tmp_path / "x.zip").write_bytes(whole[:length])

            refusal(tmp_path / "x.zip")

    def test_one_more(self, tmp_path: Path) -> None:
        whole = write(tmp_path / "x.zip").read_bytes()
        (tmp_path / "x.zip").write_bytes(whole + b"\n")

        refusal(tmp_path / "x.zip")

    def test_something_before_it(self, tmp_path: Path) -> None:
        """zipfile itself takes a zip file behind anything; nothing of it is hidden, but nobody wrote it so."""
        whole = write(tmp_path / "x.zip").read_bytes()
        seal(tmp_path / "x.zip", b"#!/bin/sh\n" + whole[: -len(MARK) - 64])

        assert "begin" in refusal(tmp_path / "x.zip")

    def test_no_zip_file_at_all(self, tmp_path: Path) -> None:
        seal(tmp_path / "x.zip", b"hello" * 100)

        refusal(tmp_path / "x.zip")

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match="can't be read"):
            opened(tmp_path / "x.zip")


BAD_NAMES = {
    "above": "wheels/../../x.py",
    "root": "/etc/passwd",
    "drive": "C:/x.py",
    "backslash": "wheels\\..\\x.py",
    "here": "./x.py",
    "nothing between": "wheels//x.py",
    "a folder": "wheels/",
    "NUL": "wheels/x\0.py",
    "newline": "wheels/x\n.py",
    "device": "wheels/aux.py",
    "other device": "COM1",
    "dot at the end": "wheels/x.",
    "blank at the end": "wheels/x ",
    "stream": "wheels/x.py:evil",
    "wildcard": "wheels/*.py",
    "too long": "x" * 500,
}


class TestNames:
    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_one_that_leads_elsewhere_or_that_some_system_can_not_have(self, name: str) -> None:
        assert fault_of_names(["good.py", BAD_NAMES[name]])

    @pytest.mark.parametrize(
        "names",
        [
            ["wheels/X.py", "wheels/x.py"],
            ["Wheels/a.py", "wheels/b.py"],
            ["wheels/stra\u00dfe", "wheels/STRASSE"],
            ["wheels/\u00e9", "wheels/e\u0301"],
            ["a", "a"],
            ["a/b", "a"],
            ["a", "a/b"],
        ],
    )
    def test_two_that_are_one_on_some_system(self, names: list[str]) -> None:
        assert fault_of_names(names)

    def test_good_ones(self) -> None:
        assert fault_of_names(["wheels/a-1-py3-none-any.whl", "wheels/b", "python/lib/a.py", "python/lib/b.py"]) is None

    @pytest.mark.skipif(sys.platform == "win32", reason="zipfile itself mends such names on Windows")
    def test_such_a_bundle_is_refused(self, tmp_path: Path) -> None:
        for name in ("wheels/../../x.py", "/etc/passwd", "wheels\\..\\x.py"):
            refusal(forge(tmp_path / "x.zip", (entry(name), b"evil")))

        assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


class TestEntries:
    @pytest.mark.parametrize(
        "mode",
        [stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755, stat.S_IFREG | 0o4755, stat.S_IFIFO | 0o644, 0],
        ids=["link", "folder", "setuid", "pipe", "nothing"],
    )
    def test_what_is_no_plain_file(self, tmp_path: Path, mode: int) -> None:
        info = entry("wheels/x")
        info.external_attr = mode << 16

        # zipfile itself gives a file without a mode one, but keeps those that are anything
        assert "no plain file" in refusal(forge(tmp_path / "x.zip", (info, b"/etc/passwd")))

    def test_what_is_compressed(self, tmp_path: Path) -> None:
        """A million zeros are a kilobyte when they are compressed."""
        info = entry("wheels/x")
        info.compress_type = zipfile.ZIP_DEFLATED

        assert "compressed" in refusal(forge(tmp_path / "x.zip", (info, bytes(10_000_000))))
        assert (tmp_path / "x.zip").stat().st_size < 100_000

    def test_one_that_is_there_twice(self, tmp_path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # zipfile knows better
            forge(tmp_path / "x.zip", (entry("wheels/x"), b"one"), (entry("wheels/x"), b"other"))

        assert "twice" in refusal(tmp_path / "x.zip")

    def test_entries_that_share_their_bytes(self, tmp_path: Path) -> None:
        """Each is as large as it says, and all together they are larger than the bundle."""
        forge(tmp_path / "x.zip", *((entry(f"wheels/{number}"), b"x" * 100_000) for number in range(3)))
        forged = bytearray((tmp_path / "x.zip").read_bytes()[: -len(MARK) - 64])
        with zipfile.ZipFile(tmp_path / "x.zip") as archive:
            infos = archive.infolist()
        start = infos[1].header_offset
        gap = infos[3].header_offset - start
        del forged[start : start + gap]  # the contents of the first two

        seal(tmp_path / "x.zip", bytes(forged))

        refusal(tmp_path / "x.zip")

    def test_one_that_is_written_otherwise(self, tmp_path: Path) -> None:
        info = entry("wheels/x")
        info.comment = b"by me"

        assert "not written as kerasenv does" in refusal(forge(tmp_path / "x.zip", (info, b"x")))


def test_a_bundle_is_known_by_its_name_or_its_beginning(tmp_path: Path) -> None:
    write(tmp_path / "pylock.tiny.toml")
    (tmp_path / "x.zip").write_bytes(b"cut off")
    (tmp_path / "x.toml").write_bytes(b"lock-version")

    assert is_archive(tmp_path / "pylock.tiny.toml")
    assert is_archive(tmp_path / "x.zip")
    assert not is_archive(tmp_path / "x.toml")
    assert not is_archive(tmp_path / "none.toml")
