from __future__ import annotations

import os
import sys
from pathlib import Path

from kerasenv.env.variables import activated, bin_folder, for_smoke, variables_of
from kerasenv.lock.lockfile import Promise
from kerasenv.smoke.plan import SmokePlan

FOLDER = Path("/a {place}/env") if sys.platform != "win32" else Path("C:/a {place}/env")


def test_the_variables_of_an_environment() -> None:
    """Keras' own first, then the profile's in its order; {env} stands for the folder."""
    promise = Promise(
        profile="tiny",
        backend="theano",
        variables={"THEANO_FLAGS": "base_compiledir={env}/theano", "BRACES": "{{env}}", "EMPTY": ""},
        smoke=SmokePlan(),
    )

    assert list(variables_of(promise, FOLDER).items()) == [
        ("KERAS_BACKEND", "theano"),
        ("KERAS_HOME", str(FOLDER / "keras")),
        ("THEANO_FLAGS", f"base_compiledir={FOLDER}/theano"),
        ("BRACES", "{env}"),
        ("EMPTY", ""),
    ]


def test_a_profile_can_leave_the_backend_open() -> None:
    assert "KERAS_BACKEND" not in variables_of(Promise(profile="tiny", smoke=SmokePlan()), FOLDER)


def test_an_activated_process() -> None:
    outside = {"PATH": "/bin", "PYTHONHOME": "/usr", "PYTHONPATH": "/mine", "KERAS_BACKEND": "jax", "MINE": "1"}

    assert activated(outside, FOLDER, {"KERAS_BACKEND": "tensorflow"}) == {
        "PATH": f"{bin_folder(FOLDER)}{os.pathsep}/bin",
        "VIRTUAL_ENV": str(FOLDER),
        "PYTHONPATH": "/mine",
        "KERAS_BACKEND": "tensorflow",
        "MINE": "1",
    }


def test_a_search_path_that_is_not_there_does_not_lead_to_the_present_folder() -> None:
    for outside in ({}, {"PATH": ""}):
        assert activated(outside, FOLDER, {})["PATH"] == f"{bin_folder(FOLDER)}{os.pathsep}{os.defpath}"


def test_the_smoke_test_sees_nothing_of_another_keras_or_python() -> None:
    outside = {
        "PYTHONPATH": "/mine",
        "PYTHONSTARTUP": "/mine",
        "KERAS_HOME": "/mine",
        "THEANO_FLAGS": "mode=mine",
        "THEANORC": "/mine",
        "TF_USE_LEGACY_KERAS": "1",
        "LD_LIBRARY_PATH": "/cuda",
    }

    assert for_smoke(outside, FOLDER, {"KERAS_BACKEND": "tensorflow"}) == {
        "PATH": f"{bin_folder(FOLDER)}{os.pathsep}{os.defpath}",
        "VIRTUAL_ENV": str(FOLDER),
        "LD_LIBRARY_PATH": "/cuda",
        "KERAS_BACKEND": "tensorflow",
    }
