"""What the store tells of itself, finds damaged, and gives up."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasenv.errors import UsageError
from kerasenv.store.entry import open_entry, rows_of
from kerasenv.store.info import look
from kerasenv.store.place import keeping, keys_there, store_folder, work_folder
from kerasenv.store.take import put, take
from kerasenv.store.tidy import Stays, clear, gc
from kerasenv.store.uses import is_there, read_uses
from kerasenv.store.verify import verify
from tests.kept import NEEDS, SITE, Small, make_small, other_process, overwrite, package
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such thing")


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Return an environment of two packages that the store keeps."""
    return make_small(tmp_path / "env", package("alpha"), package("beta", "2.0")).keep()


def there() -> set[str]:
    return {str(key) for key in keys_there()}


def used_days_ago(days: int) -> None:
    """Let all uses, and all entries, be of another day."""
    day = datetime.now(timezone.utc) - timedelta(days=days)
    for place in read_uses():
        table = json.loads(place.read_text("utf-8"))
        place.write_text(json.dumps(table | {"at": day.isoformat(timespec="seconds")}), encoding="utf-8")
    for key in keys_there():
        os.utime(key.folder / "entry.json", (day.timestamp(), day.timestamp()))


def taken_anew(small: Small, tmp_path: Path) -> Path:
    """Return an environment that has all that the store has of another."""
    work, folder = tmp_path / "work", tmp_path / "anew"
    work.mkdir()
    folder.mkdir()
    for one in take(small.sources, work):
        put(one, folder)
    return folder


class TestInfo:
    def test_an_empty_store(self) -> None:
        found = look()

        assert (found.entries, found.environments, found.size, found.longest_unused) == ((), (), 0, None)
        assert (found.switched_on, found.busy) == (True, False)
        assert found.folder == str(store_folder())
        assert not store_folder().exists()

    def test_what_is_kept_and_for_whom(self, small: Small) -> None:
        found = look()

        alpha, beta = found.entries
        assert (alpha.package, alpha.version, beta.package, beta.version) == ("alpha", "1.0", "beta", "2.0")
        assert alpha.python == small.keys[0].python
        assert alpha.entry == str(small.keys[0])
        assert alpha.whole
        assert alpha.environments == beta.environments == found.environments == (str(small.folder),)
        (use,) = read_uses().values()
        assert use is not None
        assert datetime.fromisoformat(alpha.last_used) == use.at.replace(microsecond=0)
        assert found.longest_unused == alpha.last_used

    @POSIX
    def test_every_file_takes_its_room_once(self, small: Small) -> None:
        """Whatever its names are: what `du` tells is what is told here."""
        found = look()

        states = {state.st_ino: state for path in small_files() for state in [path.lstat()]}
        assert found.size == sum(state.st_blocks for state in states.values()) * 512
        assert found.size == sum(one.size for one in found.entries)
        for one in found.entries:
            assert 0 < one.alone <= one.size
            assert 0 < one.spare < one.size
            assert 0 < one.bytecode < one.size
        assert found.spare == sum(one.spare for one in found.entries)
        assert found.bytecode == sum(one.bytecode for one in found.entries)
        assert small.folder.is_dir()

    @POSIX
    def test_what_no_environment_has_as_well(self, small: Small) -> None:
        """Without the environment, all of it is the store's alone."""
        before = look()
        shutil.rmtree(small.folder)
        after = look()

        assert after.alone == after.size == before.size
        shared = (small.entries[0].tree / SITE / "alpha" / "_fast.so").lstat()
        if shared.st_nlink > 1:  # where the file system clones, nobody can tell
            assert before.alone < before.size

    def test_an_environment_that_is_gone(self, small: Small) -> None:
        shutil.rmtree(small.folder)

        found = look()

        assert found.environments == found.entries[0].environments == ()
        assert found.entries[0].last_used <= datetime.now(timezone.utc).isoformat()

    def test_what_nobody_remembers_was_used_when_it_was_made(self, small: Small) -> None:
        shutil.rmtree(store_folder() / "uses")
        made = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
        os.utime(small.keys[0].folder / "entry.json", (made.timestamp(), made.timestamp()))

        found = look()

        assert found.entries[0].last_used == found.longest_unused == "2026-02-03T04:05:06+00:00"

    def test_it_says_when_it_is_switched_off_or_at_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERASENV_STORE", "0")
        code = "from kerasenv.store.place import keeping\nwith keeping(): print('ready', flush=True); sys.stdin.read()"

        with other_process(code):
            assert (look().switched_on, look().busy) == (False, True)
        assert not look().busy

    @POSIX
    def test_what_a_killed_process_left(self, small: Small) -> None:
        """It takes room in the store, until the next process works there."""
        before = look()
        make_leftover(small)

        assert look().size - before.size > 40_000
        assert look().entries == before.entries

    def test_one_that_is_not_whole(self, small: Small) -> None:
        (small.keys[0].folder / "entry.json").write_text("{}", encoding="utf-8")

        assert [one.whole for one in look().entries] == [False, True]


