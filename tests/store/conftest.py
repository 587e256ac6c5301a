from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.store.rig import Rig, new_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local_index import LocalIndex


@pytest.fixture(autouse=True)
def _store_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASENV_STORE", "1")


@pytest.fixture(scope="session")
def varied_index() -> Iterator[LocalIndex]:
    """Serve packages of every kind."""
    with new_index() as index:
        yield index


@pytest.fixture
def rig(tmp_path: Path, varied_index: LocalIndex) -> Rig:
    """Return a life with an empty store."""
    return Rig.make(tmp_path, varied_index)
