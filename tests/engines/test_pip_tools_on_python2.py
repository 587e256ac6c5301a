"""The second engine where it is the only one: its old release can't work on another environment than its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from packaging.markers import Marker
from packaging.pylock import Package, PackageWheel, Pylock
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import Index, InstallRequest
from kerasenv.engines import pip_tools
from kerasenv.engines.pip_tools import PipToolsEngine
from kerasenv.errors import InstallError
from tests.local_index import LocalIndex, Wheel
from tests.python2 import environment_of_python2, pip_of_python2, python2

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = PipToolsEngine()


@pytest.fixture
def index(own_index: LocalIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalIndex:
    """Serve a pip that runs on 2.7; a Python that has it stands for the tool environment."""
    own_index.remove("pip-*")
    own_index.add(pip_of_python2())
    tool = environment_of_python2(tmp_path / "tool")
    folder = tmp_path / "tool" / "lib" / "python2.7" / "site-packages"
    for name, text in pip_of_python2().files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(pip_tools, "tool_environment", lambda *_, **__: tool)
    return own_index


def lock_of(index: LocalIndex, *packages: Wheel) -> Pylock:
    rows = []
    for package in (*packages, pip_of_python2()):
        url, hashes = f"{index.url}{package.filename}", {"sha256": index.sha256(package.filename)}
        rows.append(
            Package(
                name=canonicalize_name(package.name),
                version=Version(package.version),
                marker=Marker("python_version == '2.7'"),
                wheels=[PackageWheel(name=package.filename, url=url, hashes=hashes)],
            )
        )
    return Pylock(lock_version=Version("1.0"), created_by="test", packages=rows)


def install(index: LocalIndex, folder: Path, *packages: Wheel) -> Path:
    python = folder / "bin" / "python"
    if not folder.exists():
        environment_of_python2(folder)
    request = InstallRequest(
        lock=lock_of(index, *packages),
        environment=folder,
        python=python,
        interpreter=python2(),
        index=Index(url=index.url),
    )
    ENGINE.install(request)
    return python


def installed(python: Path) -> dict[str, str]:
    words: list[str | Path] = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    answer = subprocess.run(words, capture_output=True, text=True, check=True)
    return {row["name"]: row["version"] for row in json.loads(answer.stdout)}


def test_it_installs_what_the_lock_names_and_takes_away_what_it_does_not(index: LocalIndex, tmp_path: Path) -> None:
    first = Wheel(name="hammer", version="1.0", files={"hammer.py": "print('hammered')\n"}, scripts={"hit": "hammer:x"})
    second = Wheel(name="saw", version="1.0", files={"saw.py": ""})
    newer = Wheel(name="saw", version="2.0", files={"saw.py": ""})
    index.add(first, second, newer)
    pip = pip_of_python2().version

    python = install(index, tmp_path / "an env", first, second)
    assert installed(python) == {"hammer": "1.0", "saw": "1.0", "pip": pip}
    assert (tmp_path / "an env" / "bin" / "hit").is_file()

    install(index, tmp_path / "an env", newer)
    assert installed(python) == {"saw": "2.0", "pip": pip}
    assert not (tmp_path / "an env" / "bin" / "hit").exists()


def test_a_file_that_is_another_one_is_refused(index: LocalIndex, tmp_path: Path) -> None:
    hammer = Wheel(name="hammer", version="1.0", files={"hammer.py": "honest = True\n"})
    index.add(hammer)
    environment = environment_of_python2(tmp_path / "env")
    request = InstallRequest(
        lock=lock_of(index, hammer),
        environment=tmp_path / "env",
        python=environment,
        interpreter=python2(),
        index=Index(url=index.url),
    )
    index.add(Wheel(name="hammer", version="1.0", files={"hammer.py": "honest = False\n"}))

    with pytest.raises(InstallError, match="its sha256 differs"):
        ENGINE.install(request)


def test_there_is_no_offline_and_no_other_engine_either(index: LocalIndex, tmp_path: Path) -> None:
    request = InstallRequest(
        lock=lock_of(index),
        environment=tmp_path,
        python=python2().path,
        interpreter=python2(),
        index=Index(url=index.url, offline=True),
    )

    with pytest.raises(InstallError, match="offline") as caught:
        ENGINE.install(request)

    assert caught.value.hints == ("Leave --offline out: nothing else serves CPython 2.7.",)
