"""What the store remembers of environments, and what it makes of what others wrote there."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kerasenv.env.environment import RECEIPT
from kerasenv.store.place import Key, store_folder
from kerasenv.store.tidy import gc
from kerasenv.store.uses import Use, is_there, last_uses, note_use, read_uses
from tests.kept import CREATED, make_small, package

if TYPE_CHECKING:
    from pathlib import Path

KEY = Key(python="3.11-linux-x86_64", package="alpha-1.0-0123456789abcdef")


def only_use() -> Use:
    (use,) = read_uses().values()
    assert use is not None
    return use


def test_it_is_written_down_whole(tmp_path: Path) -> None:
    environment = make_small(tmp_path / "env").folder
    before = datetime.now(timezone.utc)

    note_use(environment, [KEY])

    use = only_use()
    assert (use.environment, use.created) == (os.path.realpath(environment), CREATED)
    assert use.entries == {str(KEY)}
    assert before <= use.at <= datetime.now(timezone.utc)
    (place,) = read_uses()
    assert len(place.stem) == 32
    assert list(place.parent.iterdir()) == [place]


def test_the_last_one_counts(tmp_path: Path) -> None:
    environment = make_small(tmp_path / "env").folder
    other = Key(python=KEY.python, package="beta-1.0-0123456789abcdef")

    note_use(environment, [KEY])
    note_use(environment, [other])

    assert only_use().entries == {str(other)}


def test_keeping_is_a_use(tmp_path: Path) -> None:
    """Of what was put into the store, and of what was there before."""
    first = make_small(tmp_path / "first", package("alpha")).keep()
    second = make_small(tmp_path / "second", package("alpha")).keep()

    uses = [use for use in read_uses().values() if use]
    assert {use.environment for use in uses} == {str(first.folder), str(second.folder)}
    assert [use.entries for use in uses] == [{str(key) for key in first.keys}] * 2


def test_an_environment_that_is_there(tmp_path: Path) -> None:
    environment = make_small(tmp_path / "env").folder
    note_use(environment, [KEY])

    assert is_there(only_use())


def test_one_that_is_gone(tmp_path: Path) -> None:
    environment = make_small(tmp_path / "env").folder
    note_use(environment, [KEY])
    shutil.rmtree(environment)

    assert not is_there(only_use())


def test_one_that_another_replaced(tmp_path: Path) -> None:
    environment = make_small(tmp_path / "env").folder
    note_use(environment, [KEY])
    make_small(environment, created="2026-05-05T05:05:05+00:00")

    assert not is_there(only_use())


def test_one_whose_receipt_nobody_can_read_is_there(tmp_path: Path) -> None:
    """It may have been made by a kerasenv that is newer."""
    environment = make_small(tmp_path / "env").folder
    note_use(environment, [KEY])
    (environment / RECEIPT).write_text("{", encoding="utf-8")

    assert is_there(only_use())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may look everywhere")
def test_one_where_nobody_may_look_is_there(tmp_path: Path) -> None:
    environment = make_small(tmp_path / "closed" / "env").folder
    note_use(environment, [KEY])
    environment.parent.chmod(0)
    try:
        assert is_there(only_use())
    finally:
        environment.parent.chmod(0o755)


def test_the_newest_of_several() -> None:
    day = datetime(2026, 1, 1, tzinfo=timezone.utc)
    uses = {
        store_folder() / str(number): Use(
            environment="/env", created=CREATED, at=day + timedelta(days=days), entries=frozenset(entries)
        )
        for number, (days, entries) in enumerate([(2, "ab"), (1, "abc"), (0, "bd")])
    }

    last = last_uses({**uses, store_folder() / "none": None})

    assert {entry: (place.name, use.at.day) for entry, (place, use) in last.items()} == {
        "a": ("0", 3),
        "b": ("0", 3),
        "c": ("1", 2),
        "d": ("2", 1),
    }


# What others wrote

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_DATES = st.datetimes(timezones=st.none() | st.just(timezone.utc)).map(datetime.isoformat)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "environment": _ANYTHING | st.sampled_from(["/dev/zero", "/\udcff", "/\ud800", "/a\0b", "/" + "x" * 5000]),
            "created": _ANYTHING,
            "at": _ANYTHING | _DATES,
            "entries": _ANYTHING | st.lists(st.text(max_size=10), max_size=3),
        },
    ),
    missing=st.none() | st.sampled_from(["environment", "created", "at", "entries"]),
)
@example(changes={"at": "0001-01-01T00:00:00+00:00"}, missing=None)
@example(changes={"at": "9999-12-31T23:59:59+00:00"}, missing=None)
def test_what_is_no_use_is_passed_over(tmp_path: Path, changes: dict[str, Any], missing: str | None) -> None:
    """Nothing that stands there makes a difference to others, nor stops anybody."""
    _empty()
    good, bad = make_small(tmp_path / "good").folder, make_small(tmp_path / "bad").folder
    note_use(good, [KEY])
    note_use(bad, [KEY])
    place = next(place for place, use in read_uses().items() if use and use.environment == str(bad))
    table = json.loads(place.read_text("utf-8")) | changes
    table.pop(missing, None)
    place.write_text(json.dumps(table), encoding="utf-8")

    uses = read_uses()
    assert sum(use is not None and use.environment == str(good) for use in uses.values()) == 1
    for use in uses.values():
        if use is not None:
            is_there(use)
    gc(older_than=timedelta(days=1), dry_run=True)
    gc()
    assert [use.environment for use in read_uses().values() if use][:1]
    assert not [place for place, use in read_uses().items() if use is None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(content=st.binary(max_size=50) | st.just(b"[" * 100_000) | st.just(b" " * (2 << 20)))
def test_what_is_no_json_is_cleared_away(tmp_path: Path, content: bytes) -> None:
    _empty()
    note_use(make_small(tmp_path / "good").folder, [KEY])
    bad = store_folder() / "uses" / f"{'0' * 32}.json"
    bad.write_bytes(content)

    assert read_uses()[bad] is None
    gc()
    assert not bad.exists()
    assert len(read_uses()) == 1


@pytest.mark.skipif(os.name != "posix", reason="Windows has none of these")
def test_what_is_no_file_is_cleared_away(tmp_path: Path) -> None:
    """Nobody waits for a pipe, and where a link leads nothing is removed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    environment = make_small(tmp_path / "env").folder
    note_use(environment, [KEY])
    uses = store_folder() / "uses"
    os.mkfifo(uses / "pipe.json")
    (uses / "link.json").symlink_to(elsewhere)
    (uses / "folder.json").mkdir()
    (uses / "folder.json" / "file").touch()

    assert gc().uses_removed == 3

    assert only_use().environment == str(environment)
    assert (elsewhere / "file").exists()


def test_one_of_a_wrong_name_is_none(tmp_path: Path) -> None:
    """Each environment has one, or somebody could say a hundred times that it is there."""
    note_use(make_small(tmp_path / "env").folder, [KEY])
    (place,) = read_uses()
    place.rename(place.with_name(f"{'0' * 32}.json"))

    assert list(read_uses().values()) == [None]


def _empty() -> None:
    shutil.rmtree(store_folder() / "uses", ignore_errors=True)
