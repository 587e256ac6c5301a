"""Find profiles: yours before those that ship with kerasenv.

A name is looked up in the nearest pyproject.toml (in the folder or above it), in ./profiles/, in the folder of the
user's settings and among the shipped profiles. A profile that extends its own name means the next one in that line.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol

from kerasenv.errors import ProfileError
from kerasenv.folders import config_folder
from kerasenv.profiles.inherit import inherit, told
from kerasenv.profiles.load import NAME, load_profile_file, load_profile_table, read_toml
from kerasenv.resources import SHIPPED_PROFILES, shipped_profiles
from kerasenv.tables import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kerasenv.profiles.load import RawProfile
    from kerasenv.profiles.profile import Profile

_PYPROJECT_TABLE = ("tool", "kerasenv", "profiles")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Every profile that can be named, and what is wrong with those that can't be used."""

    profiles: tuple[Profile, ...]
    errors: tuple[ProfileError, ...]


class _Place(Protocol):
    """Somewhere that profiles are found by name."""

    @property
    def title(self) -> str: ...

    def names(self) -> list[str]: ...

    def source(self, name: str) -> str: ...

    def load(self, name: str) -> RawProfile | None: ...


class _Folder:
    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.title = title

    def names(self) -> list[str]:
        # A profile's lock can lie beside it
        return [path.stem for path in self.path.glob("*.toml") if not path.name.startswith("pylock.")]

    def source(self, name: str) -> str:
        return f"{self.title}{os.sep}{name}.toml"

    def load(self, name: str) -> RawProfile | None:
        path = self.path / f"{name}.toml"
        return load_profile_file(path, self.source(name), name=name) if os.path.lexists(path) else None


class _Pyproject:
    def __init__(self, path: Path, shown: str) -> None:
        self.path = path
        self.shown = shown
        self.title = f"{shown} [{'.'.join(_PYPROJECT_TABLE)}]"

    def names(self) -> list[str]:
        return list(self._tables())

    def source(self, name: str) -> str:
        return f"{self.shown} [{'.'.join(_PYPROJECT_TABLE)}.{name}]"

    def load(self, name: str) -> RawProfile | None:
        tables = self._tables()
        if name not in tables:
            return None
        table = tables[name]
        named = {"name": name, **table} if isinstance(table, dict) else table
        return load_profile_table(named, self.source(name), name=name)

    def _tables(self) -> dict[str, object]:
        tables = read_toml(self.path, self.shown)
        for depth, key in enumerate(_PYPROJECT_TABLE, start=1):
            below = tables.get(key, {})
            if not isinstance(below, dict):
                raise ProfileError(f"{self.shown}: {'.'.join(_PYPROJECT_TABLE[:depth])}: must be a table")
            tables = below
        return tables


class _ReadOnce:
    """A place of which nothing is read twice, however many profiles extend it."""

    def __init__(self, place: _Place) -> None:
        self.title = place.title
        self.names = place.names
        self.source = place.source
        self.load = cache(place.load)


def find_profile(text: str, *, cwd: Path) -> Profile:
    """Return the profile that a person means by a name or by the path of a file."""
    places = _places(cwd)
    if _is_path(text):
        path = cwd.absolute() / text
        found: RawProfile | None = load_profile_file(path, _shown(path, cwd))
    else:
        found = _first(text, places) if NAME.fullmatch(text) else None
    if found is None:
        raise _unknown(f"there is no profile {text!r}", text, places)
    return inherit(found, partial(_parent, places))


def list_profiles(*, cwd: Path) -> Listing:
    """Return every profile that a name finds from here, in the order of the names."""
    profiles = []
    errors: dict[str, ProfileError] = {}  # by message: a broken parent breaks all its children
    readable: list[_Place] = []
    names: set[str] = set()
    for place in _places(cwd):
        try:
            names.update(place.names())
            readable.append(_ReadOnce(place))
        except ProfileError as error:
            errors[error.message] = error
    for name in sorted(names):
        try:
            found = _first(name, readable)
            if found is not None:
                profiles.append(inherit(found, partial(_parent, readable)))
        except ProfileError as error:
            errors[error.message] = error
    return Listing(profiles=tuple(profiles), errors=tuple(errors.values()))


def _is_path(text: str) -> bool:
    return text.lower().endswith(".toml") or "/" in text or os.sep in text


def _places(cwd: Path) -> list[_Place]:
    """Return where profiles are looked for by name; what comes first counts."""
    folders = [_Folder(path=shipped_profiles(), title=SHIPPED_PROFILES)]
    users = config_folder() / "profiles"
    for path, title in [(users, str(users)), (cwd / "profiles", "profiles")]:
        # In a checkout of kerasenv, ./profiles/ holds the shipped ones
        if not any(_same(path, folder.path) for folder in folders):
            folders.insert(0, _Folder(path=path, title=title))
    above = (folder / "pyproject.toml" for folder in (cwd.absolute(), *cwd.absolute().parents))
    # Path.is_file() raises for a folder above that may not be looked into
    pyprojects = [path for path in above if os.path.isfile(path)]  # noqa: PTH113
    return [*(_Pyproject(path=path, shown=_shown(path, cwd)) for path in pyprojects[:1]), *folders]


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd.absolute()) if path.is_relative_to(cwd.absolute()) else path)


def _first(name: str, places: Sequence[_Place]) -> RawProfile | None:
    return next(filter(None, (place.load(name) for place in places)), None)


def _parent(places: Sequence[_Place], chain: Sequence[RawProfile]) -> RawProfile:
    """Return what the last profile of a chain extends."""
    child = chain[-1]
    name = child.extends or ""
    line = places
    if name == child.name:
        here = [number for number, place in enumerate(places) if place.source(name) == child.source]
        line = places[here[0] + 1 :] if here else places
    parent = _first(name, line)
    if parent is None:
        what = f"no other profile {name!r}" if name == child.name else f"no profile {name!r}"
        raise _unknown(f"{child.source}: extends: there is {what} ({told(chain)} extends {name})", name, line)
    return parent


def _unknown(message: str, name: str, places: Sequence[_Place]) -> ProfileError:
    known: set[str] = set()
    for place in places:
        with suppress(ProfileError):
            known.update(place.names())
    return ProfileError(
        f"{message}; {did_you_mean(name, sorted(known - {name}))}",
        looked_at=[place.title for place in places],
        hints=["kerasenv list"],
    )
