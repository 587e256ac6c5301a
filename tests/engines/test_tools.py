from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import Index
from kerasenv.engines import pip_tools
from kerasenv.engines.tools import tool_environment
from kerasenv.errors import InstallError
from kerasenv.folders import data_folder
from kerasenv.interpreters.find import inspect
from kerasenv.requirements_file import format_hashed, parse_hashed
from kerasenv.resolution import Pin
from tests.local_index import LocalIndex, Wheel

if TYPE_CHECKING:
    from tests.conftest import FindPython

HAMMER = Wheel(name="hammer", version="1.0", files={"hammer.py": "import nail\n"}, requires=("nail",))
NAIL = Wheel(name="nail", version="1.0", files={"nail.py": "print('driven')\n"})


def locked(index: LocalIndex, *wheels: Wheel) -> str:
    return format_hashed(
        Pin(
            name=canonicalize_name(wheel.name),
            version=Version(wheel.version),
            hashes=frozenset({index.sha256(wheel.filename)}),
        )
        for wheel in wheels
    )


@pytest.fixture
def tools(own_index: LocalIndex) -> LocalIndex:
    own_index.add(HAMMER, NAIL)
    return own_index


def make(index: LocalIndex, *wheels: Wheel, python: Path | None = None) -> Path:
    return tool_environment(
        "hammer",
        locked(index, *(wheels or (HAMMER, NAIL))),
        interpreter=inspect(python or Path(sys.executable), source="test"),
        index=Index(url=index.url_with_credentials),
    )


def strike(python: Path) -> str:
    return subprocess.run([python, "-m", "hammer"], capture_output=True, text=True, check=True).stdout


def left_overs() -> list[str]:
    """Return what lies beside the environments, other than the files that say who is at work."""
    folders = [path for path in (data_folder() / "tools").iterdir() if path.suffix != ".lock"]
    return [path.name for path in folders if path.name.startswith(".")]


def test_it_holds_what_the_file_names_and_is_kept(tools: LocalIndex) -> None:
    first = make(tools)
    asked = list(tools.requests)
    second = make(tools)

    assert first == second
    assert first.is_relative_to(data_folder() / "tools")
    assert strike(first) == "driven\n"
    assert tools.requests == asked
    assert not left_overs()


def test_it_runs_under_the_python_it_works_for(tools: LocalIndex, python: FindPython) -> None:
    made = make(tools, python=python("3.6"))

    version = subprocess.run([made, "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("Python 3.6.")
    assert strike(made) == "driven\n"


def test_other_requirements_or_another_python_make_another_one(tools: LocalIndex) -> None:
    tools.add(replace(NAIL, version="2.0"))
    wanted = locked(tools, HAMMER, NAIL)
    interpreter = inspect(Path(sys.executable), source="test")
    index = Index(url=tools.url)

    made = {
        make(tools),
        make(tools, HAMMER, replace(NAIL, version="2.0")),
        tool_environment("hammer", wanted, interpreter=replace(interpreter, version=Version("3.99")), index=index),
    }

    assert len(made) == 3


def test_an_unknown_hash_is_refused_and_nothing_is_left(tools: LocalIndex) -> None:
    wanted = locked(tools, HAMMER, NAIL)
    tools.add(replace(NAIL, files={"nail.py": "print('stolen')\n"}))

    with pytest.raises(InstallError, match="hammer could not be installed for CPython") as caught:
        tool_environment(
            "hammer", wanted, interpreter=inspect(Path(sys.executable), source="test"), index=Index(url=tools.url)
        )

    assert "mismatch" in " ".join(caught.value.looked_at).lower()
    assert not left_overs()


def test_credentials_of_the_index_are_not_told() -> None:
    with LocalIndex(credentials=("user", "secret")) as index:
        index.add(HAMMER)
        with pytest.raises(InstallError) as caught:
            tool_environment(
                "hammer",
                format_hashed(
                    [Pin(name=canonicalize_name("nail"), version=Version("1.0"), hashes=frozenset({"0" * 64}))]
                ),
                interpreter=inspect(Path(sys.executable), source="test"),
                index=Index(url=index.url_with_credentials),
            )

        index.add(NAIL)
        assert strike(make(index)) == "driven\n"
    assert "secret" not in " ".join(caught.value.looked_at)


def test_what_a_killed_process_left_is_cleared_away(tools: LocalIndex) -> None:
    place = make(tools).parents[1]
    place.rename(place.with_name(f".{place.name}-killed"))

    assert strike(make(tools)) == "driven\n"
    assert not left_overs()


@pytest.mark.skipif(sys.platform == "win32", reason="environments have a copy of the interpreter on Windows, no link")
def test_one_whose_python_is_gone_is_made_again(tools: LocalIndex, tmp_path: Path) -> None:
    made = make(tools)
    made.unlink()
    made.symlink_to(tmp_path / "gone")

    assert strike(make(tools)) == "driven\n"


def test_two_at_once_make_one(tools: LocalIndex) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: make(tools), range(2))

    assert first == second
    assert tools.downloads.count(NAIL.filename) == 1


def test_a_folder_that_can_not_be_made_is_a_clear_error(tools: LocalIndex) -> None:
    data_folder().parent.mkdir(parents=True)
    data_folder().touch()

    with pytest.raises(InstallError, match="can't be put into its folder"):
        make(tools)


LOCKS = sorted(Path(pip_tools.__file__).with_name("tool_locks").iterdir())


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_shipped_file_is_as_its_generator_writes_it(path: Path) -> None:
    """Anything but names, versions, markers and hashes, such as the address of an index, would be an error here."""
    text = path.read_text(encoding="utf-8")
    pins = parse_hashed(text)

    assert format_hashed(pins) == text
    wanted = {"virtualenv"} if path.name.startswith("virtualenv") else {"pip", "pip-tools"}
    assert wanted <= {pin.name for pin in pins}
    assert all(pin.hashes for pin in pins)
