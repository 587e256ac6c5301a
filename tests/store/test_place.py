"""Several at work in the store at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from kerasenv.store.place import (
    Key,
    guarded,
    is_busy,
    is_switched_on,
    keeping,
    keys_there,
    needed_now,
    needing,
    store_folder,
)
from tests.programs import CHECKOUT
from tests.project import work_folders
from tests.store.rig import Rig, check_store

if TYPE_CHECKING:
    from pathlib import Path

KEY = Key(python="3.11-test-x", package="thing-1.0-0123456789abcdef")
OTHER = Key(python="3.11-test-x", package="other-1.0-0123456789abcdef")
HOLD = """
import sys
sys.path[0] = sys.argv[1]
from kerasenv.store.place import Key, keeping, needing
key = Key(python="3.11-test-x", package="thing-1.0-0123456789abcdef")
with needing([key]) if sys.argv[2] == "needing" else keeping():
    print("there", flush=True)
    sys.stdin.read()
"""


def _hold(what: str) -> subprocess.Popen[str]:
    """Start a process that is at work in the store until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(CHECKOUT), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


@pytest.fixture(autouse=True)
def _there(home: Path) -> None:
    assert store_folder().is_relative_to(home)
    KEY.folder.mkdir(parents=True)


def _needed() -> frozenset[str]:
    with guarded():
        return needed_now()


def test_what_is_there_is_needed_as_long_as_it_lasts() -> None:
    assert keys_there() == [KEY]
    with needing([KEY, OTHER]) as there:
        assert there == {KEY}
        assert _needed() == {str(KEY), str(OTHER)}  # the other one may be about to be put there
        with needing([]) as none:
            assert none == frozenset()
        assert _needed() == {str(KEY), str(OTHER)}

    assert _needed() == frozenset()
    assert list((store_folder() / "running").iterdir()) == []


def test_an_error_ends_it_as_well() -> None:
    with pytest.raises(ZeroDivisionError), needing([KEY]):
        raise ZeroDivisionError

    assert list((store_folder() / "running").iterdir()) == []


def test_others_need_it_too() -> None:
    with _hold("needing") as one, _hold("needing") as two:
        assert _needed() == {str(KEY)}
        one.communicate("")
        assert _needed() == {str(KEY)}
        two.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        two.wait()
        assert _needed() == frozenset()

    assert list((store_folder() / "running").iterdir()) == []


def test_what_a_killed_process_left_goes_and_nothing_of_one_that_lives() -> None:
    running = store_folder() / "running"
    with _hold("needing") as living:
        names = {path.name for path in running.iterdir()}
        with _hold("needing") as killed:
            killed.kill()
        assert len(list(running.iterdir())) == 4

        with needing([OTHER]):
            assert names < {path.name for path in running.iterdir()}
            assert len(list(running.iterdir())) == 4
            assert _needed() == {str(KEY), str(OTHER)}

        assert {path.name for path in running.iterdir()} == names
        living.communicate("")


def test_what_is_in_the_way_of_clearing_is_in_nobody_elses() -> None:
    (store_folder() / "running" / "odd.lock").mkdir(parents=True)

    with needing([KEY]) as there:
        assert there == {KEY}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1, null]", b"3"])
def test_a_note_that_can_not_be_read_is_nobodys_trouble(content: bytes) -> None:
    running = store_folder() / "running"
    running.mkdir()
    (running / "left.json").write_bytes(content)
    (running / "left.lock").touch()
    with FileLock(running / "held.lock"):
        (running / "held.json").write_bytes(content)
        _needed()

    assert _needed() == frozenset()
    assert list(running.iterdir()) == []


def test_one_keeper_at_a_time() -> None:
    assert not is_busy()
    with _hold("keeping") as keeper:
        assert is_busy()
        waited = threading.Event()

        def wait() -> None:
            with keeping():
                waited.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not waited.is_set()
        keeper.communicate("")
        thread.join()
        assert waited.is_set()
    assert not is_busy()


@pytest.mark.parametrize(("value", "on"), [(None, True), ("", True), ("1", True), ("0", False)])
def test_a_variable_switches_it_off(monkeypatch: pytest.MonkeyPatch, value: str | None, *, on: bool) -> None:
    monkeypatch.delenv("KERASENV_STORE")
    if value is not None:
        monkeypatch.setenv("KERASENV_STORE", value)

    assert is_switched_on() is on


# Whole commands


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_many_make_environments_at_once(rig: Rig, *, full: bool) -> None:
    rig.create("zero")
    if full:
        rig.keep()
    folders = [rig.project / f"env{number}" for number in range(6)]

    started = [rig.start(*rig.words(folder)) for folder in folders]
    told = [process.communicate() for process in started]

    assert [process.returncode for process in started] == [0] * 6, told
    lines = (rig.home / "keepers").read_text("utf-8").splitlines()
    assert len(lines) == 6 if full else 7
    keepers = [rig.start_keeper(folder) for folder in folders]
    said = [keeper.communicate() for keeper in keepers]
    assert [keeper.returncode for keeper in keepers] == [0] * 6, said
    for folder in folders:
        rig.verify(folder)
    assert check_store(rig.store) > 20
    assert work_folders(rig.project) == set()
    for work in (rig.store / "work", rig.store.parent / "work"):
        assert [path.name for path in work.iterdir()] == ["guard"]
    assert list((rig.store / "running").iterdir()) == []
    for entry in rig.entries:
        assert (entry / "spare").is_dir()


def test_environments_are_made_while_the_keeper_works(rig: Rig) -> None:
    """What it has ready comes from the store, the rest from uv; nobody waits for anybody."""
    first = rig.create("first")
    folders = [rig.project / f"env{number}" for number in range(3)]

    keeper = rig.start_keeper(first)
    started = [rig.start(*rig.words(folder)) for folder in folders]
    told = [process.communicate() for process in started]
    said = keeper.communicate()

    assert [process.returncode for process in started] == [0] * 3, told
    assert keeper.returncode == 0, said
    for folder in [first, *folders]:
        rig.verify(folder)
    check_store(rig.store)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_one_that_is_killed_while_it_takes_leaves_the_store_whole(rig: Rig) -> None:
    rig.make_and_keep("first")
    for moment in range(6):
        process = rig.start(*rig.words(rig.project / "killed"))
        try:
            process.wait(0.25 + moment / 10)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        check_store(rig.store)
        if (rig.project / "killed").exists():
            rig.verify(rig.project / "killed")
            shutil.rmtree(rig.project / "killed")

    rig.verify(rig.make_and_keep("second"))
    for work in (rig.store / "work", rig.store.parent / "work"):
        assert [path.name for path in work.iterdir()] == ["guard"]
    assert list((rig.store / "running").iterdir()) == []
