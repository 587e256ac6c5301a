from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from kerasenv.errors import LockError
from kerasenv.lock.lockfile import Promise
from kerasenv.lock.obtain import Start, Upgrade, adds_only, pins_of, remembering, start_of
from kerasenv.lock.resolve import resolve
from kerasenv.lock.satisfy import differences
from kerasenv.profiles.search import find_profile
from kerasenv.resources import shipped_profiles
from tests.lock.wishes import PROFILE, KnowingEngine, lock_of, pin, profile, resolved, wish

if TYPE_CHECKING:
    from kerasenv.lock.lockfile import Lock

DAY = date(2020, 6, 1)
NOTHING, EVERYTHING = Upgrade(), Upgrade(everything=True)
NUMPY_FILE = "numpy-2.0-py3-none-any.whl"


def lock(*extra: str, as_of: date | None = None, only_binary: bool = False) -> Lock:
    packages = (resolved("pip", "26.0"), resolved("keras", "3.12.0"), resolved("numpy", "2.0"))
    there = lock_of(resolve(wish(PROFILE, *extra), KnowingEngine(packages=packages)), PROFILE, *extra)
    return replace(there, promise=replace(Promise.of(PROFILE, extra=extra), as_of=as_of, only_binary=only_binary))


class TestRemembering:
    def test_what_was_asked_for_before(self) -> None:
        wanted = remembering(wish(PROFILE, "zipp"), lock("numpy<3", "absl-py"), upgrade=EVERYTHING)

        assert list(map(str, wanted.extra)) == ["absl-py", "numpy<3", "zipp"]

    def test_what_is_asked_for_anew_counts(self) -> None:
        wanted = remembering(wish(PROFILE, "NumPy>=2"), lock("numpy<3"), upgrade=NOTHING)

        assert list(map(str, wanted.extra)) == ["NumPy>=2"]

    def test_without_a_lock_the_order_is_one_of_its_own(self) -> None:
        wanted = remembering(wish(PROFILE, "zipp", "absl-py", "zipp"), None, upgrade=NOTHING)

        assert list(map(str, wanted.extra)) == ["absl-py", "zipp"]

    def test_a_day_until_an_upgrade(self) -> None:
        assert remembering(wish(), lock(as_of=DAY), upgrade=NOTHING).as_of == DAY
        assert remembering(wish(), lock(as_of=DAY), upgrade=EVERYTHING).as_of is None
        assert remembering(wish(as_of=DAY), lock(), upgrade=EVERYTHING).as_of == DAY

    def test_that_nothing_is_built(self) -> None:
        assert remembering(wish(), lock(only_binary=True), upgrade=EVERYTHING).only_binary

    def test_a_lock_of_another_tool_has_nothing_to_remember(self) -> None:
        assert remembering(wish(), replace(lock(), promise=None), upgrade=NOTHING) == wish()


class TestAdding:
    def test_only_more(self) -> None:
        asked = wish(PROFILE, "pandas")

        assert adds_only(lock(), asked, asked, variant=None)

    def test_nothing(self) -> None:
        asked = wish(PROFILE, "numpy>=2")

        assert not adds_only(lock(), asked, asked, variant=None)

    def test_something_else_too(self) -> None:
        asked = wish(profile(backend="jax"), "pandas")

        assert differences(lock(), asked, variant=None)
        assert not adds_only(lock(), asked, asked, variant=None)


class TestStart:
    def test_without_anything_there_is_nothing(self) -> None:
        assert start_of(None, wish(), variant=None, upgrade=NOTHING) == Start(told="new")

    def test_an_upgrade_leaves_the_shipped_pins_alone(self) -> None:
        shipped = find_profile("tf2-modern", cwd=shipped_profiles())

        assert start_of(None, wish(shipped), variant=None, upgrade=NOTHING).exactly
        assert start_of(None, wish(shipped, "pandas"), variant=None, upgrade=NOTHING).pins
        assert start_of(None, wish(shipped), variant=None, upgrade=EVERYTHING) == Start(told="new")

    def test_from_a_lock_with_its_files(self) -> None:
        start = start_of(lock(), wish(), variant=None, upgrade=NOTHING)

        assert pin("numpy", "2.0", files=[NUMPY_FILE]) in start.pins
        assert not start.exactly

    def test_but_for_what_is_upgraded(self) -> None:
        start = start_of(lock(), wish(), variant=None, upgrade=Upgrade(names=frozenset({canonicalize_name("numpy")})))

        assert [one.name for one in start.pins] == ["keras", "pip"]

    @pytest.mark.parametrize(("as_of", "upgrade"), [(None, EVERYTHING), (DAY, NOTHING)], ids=["upgrade", "another day"])
    def test_from_nothing(self, as_of: date | None, upgrade: Upgrade) -> None:
        assert start_of(lock(), wish(as_of=as_of), variant=None, upgrade=upgrade).pins == ()

    def test_for_more_machines_the_files_are_free(self) -> None:
        wider = profile(requires_python=">=3.10,<3.14")

        assert pin("numpy", "2.0") in start_of(lock(), wish(wider), variant=None, upgrade=NOTHING).pins

    def test_a_stranger(self) -> None:
        with pytest.raises(LockError, match="has no zipp to upgrade"):
            start_of(lock(), wish(), variant=None, upgrade=Upgrade(names=frozenset({canonicalize_name("zipp")})))


def test_the_pins_of_a_lock() -> None:
    assert pins_of(lock())[1] == pin("numpy", "2.0", files=[NUMPY_FILE])
