"""Bundles for tests: one that is sound, made without an engine, and ways to forge others from it."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import tomli_w

from kerasenv.bundle.archive import Entry, write_archive
from kerasenv.bundle.manifest import MANIFEST
from tests.local_index import Wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOCK = "pylock.tiny.toml"
NUMPY = Wheel(name="numpy", version="2.0", files={"numpy.py": "ones = [1]\n"})
THEANO = Wheel(name="theano", version="1.0.5", files={"theano.py": "x = 1\n"})
BUILT = f"built/3.11-linux-x86_64/{THEANO.filename}"
SOURCE = "ab" * 32


def lock_table() -> dict[str, Any]:
    """Return a lock of a wheel and a source distribution."""
    numpy = {
        "name": NUMPY.filename,
        "url": f"http://127.0.0.1:9/{NUMPY.filename}",
        "hashes": {"sha256": _sha256(NUMPY)},
    }
    theano = {"name": "Theano-1.0.5.tar.gz", "url": "http://127.0.0.1:9/t.tar.gz", "hashes": {"sha256": SOURCE}}
    return {
        "lock-version": "1.0",
        "created-by": "kerasenv",
        "requires-python": ">=3.10",
        "packages": [
            {"name": "numpy", "version": "2.0", "wheels": [numpy]},
            {"name": "theano", "version": "1.0.5", "sdist": theano},
        ],
    }


def contents() -> dict[str, bytes]:
    """Return the files of a sound bundle, without its manifest."""
    return {
        LOCK: tomli_w.dumps(lock_table()).encode(),
        f"wheels/{NUMPY.filename}": NUMPY.build(),
        BUILT: THEANO.build(),
    }


def manifest_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the manifest that files should have."""
    return {
        "format": 1,
        "lock": LOCK,
        "targets": [{"python": "3.11", "platform": "linux-x86_64"}],
        "built": [{"python": "3.11", "platform": "linux-x86_64", "source": SOURCE, "file": BUILT}],
        "files": {
            name: {"sha256": sha256(content).hexdigest(), "size": len(content)} for name, content in files.items()
        },
    }


def write(
    path: Path, files: Mapping[str, bytes] | None = None, manifest: Mapping[str, Any] | bytes | None = None
) -> Path:
    """Write a bundle of these files with this manifest, by default sound ones."""
    files = contents() if files is None else files
    manifest = manifest_of(files) if manifest is None else manifest
    told = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    entries = {MANIFEST: Entry(source=told), **{name: Entry(source=content) for name, content in files.items()}}
    with path.open("w+b") as file:
        write_archive(file, entries)
    return path


def forge(path: Path, *entries: tuple[zipfile.ZipInfo, bytes], manifest: Mapping[str, Any] | None = None) -> Path:
    """Write a zip file as an attacker does: any entries in it, and the right sha256 at its end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = bytes(len(MARK) + 64)
        for info, content in [(entry(MANIFEST), json.dumps(manifest or manifest_of(contents())).encode()), *entries]:
            archive.writestr(info, content)
    return seal(path, buffer.getvalue()[: -len(MARK) - 64])


def seal(path: Path, content: bytes) -> Path:
    """Write a zip file with the right sha256 at its end."""
    path.write_bytes(content + MARK + sha256(content).hexdigest().encode())
    return path


MARK = b"kerasenv bundle sha256:"


def entry(name: str, *, mode: int = 0o100644) -> zipfile.ZipInfo:
    """Return an entry as kerasenv writes them."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def _sha256(wheel: Wheel) -> str:
    return sha256(wheel.build()).hexdigest()
