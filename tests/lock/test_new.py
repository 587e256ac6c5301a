from __future__ import annotations

from datetime import date

import pytest
from packaging.utils import canonicalize_name

from kerasenv.errors import LockError
from kerasenv.lock.new import Start, pins_of, start_of
from kerasenv.lock.wish import Upgrade
from kerasenv.profiles.search import find_profile
from kerasenv.resources import shipped_profiles
from tests.lock.wishes import locked, pin, profile, wish

DAY = date(2020, 6, 1)
NOTHING, EVERYTHING = Upgrade(), Upgrade(everything=True)
NUMPY_FILE = "numpy-2.0-py3-none-any.whl"


class TestStart:
    def test_without_anything_there_is_nothing(self) -> None:
        assert start_of(None, wish(), variant=None, upgrade=NOTHING) == Start(told="new")

    def test_an_upgrade_leaves_the_shipped_pins_alone(self) -> None:
        shipped = find_profile("tf2-modern", cwd=shipped_profiles())

        assert start_of(None, wish(shipped), variant=None, upgrade=NOTHING).exactly
        assert start_of(None, wish(shipped, "pandas"), variant=None, upgrade=NOTHING).pins
        assert start_of(None, wish(shipped), variant=None, upgrade=EVERYTHING) == Start(told="new")

    def test_from_a_lock_with_its_files(self) -> None:
        start = start_of(locked(), wish(), variant=None, upgrade=NOTHING)

        assert pin("numpy", "2.0", files=[NUMPY_FILE]) in start.pins
        assert not start.exactly

    def test_but_for_what_is_upgraded(self) -> None:
        start = start_of(locked(), wish(), variant=None, upgrade=Upgrade(names=frozenset({canonicalize_name("numpy")})))

        assert [one.name for one in start.pins] == ["keras", "pip"]

    @pytest.mark.parametrize(("as_of", "upgrade"), [(None, EVERYTHING), (DAY, NOTHING)], ids=["upgrade", "another day"])
    def test_from_nothing(self, as_of: date | None, upgrade: Upgrade) -> None:
        assert start_of(locked(), wish(as_of=as_of), variant=None, upgrade=upgrade).pins == ()

    def test_for_more_machines_the_files_are_free(self) -> None:
        wider = profile(requires_python=">=3.10,<3.14")

        assert pin("numpy", "2.0") in start_of(locked(), wish(wider), variant=None, upgrade=NOTHING).pins

    def test_a_stranger(self) -> None:
        with pytest.raises(LockError, match="has no zipp to upgrade"):
            start_of(locked(), wish(), variant=None, upgrade=Upgrade(names=frozenset({canonicalize_name("zipp")})))


def test_the_pins_of_a_lock() -> None:
    assert pins_of(locked())[1] == pin("numpy", "2.0", files=[NUMPY_FILE])
