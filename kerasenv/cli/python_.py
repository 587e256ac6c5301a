"""kerasenv python"""  # noqa: D400, D415  # the name of the verbs

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kerasenv import progress
from kerasenv.cli.parameter import argument
from kerasenv.interpreters.find import NoneFits, find_all, find_interpreter, worth_having
from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.interpreters.provide import get_python, promises, version_from
from kerasenv.lock.machine import this_machine
from kerasenv.outcome import Outcome
from kerasenv.platforms import platform_of
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import list_profiles


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A Python of this machine."""

    version: str
    source: str
    path: str
    profiles: tuple[str, ...]
    """Those whose environments can be made from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lacking:
    """A Python that this machine lacks."""

    version: str
    profiles: tuple[str, ...]
    """Those that need it, or another one that isn't there either."""
    ways: tuple[str, ...]
    """What kerasenv can do to get it, in the order in which it tries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What there is, and what would be needed besides."""

    pythons: tuple[Row, ...]
    lacking: tuple[Lacking, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """The Python that was asked for."""

    python: Row
    is_new: bool


def list_() -> Outcome[Listing]:
    """List the Pythons of this machine, where each is from, and which profiles it serves."""
    profiles = list_profiles(cwd=Path.cwd()).profiles
    found = sorted(find_all(SpecifierSet()), key=lambda one: one.version, reverse=True)
    rows = tuple(_row(one, profiles) for one in found)
    listing = Listing(pythons=rows, lacking=_lacking(rows, profiles))
    return Outcome(data=listing, text=tuple(_lines(listing)), next_steps=tuple(_next_steps(listing)))


def install(
    version: Annotated[str, argument(metavar="VERSION", help="A minor version (3.7), or one patch (3.7.16).")],
) -> Outcome[Installed]:
    """Get a Python for the environments of this user, unless the machine has it already."""
    wanted = version_from(version)
    with progress.step("Python") as step:
        try:
            interpreter = find_interpreter(SpecifierSet(f"=={wanted}.*"), who="kerasenv python install")
            is_new = False
        except NoneFits:
            interpreter, is_new = get_python(wanted), True
        step.done(f"CPython {interpreter.version}", source=f"{interpreter.source}: {interpreter.path}")
    row = _row(interpreter, list_profiles(cwd=Path.cwd()).profiles)
    state = "is ready" if is_new else f"is already there ({row.source})"
    return Outcome(
        data=Installed(python=row, is_new=is_new),
        text=(f"CPython {row.version} {state}: {row.path}", f"  serves  {', '.join(row.profiles) or 'no profile'}"),
    )


def _row(interpreter: Interpreter, profiles: tuple[Profile, ...]) -> Row:
    serves = tuple(profile.name for profile in profiles if _serves(interpreter, profile))
    version = str(interpreter.version)
    return Row(version=version, source=interpreter.source, path=str(interpreter.path), profiles=serves)


def _serves(interpreter: Interpreter, profile: Profile) -> bool:
    platform = interpreter.platform
    return (
        interpreter.usable
        and platform is not None
        and platform.name in profile.platforms
        and profile.requires_python.contains(interpreter.version, prereleases=True)
    )


def _lacking(rows: tuple[Row, ...], profiles: tuple[Profile, ...]) -> tuple[Lacking, ...]:
    served = {name for row in rows for name in row.profiles}
    here = platform_of(this_machine())
    needed: dict[str, list[str]] = {}
    for profile in profiles:
        if profile.name in served or here is None or here.name not in profile.platforms:
            continue
        best = next(iter(worth_having(profile.requires_python)), None)
        if best is not None:
            needed.setdefault(best, []).append(profile.name)
    return tuple(
        Lacking(version=version, profiles=tuple(names), ways=tuple(promises(Version(version))))
        for version, names in sorted(needed.items(), key=lambda one: Version(one[0]), reverse=True)
    )


def _lines(listing: Listing) -> list[str]:
    lines = []
    for row in listing.pythons:
        lines.append(f"CPython {row.version}  ({row.source})  {row.path}")
        lines.append(f"  serves  {', '.join(row.profiles) or 'no profile'}")
    return lines


def _next_steps(listing: Listing) -> list[str]:
    return [f"for {', '.join(one.profiles)}:  kerasenv python install {one.version}" for one in listing.lacking]
