from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from packaging.version import Version

from kerasenv.bundle.unpack import Bundle, open_bundle, pythons_in, unpack_python, unpack_wheels
from kerasenv.errors import BundleError
from kerasenv.folders import cache_folder, data_folder
from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.platforms import PLATFORMS
from tests.bundle.bundles import BUILT, LOCK, NUMPY, contents, lock_table, manifest_of, write
from tests.local_index import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable

PLATFORM = PLATFORMS["linux-x86_64"]
INTERPRETER = Interpreter(
    path=Path(sys.executable),
    version=Version("3.11.7"),
    implementation="CPython",
    bits=64,
    markers={
        "sys_platform": PLATFORM.sys_platform,
        "platform_machine": PLATFORM.machine,
        "platform_system": PLATFORM.platform_system,
        "os_name": PLATFORM.os_name,
        "python_version": "3.11",
        "python_full_version": "3.11.7",
    },
    source="a test",
)
NUMPY_PATH = f"wheels/{NUMPY.filename}"


def unpacked(path: Path, folder: Path) -> list[str]:
    with open_bundle(path) as bundle:
        lock = unpack_wheels(bundle, INTERPRETER, folder)
    return [wheel.path or "" for package in lock.packages for wheel in package.wheels or ()]


def refusal(path: Path, folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        unpacked(path, folder)
    return "\n".join([caught.value.message, *caught.value.looked_at])


class TestWheels:
    def test_what_is_for_this_python_is_unpacked(self, tmp_path: Path) -> None:
        paths = unpacked(write(tmp_path / "x.zip"), tmp_path / "work")

        assert [Path(path).relative_to(tmp_path).as_posix() for path in paths] == [
            f"work/{NUMPY_PATH}",
            f"work/{BUILT}",
        ]
        assert all(Path(path).read_bytes() == contents()[path.partition(f"{os.sep}work{os.sep}")[2]] for path in paths)

    def test_a_machine_it_is_not_for(self, tmp_path: Path) -> None:
        with open_bundle(write(tmp_path / "x.zip")) as bundle, pytest.raises(BundleError) as caught:
            pythons_in(bundle, "macos-arm64")

        assert caught.value.message == "x.zip is not for macOS arm64."
        assert caught.value.looked_at == ("it is for CPython 3.11 on Linux x86_64",)

    def test_the_pythons_it_is_for(self, tmp_path: Path) -> None:
        table = manifest_of(contents())
        table["targets"] += [{"python": one, "platform": "linux-x86_64"} for one in ("3.13", "3.9")]

        with open_bundle(write(tmp_path / "x.zip", manifest=table)) as bundle:
            pythons = pythons_in(bundle, "linux-x86_64")

        fitting = [f"3.{minor}" for minor in range(6, 15) if pythons.contains(f"3.{minor}.5")]
        assert fitting == ["3.9", "3.11", "3.13"]


def _without(name: str) -> dict[str, bytes]:
    return {path: content for path, content in contents().items() if path != name}


def _lock(change: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    table = lock_table()
    change(table)
    return {**contents(), LOCK: tomli_w.dumps(table).encode()}


def _wheel_with(name: str, size: int = 1) -> bytes:
    buffer = io.BytesIO(NUMPY.build())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(name, bytes(size))
    return buffer.getvalue()


class TestStrangers:
    """The manifest fits and the digest at the end is right: whoever made them meant harm, or made a mistake."""

    def test_a_wheel_that_is_not_the_one_of_the_lock(self, tmp_path: Path) -> None:
        other = Wheel(name="numpy", version="2.0", files={"numpy.py": "import os; os.system('evil')\n"}).build()

        error = refusal(write(tmp_path / "x.zip", {**contents(), NUMPY_PATH: other}), tmp_path / "work")

        assert f"{NUMPY.filename} is not the file that the lock names: its sha256 differs" in error
        assert not (tmp_path / "work").exists()

    def test_a_wheel_that_the_lock_does_not_name(self, tmp_path: Path) -> None:
        more = Wheel(name="evil", version="1")

        error = refusal(
            write(tmp_path / "x.zip", {**contents(), f"wheels/{more.filename}": more.build()}), tmp_path / "work"
        )

        assert "evil-1-py2.py3-none-any.whl is not the file that the lock names" in error

    def test_contents_that_are_not_those_of_the_manifest(self, tmp_path: Path) -> None:
        table = manifest_of(contents())
        table["files"][BUILT]["sha256"] = "0" * 64

        error = refusal(write(tmp_path / "x.zip", manifest=table), tmp_path / "work")

        assert "has another sha256 than its manifest says" in error

    def test_a_size_that_is_not_that_of_the_manifest(self, tmp_path: Path) -> None:
        table = manifest_of(contents())
        table["files"][BUILT]["size"] += 1

        assert "another size" in refusal(write(tmp_path / "x.zip", manifest=table), tmp_path / "work")

    def test_a_file_of_which_the_manifest_says_nothing(self, tmp_path: Path) -> None:
        table = manifest_of(contents())
        del table["files"][NUMPY_PATH]

        assert "not in both" in refusal(write(tmp_path / "x.zip", manifest=table), tmp_path / "work")

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.zip", _without(NUMPY_PATH), manifest_of(contents()))

        assert "not in both" in refusal(path, tmp_path / "work")

    def test_a_wheel_that_is_not_there(self, tmp_path: Path) -> None:
        error = refusal(write(tmp_path / "x.zip", _without(NUMPY_PATH)), tmp_path / "work")

        assert "it has no wheel of numpy 2.0 for CPython 3.11 on Linux x86_64" in error

    def test_a_wheel_that_was_built_from_something_else(self, tmp_path: Path) -> None:
        table = manifest_of(contents())
        table["built"][0]["source"] = "cd" * 32

        error = refusal(write(tmp_path / "x.zip", manifest=table), tmp_path / "work")

        assert f"{BUILT} was built from nothing that the lock names" in error

    def test_no_manifest(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.zip", manifest=b"{}")

        assert "kerasenv-bundle.json is off: format: missing" in refusal(path, tmp_path / "work")

    def test_a_newer_one(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.zip", manifest={"format": 2})

        assert "was written by a newer kerasenv" in refusal(path, tmp_path / "work")

    def test_a_lock_of_no_such_name(self, tmp_path: Path) -> None:
        files = {("setup.py" if name == LOCK else name): content for name, content in contents().items()}
        path = write(tmp_path / "x.zip", files, {**manifest_of(files), "lock": "setup.py"})

        assert "setup.py is no valid name for a lock" in refusal(path, tmp_path / "work")

    def test_a_lock_that_is_none(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.zip", {**contents(), LOCK: b"lock-version = '1.0'"})

        assert "is no valid lock" in refusal(path, tmp_path / "work")

    def test_a_lock_that_names_a_file_above(self, tmp_path: Path) -> None:
        def change(table: dict[str, Any]) -> None:
            table["packages"][0]["wheels"][0]["name"] = f"../../{NUMPY.filename}"

        path = write(tmp_path / "x.zip", _lock(change))

        assert "Invalid wheel filename '../../numpy-2.0" in refusal(path, tmp_path / "work")

    def test_a_lock_that_names_a_package_twice(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.zip", _lock(lambda table: table["packages"].append(table["packages"][0])))

        assert "its lock has numpy twice for CPython 3.11 on Linux x86_64" in refusal(path, tmp_path / "work")

    @pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "a/../../evil.py", "..\\evil.py", "C:\\evil.py"])
    def test_a_wheel_that_leads_out_of_where_it_is_installed(self, tmp_path: Path, name: str) -> None:
        """The lock can be a stranger's as well: it vouches for nothing."""
        path = self._with_numpy(tmp_path, _wheel_with(name))

        assert "has a file that leads elsewhere" in refusal(path, tmp_path / "work")

    def test_a_wheel_that_unpacks_to_more_than_any_should(self, tmp_path: Path) -> None:
        path = self._with_numpy(tmp_path, _wheel_with("zeros", 300_000_000))
        assert path.stat().st_size < 1_000_000

        assert "would unpack to more than 200 times its size" in refusal(path, tmp_path / "work")

    def test_a_wheel_that_is_none(self, tmp_path: Path) -> None:
        assert "is no wheel" in refusal(self._with_numpy(tmp_path, b"PK\3\4 hello"), tmp_path / "work")

    def _with_numpy(self, folder: Path, wheel: bytes) -> Path:
        from hashlib import sha256

        def change(table: dict[str, Any]) -> None:
            table["packages"][0]["wheels"][0]["hashes"]["sha256"] = sha256(wheel).hexdigest()

        return write(folder / "x.zip", {**_lock(change), NUMPY_PATH: wheel})


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter of this test is a script")
class TestInterpreter:
    """Here it is a script that starts the Python of the tests."""

    def bundle(self, path: Path, *, content: str | None = None, links: dict[str, str] | None = None) -> Path:
        script = content or f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
        files = {**contents(), "python/bin/python3.11": script.encode()}
        python = {
            "version": "3.11.7",
            "platform": "linux-x86_64",
            "executable": "bin/python3.11",
            "links": {"bin/python": "bin/python3.11"} if links is None else links,
        }
        manifest = {**manifest_of(files), "python": python}
        return _write_with_programs(path, files, manifest, programs={"python/bin/python3.11"})

    def unpacked(self, path: Path) -> Interpreter:
        with open_bundle(path) as bundle:
            return unpack_python(bundle)

    def test_it_stays_where_no_finder_looks(self, tmp_path: Path) -> None:
        interpreter = self.unpacked(self.bundle(tmp_path / "x.zip"))

        assert interpreter.source == "from x.zip"
        assert interpreter.path.parents[2] == data_folder() / "bundled"
        assert os.readlink(interpreter.path.with_name("python")) == "python3.11"  # noqa: PTH115  # as it is written
        assert not list((cache_folder() / "work").glob("python-*"))

    def test_it_is_put_there_once(self, tmp_path: Path) -> None:
        first = self.unpacked(self.bundle(tmp_path / "x.zip"))
        again = self.unpacked(self.bundle(tmp_path / "other.zip"))

        assert first.path == again.path

    def test_one_that_does_not_run(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError) as caught:
            self.unpacked(self.bundle(tmp_path / "x.zip", content="#!/bin/sh\nexit 1\n"))

        assert caught.value.message == "The interpreter in x.zip doesn't run on this machine."

    @pytest.mark.parametrize("link", ["../evil", "/evil", "bin/python3.11", "BIN/python", "bin/python3.11/x"])
    def test_a_link_at_a_place_where_none_may_be(self, tmp_path: Path, link: str) -> None:
        with pytest.raises(BundleError):
            self.unpacked(self.bundle(tmp_path / "x.zip", links={link: "bin/python3.11"}))

        assert not data_folder().exists()

    @pytest.mark.parametrize("aim", ["/etc/passwd", "../../../etc/passwd", "bin/python", "bin"])
    def test_a_link_to_what_is_no_file_of_it(self, tmp_path: Path, aim: str) -> None:
        with pytest.raises(BundleError, match="which is none of the files"):
            self.unpacked(self.bundle(tmp_path / "x.zip", links={"bin/python": aim}))

    def test_a_program_elsewhere(self, tmp_path: Path) -> None:
        path = _write_with_programs(tmp_path / "x.zip", contents(), manifest_of(contents()), programs={NUMPY_PATH})

        with pytest.raises(BundleError, match="must not be a program"), open_bundle(path):
            pass


def _write_with_programs(path: Path, files: dict[str, bytes], manifest: dict[str, Any], *, programs: set[str]) -> Path:
    from kerasenv.bundle.archive import Entry, write_archive

    told = {"kerasenv-bundle.json": json.dumps(manifest).encode(), **files}
    with path.open("w+b") as file:
        write_archive(file, {name: Entry(source=content, program=name in programs) for name, content in told.items()})
    return path


def test_a_bundle_can_be_opened_without_unpacking_it(tmp_path: Path) -> None:
    with open_bundle(write(tmp_path / "x.zip")) as bundle:
        assert isinstance(bundle, Bundle)
        assert bundle.lock.path.name == LOCK
