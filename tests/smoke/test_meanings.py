from __future__ import annotations

import re

import pytest

from kerasenv.smoke.meanings import Meaning, explain, meanings


@pytest.mark.parametrize("meaning", meanings(), ids=lambda meaning: meaning.example[:60])
def test_example_is_explained_by_its_own_row(meaning: Meaning) -> None:
    """An earlier row with too wide a pattern would take it."""
    re.compile(meaning.pattern)
    assert explain(meaning.example) is meaning


@pytest.mark.parametrize("meaning", meanings(), ids=lambda meaning: meaning.example[:60])
def test_row_says_everything(meaning: Meaning) -> None:
    for words in (meaning.affects, meaning.cause, meaning.cure, meaning.source):
        assert words == words.strip()
        assert words
    assert meaning.cause.endswith((".", ".)"))
    assert meaning.cure.endswith((".", ".)"))


def test_notices_come_last() -> None:
    """A log is full of notices, and none of them may hide the error."""
    kinds = [meaning.harmless for meaning in meanings()]
    assert kinds == sorted(kinds)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        # As Python 2 says it
        ("ImportError: No module named pkg_resources", "setuptools<82"),
        ("ImportError: No module named theano", "KERAS_BACKEND"),
        ("ImportError: No module named keras", "keras"),
        # The line that matters is deep in a traceback
        ("  File 'x.py'\n    assert _backend in {'theano', 'tensorflow'}\nAssertionError", "KERAS_BACKEND"),
        (
            "The TensorFlow library was compiled to use AVX2 instructions, but these aren't available on your machine.",
            "AVX",
        ),
        # The module differs from one release to the next, the trouble is the same
        ("ModuleNotFoundError: No module named 'keras.layers.convolutional'", "keras.layers"),
        ("AttributeError: module 'keras' has no attribute '__version__'", "install keras again"),
        ("NotImplementedError: fit not implemented for NumPy backend.", "tensorflow, jax or torch"),
        # A notice stands before the error
        (
            "Could not load dynamic library 'libcudart.so.11.0'\nTypeError: Descriptors cannot be created directly.",
            "protobuf<4",
        ),
    ],
)
def test_other_spellings(text: str, word: str) -> None:
    meaning = explain(text)
    assert meaning is not None
    assert word in meaning.cure


@pytest.mark.parametrize(
    "text",
    ["", "ZeroDivisionError: division by zero", "ModuleNotFoundError: No module named 'kerastuner'", "AssertionError"],
)
def test_what_is_unknown_stays_unexplained(text: str) -> None:
    assert explain(text) is None
