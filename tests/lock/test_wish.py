from __future__ import annotations

from dataclasses import replace
from datetime import date

from kerasenv.lock.wish import Upgrade, remembering
from tests.lock.wishes import PROFILE, locked, wish

DAY = date(2020, 6, 1)
NOTHING, EVERYTHING = Upgrade(), Upgrade(everything=True)


class TestRemembering:
    def test_what_was_asked_for_before(self) -> None:
        wanted = remembering(wish(PROFILE, "zipp"), locked("numpy<3", "absl-py"), upgrade=EVERYTHING)

        assert list(map(str, wanted.extra)) == ["absl-py", "numpy<3", "zipp"]

    def test_what_is_asked_for_anew_counts(self) -> None:
        wanted = remembering(wish(PROFILE, "NumPy>=2"), locked("numpy<3"), upgrade=NOTHING)

        assert list(map(str, wanted.extra)) == ["NumPy>=2"]

    def test_without_a_lock_the_order_is_one_of_its_own(self) -> None:
        wanted = remembering(wish(PROFILE, "zipp", "absl-py", "zipp"), None, upgrade=NOTHING)

        assert list(map(str, wanted.extra)) == ["absl-py", "zipp"]

    def test_a_day_until_an_upgrade(self) -> None:
        assert remembering(wish(), locked(as_of=DAY), upgrade=NOTHING).as_of == DAY
        assert remembering(wish(), locked(as_of=DAY), upgrade=EVERYTHING).as_of is None
        assert remembering(wish(as_of=DAY), locked(), upgrade=EVERYTHING).as_of == DAY

    def test_that_nothing_is_built(self) -> None:
        assert remembering(wish(), locked(only_binary=True), upgrade=EVERYTHING).only_binary

    def test_a_lock_of_another_tool_has_nothing_to_remember(self) -> None:
        assert remembering(wish(), replace(locked(), promise=None), upgrade=NOTHING) == wish()
