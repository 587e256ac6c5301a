from __future__ import annotations

from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.profiles.variables import variable_value, why_refused


@pytest.mark.parametrize("name", ["THEANO_FLAGS", "TF_CPP_MIN_LOG_LEVEL", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"])
def test_what_frameworks_read_can_be_set(name: str) -> None:
    assert why_refused(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "KERAS_BACKEND",
        "KERAS_HOME",
        "PATH",
        "HOME",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "LD_PRELOAD",
        "BASH_ENV",
    ],
)
def test_what_others_own_is_refused_with_a_reason(name: str) -> None:
    assert (why_refused(name) or "").startswith("can't be set by a profile: ")


@pytest.mark.parametrize("name", ["", "path", "Path", "A-B", "A B", "1A", "_A", "É", "A\n", "A=B"])
def test_a_name_is_one_in_every_shell(name: str) -> None:
    assert (why_refused(name) or "").startswith("must consist of")


@pytest.mark.parametrize(
    ("value", "set_to"),
    [("", ""), ("{env}/a", "/e n v/a"), ("{{env}}", "{env}"), ("{{{env}}}", "{/e n v}"), ("a'\"$`\n", "a'\"$`\n")],
)
def test_the_folder_stands_for_env(value: str, set_to: str) -> None:
    assert variable_value(value).format(env="/e n v") == set_to


@pytest.mark.parametrize(
    "value", ["{", "}", "{env", "{}", "{0}", "{home}", "{env.parent}", "{env!r}", "{env:>{env}}", "\0"]
)
def test_nothing_else_stands_in_braces(value: str) -> None:
    with pytest.raises(ValueError, match=r"braces|NUL"):
        variable_value(value)


@given(value=st.text() | st.text(alphabet="{}env!:.[]0" + printable))
def test_what_is_accepted_can_be_filled_in(value: str) -> None:
    """Nobody meets a broken template after the profile was read."""
    try:
        template = variable_value(value)
    except ValueError:
        return
    assert isinstance(template.format(env="/env"), str)
