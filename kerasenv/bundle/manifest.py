"""What a bundle says of itself: for whom it is, and every file with its sha256."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS
from kerasenv.profiles.load import digest
from kerasenv.tables import Faults, Table, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST = "kerasenv-bundle.json"
FORMAT = 1
WHEELS, BUILT, PYTHON = "wheels", "built", "python"


class NewerFormat(Exception):
    """It was written by a kerasenv that knows more."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Target:
    """A minor version of CPython on a platform."""

    python: str
    platform: str

    def __str__(self) -> str:
        return f"CPython {self.python} on {PLATFORMS[self.platform].title}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """A file's digest and size."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A wheel that was built for a target from a source distribution, whose sha256 `source` the lock has."""

    target: Target
    source: str
    file: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Python:
    """An interpreter that runs wherever it is put; its files lie below python/."""

    version: Version
    platform: str
    executable: str
    """Its path below python/."""
    links: Mapping[str, str] = field(default_factory=dict)
    """What is a link, and the file it leads to, both by their paths below python/."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """All of it; the manifest itself is none of the files."""

    lock: str
    targets: tuple[Target, ...]
    built: tuple[Built, ...] = ()
    python: Python | None = None
    files: Mapping[str, Content]


def dump_manifest(manifest: Manifest) -> bytes:
    """Return the same bytes for the same manifest."""
    table: dict[str, Any] = {
        "format": FORMAT,
        "lock": manifest.lock,
        "targets": [_target_table(target) for target in manifest.targets],
        "built": [{**_target_table(one.target), "source": one.source, "file": one.file} for one in manifest.built],
        "files": {name: {"sha256": one.sha256, "size": one.size} for name, one in sorted(manifest.files.items())},
    }
    if (python := manifest.python) is not None:
        table["python"] = {
            "version": str(python.version),
            "platform": python.platform,
            "executable": python.executable,
            "links": dict(sorted(python.links.items())),
        }
    return (json.dumps(table, indent=1) + "\n").encode()


def _target_table(target: Target) -> dict[str, str]:
    return {"python": target.python, "platform": target.platform}


def read_manifest(content: bytes) -> Manifest:
    """Return what stands there; raise ValueError with every fault, and NewerFormat for what nobody knows yet."""
    try:
        data = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    faults = Faults()
    table = Table(data, faults)
    form = table.number("format", required=True)
    if form is not None and form > FORMAT:
        raise NewerFormat(f"its format is {form:g}; this kerasenv knows {FORMAT}")
    if form is not None and form < FORMAT:
        table.fault("format", f"must be {FORMAT}")
    manifest = Manifest(
        lock=table.text("lock", str, required=True) or "",
        targets=tuple(target for row in table.tables("targets", required=True) if (target := _target(row))),
        built=tuple(built for row in table.tables("built") if (built := _built(row))),
        python=_python(table.table("python")) if "python" in table else None,
        files=_files(table.table("files", required=True)),
    )
    table.done()
    if not faults:
        _check(manifest, table)
    if faults:
        raise ValueError("\n".join(str(fault) for fault in faults))
    return manifest


def _target(row: Table) -> Target | None:
    python = row.text("python", one_of(KNOWN_PYTHONS), required=True)
    platform = row.text("platform", one_of(PLATFORMS), required=True)
    return Target(python=python, platform=platform) if python and platform else None


def _built(row: Table) -> Built | None:
    target = _target(row)
    source, file = row.text("source", digest, required=True), row.text("file", _wheel, required=True)
    return Built(target=target, source=source, file=file) if target and source and file else None


def _python(row: Table) -> Python | None:
    version = row.text("version", _version, required=True)
    platform = row.text("platform", one_of(PLATFORMS), required=True)
    executable = row.text("executable", str, required=True)
    links = row.table("links")
    found = {name: target for name in links if (target := links.text(name, str)) is not None}
    if not version or not platform or not executable:
        return None
    return Python(version=version, platform=platform, executable=executable, links=found)


def _files(table: Table) -> dict[str, Content]:
    found = {}
    for name in table:
        row = table.table(name)
        sha256, size = row.text("sha256", digest, required=True), row.number("size", required=True)
        if sha256 and size is not None:
            found[name] = Content(sha256=sha256, size=int(size))
    return found


def _check(manifest: Manifest, table: Table) -> None:
    """Find what one part says and another doesn't."""
    files = manifest.files
    if manifest.lock not in files:
        table.fault("lock", "is none of the files")
    for key, rows in (("targets", manifest.targets), ("built", [(one.target, one.source) for one in manifest.built])):
        if len(set(rows)) < len(rows):
            table.fault(key, "has one twice")
    for one in manifest.built:
        if one.file not in files:
            table.fault("built", f"{one.file!r} is none of the files")
        if one.target not in manifest.targets:
            table.fault("built", f"{one.file!r} is for none of the targets")
    if manifest.python is not None:
        _check_python(manifest.python, files, table)
    for name in files:
        if name != manifest.lock and not _has_business(name, manifest):
            table.fault("files", f"{name!r} has no business in a bundle")


def _has_business(name: str, manifest: Manifest) -> bool:
    folder, _, rest = name.partition("/")
    if folder == PYTHON:
        return manifest.python is not None
    return (folder == WHEELS and _is_wheel(rest, folders=0)) or (folder == BUILT and _is_wheel(rest, folders=1))


def _check_python(python: Python, files: Mapping[str, Content], table: Table) -> None:
    if f"{PYTHON}/{python.executable}" not in files:
        table.fault("python", f"{python.executable!r} is none of the files")
    for name, target in python.links.items():
        # Only to a plain file, so none can lead out over another link
        if f"{PYTHON}/{target}" not in files:
            table.fault("python", f"the link {name!r} leads to {target!r}, which is none of the files")
        if f"{PYTHON}/{name}" in files:
            table.fault("python", f"{name!r} is a file and a link")


def _is_wheel(name: str, *, folders: int) -> bool:
    try:
        parse_wheel_filename(PurePosixPath(name).name)
    except InvalidWheelFilename:
        return False
    return name.count("/") == folders


def _wheel(text: str) -> str:
    if not text.startswith(f"{BUILT}/"):
        raise ValueError(f"{text!r} is no wheel below {BUILT}/")
    return text


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise ValueError(f"{text!r} is no version") from error
