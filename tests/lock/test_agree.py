from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.markers import Marker

from kerasenv.engine import Index
from kerasenv.lock.agree import disagreements
from kerasenv.lock.cells import Cell
from kerasenv.lock.resolve import resolve
from kerasenv.platforms import PLATFORMS
from tests.conftest import NOWHERE
from tests.local_index import LocalIndex, Sdist, Wheel
from tests.lock.wishes import KnowingEngine, resolved, wish

if TYPE_CHECKING:
    from packaging.pylock import Pylock

    from kerasenv.resolution import ResolvedPackage

HERE = Cell(python="3.11", platform=PLATFORMS["linux-x86_64"])
UNREACHABLE = Index(url=f"{NOWHERE}/simple")


def lock(*packages: ResolvedPackage) -> Pylock:
    return resolve(wish(), KnowingEngine(packages=packages))


def told(first: Pylock, second: Pylock, index: Index = UNREACHABLE) -> list[str]:
    return list(map(str, disagreements(first, second, HERE, index=index)))


def test_what_differs_elsewhere_does_not_matter() -> None:
    first = lock(
        resolved("numpy", "2.0", marker="python_version >= '3.11'"),
        resolved("numpy", "1.0", marker="python_version < '3.11'"),
        resolved("colorama", "1.0", marker="sys_platform == 'win32'"),
    )

    assert told(first, lock(resolved("numpy", "2.0"))) == []


def test_files_that_only_others_can_use_do_not_matter() -> None:
    linux, windows = "numpy-2.0-cp311-cp311-manylinux2014_x86_64.whl", "numpy-2.0-cp311-cp311-win_amd64.whl"
    first, second = lock(resolved("numpy", "2.0", linux, windows)), lock(resolved("numpy", "2.0", linux))

    assert told(first, second) == []


def test_another_file_does() -> None:
    first, second = lock(resolved("keras", "3.0")), lock(resolved("keras", "3.0", "keras-3.0-1-py3-none-any.whl"))

    assert told(first, second) == ["keras: 3.0 | 3.0 (they name other files of it)"]


def test_what_only_one_of_them_finds_needed() -> None:
    assert told(lock(resolved("keras", "3.0"), resolved("zipp", "1.0")), lock(resolved("keras", "3.0"))) == [
        "zipp: 1.0 | none (one of them finds that nothing needs it here)"
    ]


PLAIN = Wheel(name="keras", version="3.0")


@pytest.mark.parametrize(
    ("newer", "why"),
    [
        (Wheel(name="keras", version="3.1", requires_python="<3.11"), "3.1 says that it isn't for Python 3.11"),
        (Wheel(name="keras", version="3.1", yanked="bad"), "3.1 was withdrawn"),
        (Sdist(name="keras", version="3.1"), "3.1 has no wheel here"),
        (Wheel(name="keras", version="3.1"), "both would do: what else was chosen first decides"),
    ],
    ids=["python", "withdrawn", "source", "nothing"],
)
def test_the_index_shows_why(newer: Wheel | Sdist, why: str) -> None:
    with LocalIndex() as index:
        index.add(PLAIN, newer)

        assert told(lock(resolved("keras", "3.1")), lock(resolved("keras", "3.0")), Index(url=index.url)) == [
            f"keras: 3.1 | 3.0 ({why})"
        ]


def test_a_pre_release() -> None:
    with LocalIndex() as index:
        index.add(PLAIN, Wheel(name="keras", version="3.1rc1"))
        found = told(lock(resolved("keras", "3.1rc1")), lock(resolved("keras", "3.0")), Index(url=index.url))

    assert found == ["keras: 3.1rc1 | 3.0 (3.1rc1 is a pre-release)"]


def test_an_index_that_can_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_RETRIES", "0")

    assert told(lock(resolved("keras", "3.1")), lock(resolved("keras", "3.0"))) == [
        "keras: 3.1 | 3.0 (the index does not show why)"
    ]


def test_markers_of_another_tool_are_understood() -> None:
    first = lock(resolved("keras", "3.0"))
    packages = [replace(one, marker=Marker("'dev' not in dependency_groups")) for one in first.packages]

    assert told(replace(first, packages=packages), first) == []