def make_leftover(small: Small) -> Path:
    """Let there be what a process that was killed left of an entry; return it."""
    left = work_folder() / "keep-left"
    (left / "entry").mkdir(parents=True)
    (left / "entry" / "large").write_bytes(bytes(50_000))
    os.link(small.entries[0].tree / SITE / _FAST, left / "entry" / "linked")
    left.with_name("keep-left.lock").touch()
    return left


def small_files() -> list[Path]:
    """Return all that lies below the entries, with their folders."""
    return [path for key in keys_there() for path in (key.folder, *key.folder.rglob("*"))]


Spoil = Callable[[Small], object]


def _tree(small: Small) -> Path:
    return small.entries[0].tree / SITE


def _spare(small: Small) -> Path:
    return small.entries[0].spare / SITE


def _make_anew(place: Path, content: bytes = b"other") -> None:
    place.unlink()
    place.write_bytes(content)


def _make_link(small: Small) -> None:
    place = _tree(small) / _INIT
    place.unlink()
    place.symlink_to(small.folder / SITE / _INIT)


def _make_file_of_spare(small: Small) -> None:
    spare = small.entries[0].spare
    shutil.rmtree(spare)
    spare.touch()


def _touch(place: Path) -> None:
    os.utime(place, ns=(0, place.stat().st_mtime_ns + 1_000_000_000))


def _with_table(name: str, change: Callable[[Any], object]) -> Spoil:
    def spoil(small: Small) -> None:
        place = small.keys[0].folder / name
        table = json.loads(place.read_text("utf-8"))
        change(table)
        place.write_text(json.dumps(table), encoding="utf-8")

    return spoil


_INIT, _FAST, _COMPILED = (
    "alpha/__init__.py",
    "alpha/_fast.so",
    f"alpha/__pycache__/__init__.{sys.implementation.cache_tag}.pyc",
)
OF_TREE: dict[str, tuple[Spoil, str, str]] = {
    "text": (lambda small: overwrite(_tree(small) / _INIT, b"NAME = 'alphA'\n"), f"tree/{SITE}/{_INIT}", "changed"),
    "compiled": (lambda small: overwrite(_tree(small) / _FAST, b"\0alpha 9.9"), f"tree/{SITE}/{_FAST}", "changed"),
    "bytecode": (
        lambda small: overwrite(_tree(small) / _COMPILED, (_tree(small) / _COMPILED).read_bytes()[:-1] + b"?"),
        f"tree/{SITE}/{_COMPILED}",
        "changed",
    ),
    "missing": (lambda small: (_tree(small) / _FAST).unlink(), f"tree/{SITE}/{_FAST}", "missing"),
    "extra": (lambda small: (_tree(small) / "more.py").touch(), f"tree/{SITE}/more.py", "extra"),
    "time": (lambda small: _touch(_tree(small) / _INIT), f"tree/{SITE}/{_INIT}", "its time is another"),
    "no file": (
        _make_link,
        f"tree/{SITE}/{_INIT}",
        "changed",
    ),
    "entry.json": (lambda small: (small.keys[0].folder / "entry.json").write_text("{"), "entry.json", "it isn't whole"),
    "format": (_with_table("entry.json", lambda table: table.update(format=99)), "entry.json", "it isn't whole"),
    "tree": (lambda small: shutil.rmtree(small.entries[0].tree), "entry.json", "it isn't whole"),
    "files.jsonl": (
        lambda small: (small.keys[0].folder / "files.jsonl").write_text("["),
        "files.jsonl",
        "it or digests",
    ),
    "digests.json": (lambda small: (small.keys[0].folder / "digests.json").unlink(), "files.jsonl", "it or digests"),
    "no digest": (
        _with_table("digests.json", lambda table: table.pop(f"{SITE}/{_INIT}")),
        f"digests.json of {SITE}/{_INIT}",
        "missing",
    ),
    "row": (
        _with_table("files.jsonl", lambda table: table[f"{SITE}/alpha"].append(["no.so", "shared", 1, 1])),
        f"tree/{SITE}/alpha/no.so",
        "missing",
    ),
}
OF_SPARE: dict[str, tuple[Spoil, str, str]] = {
    "text": (lambda small: overwrite(_spare(small) / _INIT, b"NAME = 'alphA'\n"), f"spare/{SITE}/{_INIT}", "changed"),
    "compiled": (lambda small: _make_anew(_spare(small) / _FAST), f"spare/{SITE}/{_FAST}", "changed"),
    "missing": (lambda small: (_spare(small) / _FAST).unlink(), f"spare/{SITE}/{_FAST}", "missing"),
    "extra": (lambda small: (_spare(small) / "more.py").touch(), f"spare/{SITE}/more.py", "extra"),
    "no folder": (
        _make_file_of_spare,
        "spare",
        "no folder",
    ),
}


