"""Locks, profiles and bundles come from strangers, editors and merges: whatever they hold, a person gets a clear error.

KERASENV_MUTATIONS=2000 tries that many of each kind.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasenv.bundle.archive import is_archive
from kerasenv.bundle.contents import contents_of
from kerasenv.bundle.unpack import open_bundle, pythons_in, unpack_python, unpack_wheels
from kerasenv.env.variables import variables_of
from kerasenv.errors import KerasenvError
from kerasenv.folders import data_folder
from kerasenv.lock.diff import changes
from kerasenv.lock.lockfile import Promise, dump_lock, read_lock
from kerasenv.lock.machine import check_machine, count_here, pythons_here
from kerasenv.lock.satisfy import differences
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile, list_profiles
from kerasenv.resources import shipped_profiles
from tests.bundle.bundles import MARK, contents, entry, forge, lock_table, manifest_of, seal, write
from tests.bundle.test_unpack import INTERPRETER
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = int(os.environ.get("KERASENV_MUTATIONS", "60"))
mutated = settings(
    max_examples=EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

# What breaks what reads it: other kinds, other sizes, paths, markup, numbers without end
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        [
            *("", " ", "..", "../../x", "/etc/passwd", "C:\\x", "\0", "\u202e", "a" * 5000, "*", "[", "{env}", "%s"),
            *("1.0", ">=3", "==*", "!=", "~=", "2.0", "1!2.0+x", "pip @ file:///x", "numpy[", "numpy; python_version"),
            *("python_version >= '3' or", "extra == 'x'", "'x' in extras", "sha256", "0" * 64, "file:///etc/passwd"),
            *("https://user:secret@host/x.whl", "x-1-py3-none-any.whl", "x-1.tar.gz", "http://[::1", "LD_PRELOAD"),
            *([], {}, [[]], [{}], {"x": {}}, 10**400, -1, 0, 2**64, 1e308),
        ]
    ),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


def paths_of(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where everything stands in a table."""
    if path:
        yield path
    rows = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in rows:
        yield from paths_of(value, (*path, key))


