from __future__ import annotations

from kerasenv.lock.reuse import adds_only
from kerasenv.lock.satisfy import differences
from tests.lock.wishes import PROFILE, locked, profile, wish


class TestAdding:
    def test_only_more(self) -> None:
        asked = wish(PROFILE, "pandas")

        assert adds_only(locked(), asked, asked, variant=None)

    def test_nothing(self) -> None:
        asked = wish(PROFILE, "numpy>=2")

        assert not adds_only(locked(), asked, asked, variant=None)

    def test_something_else_too(self) -> None:
        asked = wish(profile(backend="jax"), "pandas")

        assert differences(locked(), asked, variant=None)
        assert not adds_only(locked(), asked, asked, variant=None)
