from __future__ import annotations

from pathlib import Path

import pytest

from kerasenv.profiles.search import list_profiles
from kerasenv.smoke.meanings import explain, meanings
from kerasenv.smoke.noise import sort_out
from kerasenv.smoke.plan import Noise

ROWS = (Noise(text="C-API [based]", because="a text, not a pattern"),)


@pytest.mark.parametrize(
    ("lines", "noise", "unknown"),
    [
        ([], 0, ()),
        (["", "  ", "\t"], 0, ()),
        (["WARNING: Using NumPy C-API [based] implementation"], 1, ()),
        (["WARNING: Using NumPy C-API b implementation"], 0, ("WARNING: Using NumPy C-API b implementation",)),
        (["C-API [based]", "  source", "", "  more", "other", "  its own"], 3, ("other", "  its own")),
        (["  indented at once"], 0, ("  indented at once",)),
        (["from https://user:secret@mirror.example/x"], 0, ("from https://mirror.example/x",)),
        # What every TensorFlow says is known without any row
        (["2026-11-20 19:44:51.886082: I tensorflow/core/util/port.cc:110] oneDNN", "Using Theano backend."], 2, ()),
        (["2026-11-20 19:44:51.886082: E tensorflow/core/util/port.cc:110] broken"], 0, None),
        # A harmless notice that somebody should see all the same
        (["WARNING (theano.configdefaults): g++ not detected ! Theano will be unable"], 0, None),
    ],
)
def test_lines_are_parted(lines: list[str], noise: int, unknown: tuple[str, ...] | None) -> None:
    heard = sort_out(lines, ROWS)

    assert (heard.noise, heard.unknown) == (noise, tuple(lines) if unknown is None else unknown)


def test_what_is_noise_is_harmless() -> None:
    assert [one.example for one in meanings() if one.noise and not one.harmless] == []


def test_no_profile_silences_a_symptom() -> None:
    """A row must not hide what the table of meanings knows to be a fault, nor repeat what it knows as noise."""
    rows = {row for profile in list_profiles(cwd=Path.cwd()).profiles for row in profile.noise}

    assert [row.text for row in rows if explain(row.text) is not None] == []