class TestVerify:
    def test_an_empty_store(self) -> None:
        assert (verify().entries, verify().files, verify().damages) == (0, 0, ())

    def test_all_is_well(self, small: Small) -> None:
        verified = verify()

        assert (verified.entries, verified.damages, verified.removed) == (2, (), ())
        assert verified.files == sum(len(rows_of(entry)) for entry in small.entries)
        assert there() == set(map(str, small.keys))

    @POSIX
    @pytest.mark.parametrize("name", OF_TREE)
    def test_what_is_damaged_goes(self, small: Small, name: str, tmp_path: Path) -> None:
        spoil, file, what = OF_TREE[name]
        spoil(small)

        verified = verify()

        told = [(one.entry, one.package, one.version, one.file) for one in verified.damages]
        assert (str(small.keys[0]), "alpha", "1.0", file) in told
        assert all(one.what.startswith(what) for one in verified.damages if one.file == file)
        assert (verified.removed, verified.spares_removed) == ((str(small.keys[0]),), ())
        assert there() == {str(small.keys[1])}
        assert verify().damages == ()
        # Another environment of the same package fills the gap
        make_small(tmp_path / "other", package("alpha")).keep()
        assert there() == set(map(str, small.keys))
        assert verify().damages == ()

    @POSIX
    @pytest.mark.parametrize("name", OF_SPARE)
    def test_a_damaged_spare_goes_alone(self, small: Small, name: str, tmp_path: Path) -> None:
        spoil, file, what = OF_SPARE[name]
        spoil(small)

        verified = verify()

        assert {(one.file, one.what) for one in verified.damages} == {(file, what)}
        assert (verified.removed, verified.spares_removed) == ((), (str(small.keys[0]),))
        assert there() == set(map(str, small.keys))
        assert verify().damages == ()
        anew = taken_anew(small, tmp_path)
        assert (anew / SITE / _FAST).read_bytes() == b"\0alpha 1.0"

    def test_only_some_packages(self, small: Small) -> None:
        overwrite(_tree(small) / _FAST, b"\0alpha 9.9")

        assert verify(["Beta"]).damages == ()
        assert verify(["Alpha"]).removed == (str(small.keys[0]),)

    def test_a_package_that_the_store_does_not_have(self, small: Small) -> None:
        assert small.entries
        with pytest.raises(UsageError) as caught:
            verify(["alpah"])

        assert caught.value.hints == ("did you mean 'alpha'?",)

    @POSIX
    def test_what_others_put_there_is_not_waited_for(self, small: Small) -> None:
        os.mkfifo(_tree(small) / "pipe")
        (_tree(small) / _INIT).unlink()
        os.mkfifo(_tree(small) / _INIT)

        verified = verify()

        assert {one.what for one in verified.damages} == {"extra", "changed"}

    def test_what_a_process_needs_goes_all_the_same_if_it_is_damaged(self, small: Small) -> None:
        overwrite(_tree(small) / _FAST, b"\0alpha 9.9")

        with other_process(NEEDS, *map(str, small.keys)):
            assert verify().removed == (str(small.keys[0]),)

    def test_spares_are_taken_meanwhile(self, small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """What a create takes away while it is read isn't missing."""
        module: Any = importlib.import_module("kerasenv.store.verify")

        real, calls = module.differing, []

        def differing(folder: Path, expected: dict[str, frozenset[str]]) -> dict[str, str]:
            calls.append(folder)
            if folder.name == "spare" and folder.is_dir():
                folder.rename(tmp_path / f"taken-{len(calls)}")
            found: dict[str, str] = real(folder, expected)
            return found

        monkeypatch.setattr(module, "differing", differing)

        assert verify().damages == ()
        assert sum(one.name == "spare" for one in calls) == 2
        assert there() == set(map(str, small.keys))

    def test_nobody_takes_away_what_is_read(self, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
        module: Any = importlib.import_module("kerasenv.store.verify")
        real = module.differing
        cleared: list[str] = []

        def differing(folder: Path, expected: dict[str, frozenset[str]]) -> dict[str, str]:
            cleared.extend(clear().removed)
            found: dict[str, str] = real(folder, expected)
            return found

        monkeypatch.setattr(module, "differing", differing)

        assert (verify().entries, cleared) == (2, [])
        assert there() == set(map(str, small.keys))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


class TestHostileEntries:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    @given(data=st.data())
    def test_whatever_stands_there(self, tmp_path: Path, data: st.DataObject) -> None:
        """Each of the verbs does its work, and nothing else is touched."""
        outside = tmp_path / "outside"
        outside.write_bytes(b"mine")
        clear()
        shutil.rmtree(tmp_path / "env", ignore_errors=True)
        small = make_small(tmp_path / "env", package("alpha"), package("beta")).keep()
        folder = small.keys[0].folder
        name = data.draw(st.sampled_from(["entry.json", "files.jsonl", "digests.json"]))
        table = json.loads((folder / name).read_text("utf-8"))
        key = data.draw(st.sampled_from(sorted(table)))
        path = f"{'../' * len(folder.parts)}{outside}"
        value = data.draw(_ANYTHING | st.just([[path, "text", 4, 0]]) | st.just([[path, "link", 4, 0]]))
        if data.draw(st.booleans()):
            table[key] = value
        else:
            table = {**table, data.draw(st.text(max_size=10) | st.just(path)): value}
        (folder / name).write_text(json.dumps(table), encoding="utf-8")

        look()
        gc(dry_run=True)
        gc(older_than=timedelta(days=1))
        gone = str(small.keys[0]) in verify().removed
        verify()
        gc()

        assert str(small.keys[1]) in there()
        assert gone or str(small.keys[0]) in there() or open_entry(small.keys[0]) is None
        assert outside.read_bytes() == b"mine"
        clear()
        assert not there()
        assert outside.read_bytes() == b"mine"

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
    @given(
        content=st.binary(max_size=30) | st.just(b"[" * 100_000) | st.just(b'{"a":' * 100_000) | st.just(b"9" * 10_000),
        name=st.sampled_from(["entry.json", "files.jsonl", "digests.json"]),
    )
    def test_what_is_no_json(self, tmp_path: Path, content: bytes, name: str) -> None:
        shutil.rmtree(tmp_path / "env", ignore_errors=True)
        small = make_small(tmp_path / "env", package("alpha")).keep()
        (small.keys[0].folder / name).write_bytes(content)

        look()
        assert verify().removed == (str(small.keys[0]),)
        assert not there()


class TestGc:
    def test_an_empty_store(self) -> None:
        tidied = gc()

        assert (tidied.removed, tidied.freed, tidied.remaining) == ((), 0, 0)
        assert not store_folder().exists()

    def test_what_an_environment_was_made_from_stays(self, small: Small) -> None:
        tidied = gc()

        assert (tidied.removed, tidied.stays, tidied.remaining, tidied.uses_removed) == ((), (), 2, 0)
        assert there() == set(map(str, small.keys))

    @POSIX
    def test_what_no_environment_was_made_from_goes(self, small: Small, tmp_path: Path) -> None:
        other = make_small(tmp_path / "other", package("alpha")).keep()
        shutil.rmtree(small.folder)
        beta = small.keys[1]
        alone = next(one.alone for one in look().entries if one.package == "beta")
        noted = sum(place.stat().st_blocks * 512 for place, use in read_uses().items() if use and not is_there(use))

        planned = gc(dry_run=True)
        assert not planned.done
        assert there() == set(map(str, small.keys))
        tidied = gc()

        assert tidied.done
        assert planned.removed == tidied.removed == (str(beta),)
        assert (tidied.remaining, planned.remaining) == (1, 1)
        assert there() == {str(key) for key in other.keys}
        assert planned.freed == tidied.freed == alone + noted
        assert [use.environment for use in read_uses().values() if use] == [str(other.folder)]

    @POSIX
    def test_freed_is_what_is_really_free(self, small: Small, tmp_path: Path) -> None:
        """What an environment has as well isn't, though the store no longer has it."""
        shared = (small.entries[0].tree / SITE / _FAST).lstat()
        if shared.st_nlink == 1:
            pytest.skip("this file system clones")
        keeping_alive = tmp_path / "elsewhere"
        os.link(small.folder / SITE / _FAST, keeping_alive)
        shutil.rmtree(small.folder)
        before = {(state.st_dev, state.st_ino): state for path in small_files() for state in [path.lstat()]}
        size = sum(state.st_blocks for state in before.values()) * 512

        assert look().alone == size - keeping_alive.stat().st_blocks * 512
        freed = gc().freed

        assert keeping_alive.read_bytes() == b"\0alpha 1.0"
        assert stat.S_ISREG(keeping_alive.stat().st_mode)
        assert size - keeping_alive.stat().st_blocks * 512 <= freed <= size

    def test_an_environment_that_another_replaced(self, small: Small) -> None:
        shutil.rmtree(small.folder)
        make_small(small.folder, package("alpha"), created="2026-05-05T05:05:05+00:00").keep()

        assert gc().removed == (str(small.keys[1]),)

    def test_only_what_was_not_used_for_long(self, small: Small) -> None:
        used_days_ago(31)
        shutil.rmtree(small.folder)

        assert gc(older_than=timedelta(days=32)).removed == ()
        assert len(gc(older_than=timedelta(days=30)).removed) == 2

    def test_what_is_old_stays_if_an_environment_is_there(self, small: Small) -> None:
        used_days_ago(400)

        assert gc(older_than=timedelta(days=1)).removed == ()
        assert there() == set(map(str, small.keys))

    def test_the_last_use_is_remembered_as_long_as_what_was_used(self, small: Small) -> None:
        """Else what was used yesterday would be as old as on the day when it was made."""
        shutil.rmtree(small.folder)
        long_ago = (datetime.now(timezone.utc) - timedelta(days=400)).timestamp()
        for key in small.keys:
            os.utime(key.folder / "entry.json", (long_ago, long_ago))

        for _ in range(2):
            tidied = gc(older_than=timedelta(days=30))
            assert (tidied.removed, tidied.uses_removed) == ((), 0)

        assert gc().uses_removed == 1
        assert not there()

    def test_halves_go(self, small: Small) -> None:
        (small.keys[0].folder / "entry.json").unlink()
        (store_folder() / "entries" / "3.11-linux-x86_64" / "nonsense").mkdir(parents=True)

        assert len(gc(older_than=timedelta(days=999)).removed) == 2
        assert there() == {str(small.keys[1])}

    def test_what_a_running_process_needs_stays(self, small: Small) -> None:
        shutil.rmtree(small.folder)
        needed, other = map(str, small.keys)

        with other_process(NEEDS, needed) as process:
            tidied = gc()
            assert tidied.stays == (Stays(entry=needed, why="a running process needs it"),)
            assert (tidied.removed, tidied.remaining) == ((other,), 1)
            assert verify().damages == ()
            assert process.poll() is None
        assert gc().removed == (needed,)

    def test_a_process_that_was_killed_needs_nothing(self, small: Small) -> None:
        shutil.rmtree(small.folder)
        code = NEEDS.replace("sys.stdin.read()", "sys.stdin.read(); import os; os._exit(0)")

        with other_process(code, *map(str, small.keys)):
            assert gc().removed == ()
        assert len(gc().removed) == 2
        assert not list((store_folder() / "running").glob("*"))

    def test_a_keeper_at_work_is_not_waited_for(self, small: Small) -> None:
        """It puts in what it puts in; what it needs stays."""
        shutil.rmtree(small.folder)

        with keeping():
            assert len(gc().removed) == 2

    @pytest.mark.parametrize("name", ["env", "other"])
    def test_an_environment_that_is_made_meanwhile(
        self, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """What is noted after the environments were looked at counts, be it in a place of which one was gone."""
        folder = tmp_path / name
        tidy: Any = importlib.import_module("kerasenv.store.tidy")

        shutil.rmtree(small.folder)
        real = tidy.scratch

        def scratch(what: str, place: Path) -> Any:
            make_small(folder, package("alpha"), created="2026-05-05T05:05:05+00:00").keep()
            return real(what, place)

        monkeypatch.setattr(tidy, "scratch", scratch)

        assert gc().removed == (str(small.keys[1]),)


class TestClear:
    def test_all_goes_and_environments_stay(self, small: Small) -> None:
        tidied = clear()

        assert (set(tidied.removed), tidied.stays, tidied.remaining) == (set(map(str, small.keys)), (), 0)
        assert not there()
        assert tidied.freed > 0
        assert (small.folder / SITE / _FAST).read_bytes() == b"\0alpha 1.0"
        assert [path.name for path in work_folder().iterdir()] == ["guard"]

    @POSIX
    def test_what_a_killed_process_left_goes_first(self, small: Small) -> None:
        """Else a file that has another name there would count as not freed."""
        shutil.rmtree(small.folder)
        files = look().alone
        make_leftover(small)

        freed = clear().freed

        assert freed >= files > 0
        assert [path.name for path in work_folder().iterdir()] == ["guard"]

    def test_while_a_process_needs_some(self, small: Small) -> None:
        needed = str(small.keys[0])

        with other_process(NEEDS, needed):
            tidied = clear()
        assert tidied.stays == (Stays(entry=needed, why="a running process needs it"),)
        assert there() == {needed}

    def test_what_is_kept_afterwards_is_not_lost(self, small: Small) -> None:
        """The environment is remembered, so that gc doesn't take what is put in anew."""
        clear()
        small.keep()

        assert gc().removed == ()
        assert there() == set(map(str, small.keys))

    def test_while_an_entry_is_taken(self, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A create at work has what it asked for, whole."""
        module: Any = importlib.import_module("kerasenv.store.take")

        real, said = module.lay, []

        def lay(todo: Any) -> list[str]:
            said.append(clear())
            return real(todo)  # type: ignore[no-any-return]

        monkeypatch.setattr(module, "lay", lay)
        anew = taken_anew(small, tmp_path)

        assert [len(one.stays) for one in said] == [2]
        assert {path.name for path in (anew / SITE).glob("*/_fast.so")} == {"_fast.so"}
        assert len(list((anew / SITE).glob("*/_fast.so"))) == 2


MANY = """
import shutil
from datetime import timedelta
from pathlib import Path
from kerasenv.store.info import look
from kerasenv.store.take import put, take
from kerasenv.store.tidy import clear, gc
from kerasenv.store.verify import verify
from tests.kept import SITE, make_small, package

own, number = Path(sys.argv[1]), int(sys.argv[2])
for turn in range(6):
    names = [one for place, one in enumerate("abcd") if place != (turn + number) % 4]
    small = make_small(own / f"env-{turn}", *map(package, names))
    small.keep()
    work, anew = own / f"work-{turn}", own / f"anew-{turn}"
    work.mkdir(); anew.mkdir()
    for one in take(small.sources, work):
        put(one, anew)
        assert (anew / SITE / one.name / "_fast.so").read_bytes() == f"\\0{one.name} 1.0".encode(), one
        assert (anew / SITE / one.name / "__init__.py").read_text() == f"NAME = {one.name!r}\\n", one
    if number % 4 == 0: gc()
    if number % 4 == 1: gc(older_than=timedelta(0)); look()
    if number % 4 == 2:
        found = verify()
        assert not found.damages, found
    if number % 8 == 3: clear()
    if turn % 2: shutil.rmtree(own / f"env-{turn - 1}")
print("done")
"""


def test_many_processes_at_once(tmp_path: Path) -> None:
    """Whatever they keep, take, verify and remove at the same moment: everybody has what they need, or nothing."""
    start = f"import sys; sys.path[0] = {str(CHECKOUT)!r}\n"
    (tmp_path / "own").mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", start + MANY, str(tmp_path / "own" / str(number)), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for number in range(8)
    ]
    said = [process.communicate(timeout=300) for process in processes]

    assert said == [("done\n", "")] * 8
    assert verify().damages == ()
    gc()
    assert not look().busy
    assert not list((store_folder() / "running").glob("*.json"))
    assert not [path for path in work_folder().iterdir() if path.is_dir()]
