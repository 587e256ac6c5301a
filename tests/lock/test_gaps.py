from __future__ import annotations

from kerasenv.lock.cells import grid
from kerasenv.lock.gaps import gaps_in, served, unserved
from kerasenv.lock.resolve import resolve
from kerasenv.platforms import PLATFORMS
from tests.lock.wishes import KnowingEngine, resolved, wish

CELLS = grid(("3.10", "3.11", "3.12"), [PLATFORMS[name] for name in ("linux-x86_64", "macos-arm64", "windows-x86_64")])
PURE = resolved("keras", "3.12.0")
PARTLY = resolved(
    "numpy", "2.0", "numpy-2.0-cp311-abi3-manylinux2014_x86_64.whl", "numpy-2.0-cp310-cp310-win_amd64.whl"
)


def test_by_package_and_platform() -> None:
    pylock = resolve(wish(), KnowingEngine(packages=(PURE, PARTLY)))

    gaps = gaps_in(pylock.packages, CELLS)

    assert [str(gap) for gap in gaps] == [
        "numpy 2.0 for Linux x86_64, Python 3.10",
        "numpy 2.0 for macOS arm64, Python 3.10, 3.11, 3.12",
        "numpy 2.0 for Windows x86_64, Python 3.11, 3.12",
    ]
    assert {str(cell) for cell in served(gaps, CELLS)} == {
        "Python 3.11 on Linux x86_64",
        "Python 3.12 on Linux x86_64",
        "Python 3.10 on Windows x86_64",
    }


def test_a_wheel_for_all_is_missing_nowhere() -> None:
    pylock = resolve(wish(), KnowingEngine(packages=(PURE,)))

    assert not gaps_in(pylock.packages, CELLS)


def test_where_a_package_is_not_needed_it_is_not_missing() -> None:
    package = resolved(
        "numpy",
        "2.0",
        "numpy-2.0-cp312-cp312-win_amd64.whl",
        marker="sys_platform == 'win32' and python_version > '3.11'",
    )
    pylock = resolve(wish(), KnowingEngine(packages=(package,)))

    assert not unserved(pylock.packages[0], CELLS)
