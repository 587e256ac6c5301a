"""What changed between two locks, and what asked for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kerasenv.engine import files_of
from kerasenv.lock.wish import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.pylock import Package, Pylock

    from kerasenv.lock.lockfile import Lock, Promise
    from kerasenv.profiles.profile import Profile


# As they stand in the file
_NAMES = {"extra": "with", "gaps": "missing", "settings": "keras"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One package's versions before and after; several where it depends on the machine, none where it isn't there."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    details: tuple[str, ...] = ()
    """What differs although the versions are the same: files, their sha256, or for which machines they are."""

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.name} {', '.join(self.after)}"
        if not self.after:
            return f"- {self.name} {', '.join(self.before)}"
        if self.details:
            return f"~ {self.name} {', '.join(self.after)}: {'; '.join(self.details)}"
        return f"~ {self.name} {', '.join(self.before)} -> {', '.join(self.after)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a lock says beside its packages, before and after."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before or 'nothing'} -> {self.after or 'nothing'}"


def changes(old: Pylock, new: Pylock) -> list[Change]:
    """Return the packages that differ, by name."""
    before, after = _by_name(old), _by_name(new)
    found = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, []), after.get(name, [])
        versions = tuple(map(_version, was)), tuple(map(_version, now))
        details = _details(was, now) if versions[0] == versions[1] else ()
        if versions[0] != versions[1] or details:
            found.append(Change(name=name, before=versions[0], after=versions[1], details=details))
    return found


def settings(old: Lock, new: Lock) -> list[Setting]:
    """Return what else differs."""
    before, after = dict(_settings(old)), dict(_settings(new))
    return [
        Setting(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in dict.fromkeys((*before, *after))
        if before.get(name, "") != after.get(name, "")
    ]


def who_asks(name: str, promise: Promise | None, profile: Profile | None) -> tuple[str, ...]:
    """Return what asks for a package or holds it back, as far as a lock and its profile know.

    A lock doesn't say what its packages need, so whatever nobody named is needed by others.
    """
    if promise is None:
        return ()
    found = [f"--with {text}" for text in _of(name, promise.extra)]
    own = [text for text in promise.requirements if text not in promise.extra]
    found += [f"profile {promise.profile} asks for {text}" for text in _of(name, own)]
    found += ["every environment has it" for one in ALWAYS if canonicalize_name(one.name) == name]
    because = {str(one.requirement): one.because for one in profile.constraints} if profile else {}
    caps = [
        f"held back by {text}" + (f": {because[text]}" if text in because else "")
        for text in _of(name, promise.constraints)
    ]
    return (*(found or ["needed by others"]), *caps)


def _of(name: str, requirements: Iterable[str]) -> list[str]:
    return [text for text in requirements if canonicalize_name(Requirement(text).name) == name]


def _by_name(lock: Pylock) -> dict[str, list[Package]]:
    found: dict[str, list[Package]] = defaultdict(list)
    for package in lock.packages:
        found[str(package.name)].append(package)
    return found


def _version(package: Package) -> str:
    return str(package.version or "(no version)")


def _details(before: Sequence[Package], after: Sequence[Package]) -> tuple[str, ...]:
    """Return what differs between the same versions."""
    was, now = _files(before), _files(after)
    both = sorted(was.keys() & now.keys())
    other = [name for name in both if was[name][0] != now[name][0]]
    moved = [name for name in both if was[name][1] != now[name][1]]
    details = [f"another sha256 of {name}" for name in other]
    details += [
        f"{sign} {name}" for sign, names in (("+", now.keys() - was), ("-", was.keys() - now)) for name in sorted(names)
    ]
    if moved:
        details.append(f"{len(moved)} files lie elsewhere")
    for old, new in zip(before, after, strict=True):
        if str(old.marker) != str(new.marker):
            details.append(f"for {old.marker or 'all machines'} -> for {new.marker or 'all machines'}")
    return tuple(details)


def _files(packages: Iterable[Package]) -> dict[str, tuple[object, str | None]]:
    files = (file for package in packages for file in files_of(package))
    return {file.filename: (file.hashes, file.url) for file in files}


def _settings(lock: Lock) -> Iterator[tuple[str, str]]:
    pylock = lock.pylock
    yield "requires-python", str(pylock.requires_python or "")
    yield "environments", ", ".join(map(str, pylock.environments or ()))
    yield "index", ", ".join(sorted({package.index for package in pylock.packages if package.index}))
    promise = lock.promise
    if promise is None:
        return
    own = tuple(text for text in promise.requirements if text not in promise.extra)
    said = {one.name: getattr(promise, one.name) for one in fields(promise)} | {"requirements": own}
    for name, value in said.items():
        yield _NAMES.get(name, name.replace("_", "-")), _told(value)


def _told(value: object) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        value = {key: one for key, one in asdict(value).items() if one not in (None, ())}
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return "" if value in (None, False) else str(value)
