from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import uv

from kerasenv.errors import ProgramError
from kerasenv.uv import uv_command

if TYPE_CHECKING:
    from pathlib import Path


def test_the_uv_that_its_package_finds() -> None:
    assert uv_command() == [uv.find_uv_bin()]


def test_elsewhere_its_package_searches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(uv, "find_uv_bin", lambda: "/elsewhere/uv")

    assert uv_command() == ["/elsewhere/uv"]


def test_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> str:
        raise FileNotFoundError("nowhere")

    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(uv, "find_uv_bin", find)

    with pytest.raises(ProgramError, match="not where its package should have put it"):
        uv_command()
