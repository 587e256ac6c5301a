"""Environments of small packages, made without an installer, and the store that keeps what is in them.

All of it is done by the code that `create` and the process behind it use; only downloads and models are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from kerasenv.env.environment import Receipt, write_receipt
from kerasenv.env.inventory import state_of
from kerasenv.interpreters.find import inspect
from kerasenv.store.entry import open_entry
from kerasenv.store.keep import keep
from kerasenv.store.place import Key
from kerasenv.store.sources import Source, python_key
from tests.local_index import Wheel
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.store.entry import Entry

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
CREATED = "2026-01-02T03:04:05+00:00"


def package(name: str, version: str = "1.0") -> Wheel:
    """Return a package with a module and something compiled."""
    files = {f"{name}/__init__.py": f"NAME = {name!r}\n", f"{name}/_fast.so": f"\0{name} {version}"}
    return Wheel(name=name, version=version, files=files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Small:
    """An environment."""

    folder: Path
    wheels: tuple[Wheel, ...]
    interpreter: Interpreter
    own: dict[str, str]

    @property
    def sources(self) -> list[Source]:
        """Return what its packages were installed from."""
        return [source_of(wheel, self.interpreter) for wheel in self.wheels]

    @property
    def keys(self) -> list[Key]:
        """Return the names of their entries."""
        return [source.key for source in self.sources]

    @property
    def entries(self) -> list[Entry]:
        """Return their entries, which must be there."""
        return [entry_of(key) for key in self.keys]

    def keep(self) -> Small:
        """Let the store keep what it is made of; return the environment."""
        keep(self.folder, self.sources, self.interpreter, own=self.own, since=time.time_ns())
        return self


def entry_of(key: Key) -> Entry:
    """Return an entry, which must be there."""
    entry = open_entry(key)
    assert entry is not None
    return entry


def make_small(folder: Path, *wheels: Wheel, created: str = CREATED) -> Small:
    """Make an environment of some packages."""
    site = folder / SITE
    own = {}
    for wheel in wheels:
        for path, content in wheel.contents().items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_bytes(content)
        (site / f"{wheel.stem}.dist-info" / "INSTALLER").write_text("uv", encoding="utf-8")
        record = f"{SITE}/{wheel.stem}.dist-info/RECORD"
        own[record] = state_of(folder / record) or ""
    folder.mkdir(parents=True, exist_ok=True)
    write_receipt(folder, replace(_RECEIPT, created=created))
    python = inspect(Path(sys.executable), source="runs the tests")
    return Small(folder=folder, wheels=wheels, interpreter=python, own=own)


def source_of(wheel: Wheel, interpreter: Interpreter) -> Source:
    """Return what a package is installed from."""
    digest = sha256(wheel.build()).hexdigest()[:16]
    return Source(
        key=Key(python=python_key(interpreter), package=f"{wheel.name}-{wheel.version}-{digest}"),
        name=wheel.name,
        file=wheel.filename,
        tags=frozenset(map(str, parse_wheel_filename(wheel.filename)[-1])),
    )


def overwrite(place: Path, content: bytes) -> None:
    """Write into a file where it stands, whoever forbids it, and leave no trace of that in its time."""
    state = place.stat()
    place.chmod(0o644)
    place.write_bytes(content)
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))


@contextmanager
def other_process(code: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run code in another process until it says 'ready', and end it afterwards by closing what it reads from."""
    start = f"import sys; sys.path[0] = {str(CHECKOUT)!r}\n"
    with subprocess.Popen(
        [sys.executable, "-c", start + code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.stdin.close()
            assert process.wait(60) == 0


NEEDS = """
from kerasenv.store.place import Key, needing
with needing(Key(python=one.split("/")[0], package=one.split("/")[1]) for one in sys.argv[1:]):
    print("ready", flush=True)
    sys.stdin.read()
"""
"""Code for a process that needs the entries which are named to it."""

_RECEIPT = Receipt(
    kerasenv="0",
    created=CREATED,
    profile="small",
    variant=None,
    lock_name="pylock.small.toml",
    lock_digest="0",
    python_version="3.11.0",
    python_path=sys.executable,
    engine="none",
    backend=None,
    variables={},
    activation_hooks=False,
    startup_hook=False,
    smoke_plan={"import_name": "keras", "formats": []},
    smoke=None,
)
