from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.tables import Faults, Table, did_you_mean, filled, one_of

Read = Callable[[Table], object]


def read(data: object, ask: Read) -> tuple[object, list[str]]:
    """Return what a question to a table gives, and the faults."""
    faults = Faults()
    table = Table(data, faults)
    answer = ask(table)
    table.done()
    return answer, [str(fault) for fault in faults]


def test_values_arrive_as_they_are() -> None:
    data = {"text": "a", "texts": ["b", "c"], "flag": False, "number": 2, "table": {"below": "d"}, "tables": [{}, {}]}
    faults = Faults()
    table = Table(data, faults)

    assert table.text("text", str) == "a"
    assert table.texts("texts", str.upper) == ("B", "C")
    assert table.flag("flag") is False
    assert table.number("number") == 2.0
    assert table.table("table").text("below", str) == "d"
    assert len(table.tables("tables")) == 2
    table.done()
    assert not faults
    assert list(table) == list(data)


def test_what_is_not_there_is_nothing() -> None:
    faults = Faults()
    table = Table({}, faults)

    assert table.text("a", str) is None
    assert table.texts("a", str) is None
    assert table.flag("a") is None
    assert table.number("a") is None
    assert list(table.table("a")) == []
    assert table.tables("a") == ()
    assert not faults


@pytest.mark.parametrize(
    "ask",
    [
        lambda table: table.text("a", str, required=True),
        lambda table: table.texts("a", str, required=True),
        lambda table: table.flag("a", required=True),
        lambda table: table.number("a", required=True),
        lambda table: table.table("a", required=True),
        lambda table: table.tables("a", required=True),
    ],
)
def test_what_is_required_and_not_there_is_missing(ask: Read) -> None:
    assert read({}, ask)[1] == ["a: missing"]


@pytest.mark.parametrize(
    ("value", "ask", "fault"),
    [
        (1, lambda table: table.text("a", str), "a: must be text, not a number"),
        (None, lambda table: table.text("a", str), "a: must be text, not null"),
        ("b", lambda table: table.texts("a", str), "a: must be a list, not text"),
        (["b", 1.5], lambda table: table.texts("a", str), "a[1]: must be text, not a number"),
        (1, lambda table: table.flag("a"), "a: must be true or false, not a number"),
        (True, lambda table: table.number("a"), "a: must be a number, not true or false"),
        ("1", lambda table: table.number("a"), "a: must be a number, not text"),
        (float("nan"), lambda table: table.number("a"), "a: must be a finite number"),
        (float("inf"), lambda table: table.number("a"), "a: must be a finite number"),
        (10**400, lambda table: table.number("a"), "a: must be a finite number"),
        ([], lambda table: table.table("a"), "a: must be a table, not a list"),
        ({}, lambda table: table.tables("a"), "a: must be a list, not a table"),
        ([{}, date(2020, 1, 1)], lambda table: table.tables("a"), "a[1]: must be a table, not a date or a time"),
    ],
)
def test_a_value_of_another_kind_is_a_fault(value: object, ask: Read, fault: str) -> None:
    """Python takes true for a number; TOML and JSON don't."""
    assert read({"a": value}, ask)[1] == [fault]


def test_a_reader_says_why_a_text_means_nothing() -> None:
    assert read({"a": " "}, lambda table: table.text("a", filled)) == (None, ["a: must not be empty"])
    assert read({"a": "b"}, lambda table: table.text("a", filled)) == ("b", [])


def test_a_list_means_something_if_all_its_entries_do() -> None:
    answer, faults = read({"a": ["x", "q", "y", "r"]}, lambda table: table.texts("a", one_of(("x", "y"))))

    assert answer is None
    assert faults == ["a[1]: 'q' is unknown; known here: x, y", "a[3]: 'r' is unknown; known here: x, y"]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "a: missing"),
        ({"a": 1}, "a: must be a table, not a number"),
        ({"a": {}}, "a.b: missing"),
        ([], "must be a table, not a list"),
    ],
)
def test_what_lacks_altogether_is_not_told_for_each_of_its_keys(data: object, fault: str) -> None:
    assert read(data, lambda table: table.table("a", required=True).text("b", str, required=True)) == (None, [fault])


def test_keys_that_nobody_asked_for_are_faults_on_every_level() -> None:
    def ask(table: Table) -> object:
        table.texts("requirements", str)
        return [entry.text("because", filled) for entry in table.tables("constraints")]

    data = {"requirement": [], "constraints": [{"because": "a"}, {"becuase": "b", "other": 1}]}

    assert read(data, ask)[1] == [
        "requirement: unknown; did you mean 'requirements'?",
        "constraints[1].becuase: unknown; did you mean 'because'?",
        "constraints[1].other: unknown; known here: because",
    ]


def test_every_key_of_a_path_can_be_told_from_the_next() -> None:
    """A key may hold dots, brackets, quotes and line breaks, and a fault is one line."""

    def ask(table: Table) -> object:
        return [table.table(key).text("c", str, required=True) for key in table]

    assert read({"a.b": {}, "": {}, 'x"[0]\n': {}, "é": {}}, ask)[1] == [
        '"a.b".c: missing',
        '"".c: missing',
        '"x\\"[0]\\n".c: missing',
        '"\\u00e9".c: missing',
    ]


def test_a_document_that_is_no_table_is_one_fault() -> None:
    """JSON's outermost value can be anything."""
    assert read([1], lambda table: table.text("a", str)) == (None, ["must be a table, not a list"])


def test_faults_are_told_line_by_line() -> None:
    faults = Faults()
    faults.add("a[3].b", "missing")
    faults.add("", "must be a table, not a list")

    assert faults.told_of("x.toml") == "x.toml: a[3].b: missing\nx.toml: must be a table, not a list"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("tf1", "tf1-legacy-standalone"),
        ("TF2", "tf2-modern"),
        ("thano", "theano-legacy"),
        ("theano_legacy", "theano-legacy"),
        ("modern", "tf2-modern"),
    ],
)
def test_the_nearest_is_what_a_person_would_have_meant(word: str, meant: str) -> None:
    assert did_you_mean(word, ["tf2-modern", "tf1-legacy-standalone", "theano-legacy"]) == f"did you mean {meant!r}?"


def test_without_anything_near_all_is_named() -> None:
    assert did_you_mean("", ["a", "b"]) == "known here: a, b"
    assert did_you_mean("quux", ["a", "b"]) == "known here: a, b"
    assert did_you_mean("a", []) == "known here: nothing"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
anything = st.recursive(scalars, lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=10)


@pytest.mark.parametrize(
    "ask",
    [
        lambda table, key: table.text(key, str),
        lambda table, key: table.flag(key),
        lambda table, key: table.number(key),
    ],
    ids=["text", "flag", "number"],
)
@given(data=st.dictionaries(st.text(), anything))
def test_every_value_is_an_answer_or_one_fault(ask: Callable[..., object], data: dict[str, object]) -> None:
    for key, value in data.items():
        answer, faults = read({key: value}, partial(ask, key=key))

        assert len(faults) == (1 if answer is None else 0)


@given(data=anything)
def test_any_document_can_be_walked_to_its_ground(data: object) -> None:
    """Whatever a file holds, reading it ends, and each fault has a path of one line."""

    def walk(table: Table) -> None:
        for key in table:
            table.texts(key, filled)
            for below in (table.table(key), *table.tables(key)):
                walk(below)

    assert not [fault for fault in read(data, walk)[1] if "\n" in fault]
