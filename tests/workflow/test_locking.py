"""What lock does from end to end, seen from within; tests/cli/test_lock.py sees it from without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kerasenv.engine import Index
from kerasenv.engines.choose import ENGINES
from kerasenv.engines.uv import UvEngine
from kerasenv.errors import LockError, ResolveError
from kerasenv.resolution import Resolution
from kerasenv.workflow.lock import BOTH, Locking, lock_profile, locks_in
from tests.lock.wishes import resolved
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.engine import ResolveRequest
    from tests.local_index import LocalIndex


class SecondEngine(UvEngine):
    """A second engine that resolves for one machine; the real one needs an index that has pip-tools."""

    name = "pip-tools"
    instead: tuple[Any, ...] = ()

    def resolve(self, request: ResolveRequest) -> Resolution:
        others = {one.name for one in self.instead}
        packages = [one for one in super().resolve(request).packages if one.name not in others]
        return Resolution(packages=(*packages, *self.instead), only_here=True)


class StubbornEngine(SecondEngine):
    """Chooses another Keras."""

    instead = (resolved("keras", "3.12.0"),)


@pytest.fixture
def locking(tmp_path: Path, index: LocalIndex) -> Locking:
    write_profile(tmp_path / "profiles")
    return Locking(cwd=tmp_path, engine=BOTH, index=Index(url=index.url, source="the test"))


def test_two_engines_that_agree(locking: Locking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "pip-tools", SecondEngine)

    locked = lock_profile("tiny", locking)

    assert locked.status == "new"
    assert (locked.agreed or "").startswith("Python 3.")
    assert lock_profile("tiny", locking).status == "kept"


def test_two_that_do_not_write_nothing(locking: Locking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "pip-tools", StubbornEngine)

    with pytest.raises(ResolveError, match="uv and pip-tools choose differently for Python 3") as caught:
        lock_profile("tiny", locking)

    assert caught.value.looked_at == (
        "uv | pip-tools",
        "keras: 3.15.1 | 3.12.0 (both would do: what else was chosen first decides)",
    )
    assert not (locking.cwd / "pylock.tiny.toml").exists()


def test_a_lock_that_gives_no_profile(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "somebody"\npackages = []\n')

    with pytest.raises(LockError, match="its name gives no profile"):
        locks_in(tmp_path)


def test_the_locks_of_a_folder(locking: Locking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "pip-tools", SecondEngine)
    lock_profile("tiny", locking)

    assert locks_in(locking.cwd) == [("tiny", None, locking.cwd / "pylock.tiny.toml")]