@st.composite
def tables(draw: st.DrawFn, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Draw a table in which a few things are replaced, taken away, doubled or added."""
    table = make()
    for _ in range(draw(st.integers(1, 4))):
        places = list(paths_of(table))
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        parent: Any = table
        for key in way:
            parent = parent[key]
        act = draw(st.sampled_from(["replace", "replace", "remove", "double", "add"]))
        if act == "replace":
            parent[last] = draw(VALUES)
        elif act == "remove":
            del parent[last]
        elif act == "double" and isinstance(parent, list):
            parent.append(parent[last])
        elif isinstance(parent, dict):
            parent[draw(st.text(max_size=8))] = draw(VALUES)
    return table


@st.composite
def files(draw: st.DrawFn, make: Callable[[], dict[str, Any]]) -> bytes:
    """Draw a TOML file with a mutated table, or with mutated bytes."""
    try:
        content = tomli_w.dumps(draw(tables(make))).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, AttributeError):  # what TOML can't express
        content = tomli_w.dumps(make()).encode()
    if draw(st.booleans()):
        content = draw(bytes_like(content))
    return content


@st.composite
def bytes_like(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes with some flipped, cut out, cut off or put in."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(found) - 1, 0)))
        match draw(st.sampled_from(["flip", "cut out", "cut off", "put in"])):
            case "flip" if found:
                found[place] ^= 1 << draw(st.integers(0, 7))
            case "cut out":
                del found[place : place + draw(st.integers(1, 100))]
            case "cut off":
                del found[place:]
            case _:
                found[place:place] = draw(st.binary(min_size=1, max_size=20))
    return bytes(found)


@cache
def _full_lock() -> bytes:
    promise = Promise.of(find_profile("tf1-legacy-standalone", cwd=Path("/")))
    return dump_lock(read_lock_of(lock_table()), promise)


def read_lock_of(table: dict[str, Any]) -> Any:
    from packaging.pylock import Pylock

    return Pylock.from_dict(table)


def full_lock() -> dict[str, Any]:
    """Return a lock with all that kerasenv writes."""
    return tomli.loads(_full_lock().decode())


@cache
def _shipped() -> tuple[str, ...]:
    return tuple(path.read_text("utf-8") for path in sorted(shipped_profiles().glob("*.toml")))


@cache
def _everything() -> str:
    return (Path(__file__).parent / "profiles" / "cases" / "valid" / "everything.toml").read_text("utf-8")


def everything() -> dict[str, Any]:
    """Return a profile with every key there is."""
    return {**tomli.loads(_everything()), "name": "mutated"}


@pytest.fixture
def watched(tmp_path: Path, home: Path) -> Iterator[Path]:
    """Return a folder to work in; around it, nothing may come to be but kerasenv's own cache and data."""
    around = _names(tmp_path.parent, home)
    folder = tmp_path / "work"
    folder.mkdir()
    yield folder
    assert _names(tmp_path.parent, home) == around
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def _names(*folders: Path) -> set[str]:
    found = {path for folder in folders for path in folder.iterdir()}
    return {str(path) for path in found if path.name not in {".cache", ".local"}}


def test_what_is_sound_goes_through(watched: Path) -> None:
    """Otherwise nothing of what follows would be reached."""
    place = watched / "pylock.tf1-legacy-standalone.toml"
    place.write_bytes(_full_lock())
    lock = read_lock(place)
    check_machine(lock, INTERPRETER)
    assert count_here(lock, INTERPRETER) == 2
    place.unlink()

    TestBundles().use(write(watched / "x.zip"), watched)
    with open_bundle(watched / "x.zip") as bundle:
        assert unpack_wheels(bundle, INTERPRETER, watched / "unpacked").packages


class TestLocks:
    @mutated
    @given(content=files(full_lock))
    def test_all_that_is_done_with_one(self, watched: Path, content: bytes) -> None:
        place = watched / "pylock.tf1-legacy-standalone.toml"
        place.write_bytes(content)
        with suppress(KerasenvError):
            lock = read_lock(place)
            self._use(lock, watched)
        assert [path.name for path in watched.iterdir()] == [place.name]

    def _use(self, lock: Any, folder: Path) -> None:
        from kerasenv.lock.wish import Wish

        for act in (
            lambda: pythons_here(lock),
            lambda: check_machine(lock, INTERPRETER),
            lambda: count_here(lock, INTERPRETER),
            lambda: contents_of(lock, platforms=["linux-x86_64"], pythons=["3.11"]),
            lambda: contents_of(lock, platforms=["macos-arm64"], pythons=[]),
            lambda: changes(lock.pylock, read_lock_of(lock_table())),
            lambda: differences(
                lock,
                Wish(profile=find_profile("tf1-legacy-standalone", cwd=folder), interpreter=INTERPRETER),
                variant=None,
            ),
            lambda: lock.promise and variables_of(lock.promise, folder),
            lambda: lock.promise and dump_lock(lock.pylock, lock.promise),
        ):
            with suppress(KerasenvError):
                act()


class TestProfiles:
    @mutated
    @given(content=files(everything))
    def test_one_of_ones_own(self, watched: Path, content: bytes) -> None:
        (watched / "profiles").mkdir(exist_ok=True)
        place = watched / "profiles" / "mutated.toml"
        place.write_bytes(content)
        write_profile(watched / "profiles", "base")
        with suppress(KerasenvError):
            profile = find_profile("mutated", cwd=watched)
            Promise.of(profile)
            for variant in profile.variants:
                with suppress(KerasenvError):
                    variant_of(profile, variant)
        list_profiles(cwd=watched)

    @mutated
    @given(data=st.data())
    def test_a_shipped_one(self, watched: Path, data: st.DataObject) -> None:
        text = data.draw(st.sampled_from(_shipped()))
        (watched / "mutated.toml").write_bytes(data.draw(files(lambda: {**tomli.loads(text), "name": "mutated"})))
        with suppress(KerasenvError):
            find_profile("./mutated.toml", cwd=watched)


class TestBundles:
    def use(self, path: Path, work: Path) -> None:
        """Do all that rebuild does with a bundle before it makes anything."""
        try:
            is_archive(path)
            with suppress(KerasenvError), open_bundle(path) as bundle:
                for act in (
                    lambda: pythons_in(bundle, "linux-x86_64"),
                    lambda: unpack_wheels(bundle, INTERPRETER, work / "unpacked"),
                    lambda: unpack_python(bundle),
                ):
                    with suppress(KerasenvError):
                        act()
        finally:
            shutil.rmtree(work / "unpacked", ignore_errors=True)
        assert [one.name for one in work.iterdir()] == [path.name]
        bundled = data_folder() / "bundled"
        assert not bundled.exists() or all(one.parent == bundled for one in bundled.iterdir())

    @mutated
    @given(data=st.data())
    def test_bytes(self, watched: Path, data: st.DataObject) -> None:
        """As they come out of a bad disk; half of the time with the right digest at the end, as an attacker does."""
        path = watched / "x.zip"
        content = data.draw(bytes_like(_sound()))
        if data.draw(st.booleans()):
            seal(path, content)
        else:
            path.write_bytes(content + _end())
        self.use(path, watched)

    @mutated
    @given(manifest=tables(lambda: manifest_of(_contents_with_python()) | {"python": _python()}))
    def test_manifests(self, watched: Path, manifest: dict[str, Any]) -> None:
        path = watched / "x.zip"
        try:
            write(path, _contents_with_python(), manifest)
        except (TypeError, ValueError):  # what JSON can't express
            write(path)
        self.use(path, watched)

    @mutated
    @given(data=st.data())
    def test_names_and_kinds(self, watched: Path, data: st.DataObject) -> None:
        name = data.draw(st.one_of(st.text(max_size=30), st.sampled_from(["../x", "/x", "wheels/../../x", "WHEELS/x"])))
        info = entry(name, mode=data.draw(st.sampled_from([0o100644, 0o120777, 0o40755, 0o104755, 0])))
        info.compress_type = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
        others = [(entry(other), content) for other, content in contents().items()]
        with suppress(ValueError, UnicodeError):  # what zipfile can't write
            forge(watched / "x.zip", *others, (info, data.draw(st.binary(max_size=50))))
            self.use(watched / "x.zip", watched)

    @mutated
    @given(content=files(lock_table))
    def test_locks_inside(self, watched: Path, content: bytes) -> None:
        path = write(watched / "x.zip", {**contents(), "pylock.tiny.toml": content})
        self.use(path, watched)


@cache
def _sound() -> bytes:
    buffer = io.BytesIO()
    from kerasenv.bundle.archive import Entry, write_archive

    files_ = {"kerasenv-bundle.json": _dumped(manifest_of(contents())), **contents()}
    write_archive(buffer, {name: Entry(source=content) for name, content in files_.items()})
    return buffer.getvalue()[: -len(MARK) - 64]


@cache
def _end() -> bytes:
    from hashlib import sha256

    return MARK + sha256(_sound()).hexdigest().encode()


def _dumped(manifest: dict[str, Any]) -> bytes:
    import json

    return json.dumps(manifest).encode()


def _contents_with_python() -> dict[str, bytes]:
    return {**contents(), "python/bin/python3.11": b"#!/bin/sh\nexit 1\n"}


def _python() -> dict[str, Any]:
    return {
        "version": "3.11.7",
        "platform": "linux-x86_64",
        "executable": "bin/python3.11",
        "links": {"bin/python": "bin/python3.11"},
    }
