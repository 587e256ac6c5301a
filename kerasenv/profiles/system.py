"""Read and write what a profile needs of the system: the same rows in a profile and in a lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.variables import variables_in
from kerasenv.tables import did_you_mean, filled, one_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kerasenv.system.need import SystemNeed
    from kerasenv.tables import Table

# A lock can come from a stranger: a library is loaded by its name, and a command with a package's is for typing
_FILE = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9._+-]*")
_FOLDER = re.compile(rf"{_FILE.pattern}(/{_FILE.pattern})*")
_PACKAGE = r"[a-z0-9](?:[A-Za-z0-9.+_-]|\{python\})*"
_PACKAGES = re.compile(rf"{_PACKAGE}( {_PACKAGE})*")
_KINDS = ("libraries", "programs", "headers")


def system_needs(table: Table, key: str = "system") -> tuple[SystemNeed, ...]:
    """Read every row of [[system]]."""
    needs = [need for row in table.tables(key) if (need := _need(row)) is not None]
    for name in dict.fromkeys(need.name for need in needs):
        if sum(need.name == name for need in needs) > 1:
            table.fault(key, f"has {name!r} twice")
    return tuple(needs)


def system_table(need: SystemNeed) -> dict[str, Any]:
    """Return a need as a row of [[system]], without what is left out."""
    row = {
        "name": need.name,
        "because": need.because,
        "seen": need.seen,
        "needed": need.needed,
        "platforms": list(need.platforms),
        "libraries": {name: list(others) for name, others in need.libraries.items()},
        "links": need.links,
        "programs": list(need.programs),
        "headers": list(need.headers),
        "packages": dict(need.packages),
        "without": dict(need.without),
    }
    return {key: value for key, value in row.items() if value not in ([], {}, None)}


def _need(row: Table) -> SystemNeed | None:
    name = row.text("name", filled, required=True)
    because = row.text("because", filled, required=True)
    seen = row.text("seen", filled, required=True)
    needed = row.flag("needed")
    libraries = _libraries(row)
    programs = row.texts("programs", _named(_FILE, "a program's name")) or ()
    headers = row.texts("headers", _named(_FOLDER, "a header's name")) or ()
    links = row.text("links", _named(_FOLDER, "a folder below site-packages"))
    without = variables_in(row.table("without"))
    packages = _packages(row)
    platforms = row.texts("platforms", one_of(PLATFORMS)) or ()
    if sum(map(bool, (libraries, programs, headers))) != 1:
        row.fault("name", f"needs just one of {', '.join(_KINDS)}")
    if any(libraries.values()) != (links is not None):
        row.fault("links", "and libraries that can stand in for others need each other")
    if without and needed is not False:
        row.fault("without", "is for what it works without: needed = false")
    if name is None or because is None or seen is None:
        return None
    from kerasenv.system.need import SystemNeed  # noqa: PLC0415  # few profiles need anything

    return SystemNeed(
        name=name,
        because=because,
        seen=seen,
        needed=needed is not False,
        platforms=platforms,
        libraries=libraries,
        links=links,
        programs=programs,
        headers=headers,
        packages=packages,
        without=without,
    )


def _libraries(row: Table) -> dict[str, tuple[str, ...]]:
    table = row.table("libraries")
    read = _named(_FILE, "a library's file name")
    libraries = {}
    for name in table:
        others = table.texts(name, read)
        if not _FILE.fullmatch(name):
            table.fault(name, "is no library's file name")
        elif others is not None:
            libraries[name] = others
    return libraries


def _packages(row: Table) -> dict[str, str]:
    from kerasenv.system.packages import MANAGERS  # noqa: PLC0415  # as above

    table = row.table("packages")
    packages = {}
    for manager in table:
        package = table.text(manager, _named(_PACKAGES, "the name of packages; {python} is for 3.7"))
        if manager not in MANAGERS:
            table.fault(manager, f"is unknown; {did_you_mean(manager, MANAGERS)}")
        elif package is not None:
            packages[manager] = package
    return packages


def _named(form: re.Pattern[str], what: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return read
