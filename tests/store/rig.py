"""A life with a store: an index with packages of every kind, environments, and keepers that are run to their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasenv.uv import uv_command
from kerasenv.venv import python_in
from tests.isolation import private_environ
from tests.local_index import LocalIndex, Wheel
from tests.programs import CHECKOUT, find_python
from tests.standard_index import standard_index, write_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = f"""
import json, os, runpy, sys
sys.path[0] = {str(CHECKOUT)!r}
from kerasenv import process
def noted(words, **rest):
    with open(os.environ["KEEPERS"], "a", encoding="utf-8") as stream:
        stream.write(json.dumps([str(word) for word in words]) + chr(10))
process.leave_behind = noted
runpy.run_module("kerasenv", None, "__main__", True)
"""
_KEEP = f"""
import runpy, sys
sys.path[0] = {str(CHECKOUT)!r}
runpy.run_module("kerasenv.workflow.keep", None, "__main__", True)
"""

DEEP = "/".join(["varied", *(f"folder{number}" for number in range(12))])


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyWheel(Wheel):
    """A wheel that holds bytes as well, and other folders than site-packages."""

    raw: Mapping[str, bytes] = field(default_factory=dict)
    """By the path in site-packages, or below `.data` if it begins with `data:`."""

    def contents(self) -> dict[str, bytes]:
        """Return every file of the wheel by its path, RECORD last."""
        contents = Wheel.contents(self)
        record = f"{self.stem}.dist-info/RECORD"
        del contents[record]
        contents |= {path.replace("data:", f"{self.stem}.data/"): content for path, content in self.raw.items()}
        rows = [f'"{path}",sha256={_digest(content)},{len(content)}' for path, content in contents.items()]
        return {**contents, record: ("\n".join([*rows, f"{record},,"]) + "\n").encode()}


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()


def varied(version: str = "1.0") -> AnyWheel:
    """Return a package with files of all kinds; all versions are equally long."""
    return AnyWheel(
        name="varied",
        version=version,
        scripts={"varied": "varied:main"},
        files={
            "varied/__init__.py": f'VERSION = "{version}"\n\n\ndef main():\n    import sys\n\n    print(sys.prefix)\n',
            "varied/other.py": "from varied import VERSION\n",
            "varied/with.dots-1.2.py": "dots = True\n",
            "varied/with space.py": "space = True\n",
            "varied/größe.py": "größe = 1\n",
            "varied/template.py": "{{ this is }} no Python\n",
            "varied/empty.py": "",
            f"{DEEP}/deep.py": "deep = True\n",
            "varied/data.txt": "text\n",
            "varied/empty.txt": "",
            "varied/include/varied.h": "#define VARIED\n",
        },
        raw={
            "varied/native.so": b"\x7fELF\0\0" + version.encode() + bytes(range(256)) * 40,
            "varied/weights.npy": b"\x93NUMPY\0" + bytes(5000),
            "data:scripts/varied-tool": b"#!python\nimport sys\nprint(sys.prefix)\n",
            "data:data/top.txt": b"at the top\n",
            "data:data/share/varied/readme.txt": b"below\n",
            "data:headers/varied.h": b"#define VARIED 1\n",
        },
    )


def packages() -> tuple[Wheel, ...]:
    """Return what the index has besides the standard set."""
    return (
        varied("1.0"),
        varied("2.0"),
        # Both have a file of the same name and the same size, but not the same
        Wheel(name="ns-one", version="1.0", files={"ns/__init__.py": "WHO = 1\n", "ns/one.py": "ONE = 1\n"}),
        Wheel(name="ns-two", version="1.0", files={"ns/__init__.py": "WHO = 2\n", "ns/two.py": "TWO = 2\n"}),
        Wheel(name="plain", version="1.0", files={"plain.py": "PLAIN = 1\n"}),
    )


@dataclass(kw_only=True, slots=True)
class Rig:
    """A home, an index, a project in it and what was made there."""

    home: Path
    project: Path
    index: LocalIndex
    minor: str
    extra: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, index: LocalIndex, *, minor: str = "3.11", **profile: Any) -> Rig:
        """Make a life with a profile `tiny` that asks for what `requirements` says."""
        rig = cls(home=folder / "home", project=folder / "project", index=index, minor=minor)
        wanted = {"requires_python": ">=3.6", "requirements": ["varied==1.0", "plain"], **profile}
        write_profile(rig.project / "profiles", **wanted)
        rig.home.mkdir()
        return rig

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables of this life."""
        mine = {"KERASENV_STORE": "1", "KEEPERS": str(self.home / "keepers")}
        return private_environ(self.home) | self.index.environ | mine | self.extra

    @property
    def store(self) -> Path:
        """Return where the store lies."""
        return Path(self.environ["XDG_CACHE_HOME"]) / "kerasenv" / "store"

    @property
    def entries(self) -> list[Path]:
        """Return the entries that are there."""
        return sorted(self.store.glob("entries/*/*"))

    def start(self, *words: str | Path, **environ: str) -> subprocess.Popen[str]:
        """Start kerasenv, which starts no keepers, but notes down whom it would start."""
        return subprocess.Popen(
            [sys.executable, "-c", RUN, *map(str, words)],
            cwd=self.project,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run kerasenv to its end."""
        with self.start(*words, **environ) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def done(self, *words: str | Path, **environ: str) -> str:
        """Run kerasenv, which must succeed; return what it told."""
        finished = self.run(*words, **environ)
        assert finished.returncode == 0, finished.stderr
        assert "Traceback" not in finished.stderr
        return finished.stdout + finished.stderr

    def words(self, folder: Path | str) -> list[str]:
        """Return how to make an environment."""
        return ["create", "tiny", str(folder), f"--python={find_python(self.minor)}", "--no-smoke"]

    def create(self, folder: Path | str, *words: str, **environ: str) -> Path:
        """Make an environment."""
        self.done(*self.words(folder), *words, **environ)
        return self.project / folder

    def keep(self, **environ: str) -> None:
        """Run the keepers that were to be started."""
        noted = self.home / "keepers"
        lines = noted.read_text("utf-8").splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        for line in lines:
            _, _, module, folder, since = json.loads(line)
            assert module == "kerasenv.workflow.keep"
            with self.start_keeper(Path(folder), int(since), **environ) as keeper:
                _, err = keeper.communicate()
            assert keeper.returncode == 0, err

    def start_keeper(self, environment: Path, since: int | None = None, **environ: str) -> subprocess.Popen[str]:
        """Start a keeper."""
        return subprocess.Popen(
            [sys.executable, "-c", _KEEP, str(environment), str(since or time.time_ns())],
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    def make_and_keep(self, folder: str, *words: str, **environ: str) -> Path:
        """Make an environment, and let the store have it."""
        made = self.create(folder, *words, **environ)
        self.keep(**environ)
        return made

    def verify(self, environment: Path) -> None:
        """Compare an environment with its lock; it must be as that says."""
        self.done("verify", environment)

    def site(self, environment: Path) -> Path:
        """Return where an environment has its packages."""
        return environment / "lib" / f"python{self.minor}" / "site-packages"

    def say(self, environment: Path, code: str, **environ: str) -> str:
        """Run code in an environment and return what it prints."""
        return self.call(python_in(environment), "-c", code, **environ).strip()

    def call(self, *words: str | Path, **environ: str) -> str:
        """Run a program, which must succeed."""
        finished = subprocess.run(
            list(map(str, words)),
            cwd=self.project,
            env=self.environ | environ,
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
        assert finished.returncode == 0, finished.stderr + finished.stdout
        return finished.stdout

    def pip(self, environment: Path, *words: str) -> str:
        """Run a real pip for an environment."""
        return self.call(find_python("3.11"), "-m", "pip", "--python", python_in(environment), *words)

    def uv(self, environment: Path, *words: str) -> str:
        """Run uv for an environment."""
        return self.call(*uv_command(), "pip", *words, VIRTUAL_ENV=str(environment))


def new_index() -> LocalIndex:
    """Return an index with the standard set and with packages of every kind; nobody serves it yet."""
    index = LocalIndex()
    standard_index(index)
    index.add(*packages())
    return index


def state_of_all(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file in a folder, to the byte, with the time it was written."""
    found: dict[str, tuple[int, bytes]] = {}
    for inside, _, names in os.walk(folder):
        for name in names:
            path = Path(inside, name)
            what = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()  # noqa: PTH115
            found[str(path.relative_to(folder))] = (path.lstat().st_mtime_ns, what)
    return found


def check_store(store: Path) -> int:
    """Compare each file of each entry with its digest; return how many there were."""
    from kerasenv.env.inventory import state_of

    count = 0
    for entry in store.glob("entries/*/*"):
        digests = json.loads((entry / "digests.json").read_text("utf-8"))
        rows = {
            f"{folder}/{row[0]}" if folder else row[0]: row
            for line in (entry / "files.jsonl").read_text("utf-8").split("\n")
            for folder, table in json.loads(line).items()
            for row in table
        }
        there = {
            Path(folder, name).relative_to(entry / "tree").as_posix()
            for folder, _, names in os.walk(entry / "tree")
            for name in names
        }
        assert digests.keys() == rows.keys() == there
        assert {path: state_of(entry / "tree" / path) for path in digests} == digests
        count += len(digests)
    return count
