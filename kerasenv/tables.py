"""A table of TOML or JSON, read key by key, with all its faults at once.

What can't be used is read as None and told to the `Faults` that all tables of one document share::

    faults = Faults()
    table = Table(tomli.loads(text), faults)
    name = table.text("name", filled, required=True)
    reasons = [entry.text("because", filled, required=True) for entry in table.tables("constraints")]
    table.done()
    if faults:
        raise ProfileError(faults.told_of("profiles/x.toml"))
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

T = TypeVar("T")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: dict[type, str] = {
    bool: "true or false",  # before int, which it is to Python
    str: "text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
    type(None): "null",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is wrong, and at which key: ``constraints[3].because``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Faults:
    """All that is wrong with one document."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, path: str, message: str) -> None:
        """Remember a fault."""
        self._faults.append(Fault(path=path, message=message))

    def told_of(self, source: str) -> str:
        """Return one line for each fault, beginning with where the document came from."""
        return "\n".join(f"{source}: {fault}" for fault in self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def __bool__(self) -> bool:
        return bool(self._faults)


class Table:
    """One table; a key that is never asked for is unknown, which `done` makes a fault.

    A `read` function turns a text into what it means, and raises ValueError with the reason if it means nothing. In a
    table that is `excused`, nothing is missing: that it isn't there at all has been told.
    """

    def __init__(self, data: object, faults: Faults, path: str = "", *, excused: bool = False) -> None:
        self._faults = faults
        self._path = path
        usable: dict[str, object] | None = self._of_kind(path, data, dict)
        self._data = usable or {}
        self._excused = excused or usable is None
        self._known: dict[str, None] = {}  # a set that keeps the order of the questions
        self._children: list[Table] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def text(self, key: str, read: Callable[[str], T], *, required: bool = False) -> T | None:
        """Return a text as `read` understands it."""
        value: str | None = self._value(key, str, required=required)
        return None if value is None else self._understood(self._path_of(key), value, read)

    def texts(self, key: str, read: Callable[[str], T], *, required: bool = False) -> tuple[T, ...] | None:
        """Return a list of texts as `read` understands each."""
        entries: list[object] | None = self._value(key, list, required=required)
        if entries is None:
            return None
        understood = []
        for number, entry in enumerate(entries):
            path = f"{self._path_of(key)}[{number}]"
            text: str | None = self._of_kind(path, entry, str)
            value = None if text is None else self._understood(path, text, read)
            if value is not None:
                understood.append(value)
        return tuple(understood) if len(understood) == len(entries) else None

    def flag(self, key: str, *, required: bool = False) -> bool | None:
        """Return true or false."""
        value: bool | None = self._value(key, bool, required=required)
        return value

    def number(self, key: str, *, required: bool = False) -> float | None:
        """Return a number that is neither infinite nor NaN."""
        value: float | None = self._value(key, float, int, required=required)
        if value is None:
            return None
        try:
            number = float(value)
        except OverflowError:  # an int has no bounds
            number = math.inf
        if math.isfinite(number):
            return number
        self.fault(key, "must be a finite number")
        return None

    def table(self, key: str, *, required: bool = False) -> Table:
        """Return the table below a key, an empty one if there is none."""
        value: dict[str, object] | None = self._value(key, dict, required=required)
        told = value is None and (required or key in self._data)
        return self._child(self._path_of(key), value or {}, excused=told)

    def tables(self, key: str, *, required: bool = False) -> tuple[Table, ...]:
        """Return each table of a list, none if there is no list."""
        entries: list[object] = self._value(key, list, required=required) or []
        return tuple(self._child(f"{self._path_of(key)}[{number}]", entry) for number, entry in enumerate(entries))

    def fault(self, key: str, message: str) -> None:
        """Remember what only the reader of this table can see is wrong with a key."""
        self._faults.add(self._path_of(key), message)

    def done(self) -> None:
        """Make every key a fault that nobody asked for, here and in the tables below."""
        for key in self._data:
            if key not in self._known:
                self.fault(key, f"unknown; {did_you_mean(key, self._known)}")
        for child in self._children:
            child.done()

    def _value(self, key: str, *kinds: type, required: bool) -> Any:
        self._known[key] = None
        if key in self._data:
            return self._of_kind(self._path_of(key), self._data[key], *kinds)
        if required and not self._excused:
            self.fault(key, "missing")
        return None

    def _of_kind(self, path: str, value: object, *kinds: type) -> Any:
        # Exactly: to isinstance, true is a number as well
        if type(value) in kinds:
            return value
        self._faults.add(path, f"must be {_KINDS[kinds[0]]}, not {_KINDS.get(type(value), 'a date or a time')}")
        return None

    def _understood(self, path: str, text: str, read: Callable[[str], T]) -> T | None:
        try:
            return read(text)
        except ValueError as error:
            self._faults.add(path, str(error))
            return None

    def _child(self, path: str, data: object, *, excused: bool = False) -> Table:
        child = Table(data, self._faults, path, excused=excused)
        self._children.append(child)
        return child

    def _path_of(self, key: str) -> str:
        shown = key if _BARE_KEY.fullmatch(key) else json.dumps(key)
        return f"{self._path}.{shown}" if self._path else shown


def filled(text: str) -> str:
    """Read a text that must say something."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """Read a text that must be one of a few."""

    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r} is unknown; {did_you_mean(text, known)}")
        return text

    return read


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return what was probably meant, or else all that could be meant, as a piece of a sentence."""
    import difflib  # noqa: PLC0415  # only where something is wrong

    # By their parts too, or 'thano' is far from 'theano-legacy', and 'tf1' nearer to 'tf2-modern' than to 'tf1-legacy'
    parts = {part: name for name in known for part in (*re.split(r"[-_.]", name), name)}
    holding = [name for name in known if word.strip() and word.lower() in name.lower()]
    meant = next(iter(holding or [parts[part] for part in difflib.get_close_matches(word.lower(), parts, n=1)]), None)
    return f"did you mean {meant!r}?" if meant else f"known here: {', '.join(known) or 'nothing'}"
