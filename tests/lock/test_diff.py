from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.pylock import Package, PackageDirectory
from packaging.utils import canonicalize_name

from kerasenv.lock.diff import changes
from kerasenv.lock.resolve import resolve
from tests.lock.wishes import KnowingEngine, resolved, wish

if TYPE_CHECKING:
    from packaging.pylock import Pylock

    from kerasenv.resolution import ResolvedPackage


def lock(*packages: ResolvedPackage) -> Pylock:
    return resolve(wish(), KnowingEngine(packages=packages))


def told(old: Pylock, new: Pylock) -> list[str]:
    return [str(change) for change in changes(old, new)]


def test_what_came_went_and_changed_by_name() -> None:
    old = lock(resolved("numpy", "1.26"), resolved("keras", "3.9.0"), resolved("absl-py", "2.0"))
    new = lock(resolved("numpy", "2.0"), resolved("keras", "3.9.0"), resolved("zipp", "3.0"))

    assert told(old, new) == ["- absl-py 2.0", "~ numpy 1.26 -> 2.0", "+ zipp 3.0"]


def test_the_same_is_no_change() -> None:
    old = lock(resolved("numpy", "2.0"), resolved("keras", "3.9.0"))

    assert changes(old, lock(resolved("keras", "3.9.0"), resolved("numpy", "2.0"))) == []


def test_versions_that_depend_on_the_machine_are_told_from_the_lowest_up() -> None:
    old = lock(resolved("numpy", "2.0"))
    new = lock(
        resolved("numpy", "10.0", marker="python_version >= '3.12'"),
        resolved("numpy", "9.0", marker="python_version < '3.12'"),
    )

    assert told(old, new) == ["~ numpy 2.0 -> 9.0, 10.0"]
    assert told(new, old) == ["~ numpy 9.0, 10.0 -> 2.0"]


def test_a_package_without_a_version_is_named_as_one() -> None:
    """In another tool's lock, one that comes from a folder or a repository has none."""
    old = lock(resolved("keras", "3.9.0"))
    package = Package(name=canonicalize_name("keras"), directory=PackageDirectory(path="."))

    assert told(old, replace(old, packages=[package])) == ["~ keras 3.9.0 -> (no version)"]
