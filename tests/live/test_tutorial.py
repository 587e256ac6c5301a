"""What the pages tell a reader to type, with the real index and real models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages import HOW_TO, TUTORIAL, blocks_of, run_page
from tests.programs import PYENV_ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Of the how-to guides, those that have something that only a real environment can do
PAGES = [TUTORIAL, *(page for page in HOW_TO if any(block.about == "live" for block in blocks_of(page)))]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to stand in, where pyenv's Pythons are found."""
    monkeypatch.setenv("PYENV_ROOT", str(PYENV_ROOT))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says_for_real(page: Path, room: Path) -> None:
    run_page(page, room, live=True)
