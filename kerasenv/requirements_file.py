"""Requirements files: those that people write, and the hashed ones in the form that pip-tools gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kerasenv import progress
from kerasenv.errors import LockError, UsageError
from kerasenv.process import redact
from kerasenv.resolution import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_COMMENT = re.compile(r"(^|\s+)#.*$")
_INCLUDES = re.compile(r"-r|--requirement|-c|--constraint|-e|--editable|--hash")
_HASH = re.compile(r"\s--hash=sha256:([0-9a-f]{64})(?=\s|$)")


def requirement_of(text: str, *, source: str) -> Requirement:
    """Read what a person asks for: a name with versions, extras and a marker."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(
            f"{source} {text!r} is no requirement.",
            looked_at=str(error).splitlines(),
            hints=["Write it as pip does: pandas, 'pandas>=1,<2', 'scikit-learn[alldeps]'"],
        ) from error
    if requirement.url:
        raise UsageError(
            f"{source} {redact(text)!r} names a URL, and what lies there can change: a lock can't promise it.",
            hints=[f"Name a released version instead: {requirement.name}==..."],
        )
    return requirement


def read_requirements(file: Path) -> list[Requirement]:
    """Read a requirements file of a project, with the files it includes, as pip reads it."""
    from pip._internal.exceptions import PipError  # noqa: PLC0415  # heavy
    from pip._internal.network.session import PipSession  # noqa: PLC0415  # heavy
    from piptools._compat import parse_requirements  # noqa: PLC0415  # heavy

    if not file.is_file():
        raise UsageError(f"There is no {file}.", hints=["-r takes a requirements file."])
    options = [line.split()[0] for line in _lines_of(file) if line.startswith("-") and not _INCLUDES.match(line)]
    if options:
        progress.note(
            f"{file}: {', '.join(dict.fromkeys(options))} is not taken from there; see `kerasenv create --help`."
        )
    try:
        found = list(parse_requirements(str(file), session=PipSession(), isolated=True))
    except (PipError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} can't be read as a requirements file.", looked_at=str(error).splitlines()) from error
    wanted: list[Requirement] = []
    for one in found:
        if one.constraint:
            raise UsageError(f"{file}: constraints (-c) are not taken; write {one.req} as a requirement.")
        if one.editable or one.link or one.req is None:
            raise UsageError(
                f"{file}: {one} is a folder, a file or a URL, and what lies there can change: a lock can't promise it.",
                hints=["Take that line out, and install it into the environment afterwards."],
            )
        marker = f" ; {one.markers}" if one.markers and not one.req.marker else ""
        wanted.append(requirement_of(f"{one.req}{marker}", source=f"{file}:"))
    return wanted


def _lines_of(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text("utf-8", errors="replace").splitlines()]


def parse_hashed(text: str) -> tuple[Pin, ...]:
    """Read every ``name==version ; marker --hash=sha256:...``; a line that is anything else raises LockError.

    pip has a parser of its own, but it is no public interface, and importing pip takes longer than all of this.
    """
    return tuple(_pin(line) for line in _logical_lines(text))


def format_hashed(pins: Iterable[Pin]) -> str:
    """Write pins as pip-compile does, sorted, without any option."""
    from pip._internal.req.constructors import install_req_from_line  # noqa: PLC0415  # heavy
    from pip._vendor.packaging.markers import Marker  # noqa: PLC0415  # the kind that pip-tools takes
    from piptools.utils import format_requirement  # noqa: PLC0415  # heavy

    lines = [
        format_requirement(
            install_req_from_line(f"{pin.name}=={pin.version}"),
            marker=Marker(pin.marker) if pin.marker else None,
            hashes={f"sha256:{digest}" for digest in pin.hashes},
        )
        for pin in sorted(pins, key=lambda pin: (pin.name, pin.version, pin.marker or ""))
    ]
    return "".join(f"{line}\n" for line in lines)


def _logical_lines(text: str) -> list[str]:
    """Join continued lines, and take out comments and what is empty."""
    lines: list[str] = []
    begun = ""
    for line in text.splitlines():
        begun += _COMMENT.sub("", line).rstrip()
        if begun.endswith("\\"):
            begun = begun[:-1].rstrip() + " "
        else:
            lines.append(begun.strip())
            begun = ""
    return [line for line in [*lines, begun.strip()] if line]


def _pin(line: str) -> Pin:
    hashes = frozenset(_HASH.findall(line))
    try:
        requirement = Requirement(_HASH.sub("", line))
        (specifier,) = requirement.specifier
        if specifier.operator != "==" or requirement.url:
            raise _not_a_pin(line)
        version = Version(specifier.version)
    except (InvalidRequirement, InvalidVersion, ValueError) as error:
        raise _not_a_pin(line) from error
    return Pin(
        name=canonicalize_name(requirement.name),
        version=version,
        marker=None if requirement.marker is None else str(requirement.marker),
        hashes=hashes,
    )


def _not_a_pin(line: str) -> LockError:
    return LockError(f"This is no exact version with sha256 hashes: {line!r}")
