from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from kerasenv.env.environment import RECEIPT
from kerasenv.resources import probe
from kerasenv.workflow.smoke import smoke
from tests.project import Project, receipt_of
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STEPS = [
    *("import", "backend", "build", "compile", "train", "predict"),
    *("save keras", "load keras", "save h5", "load h5"),
]


def test_a_model_that_works(project: Project) -> None:
    project.done("create", "tiny", "--no-smoke")
    assert receipt_of(project.environment)["smoke"] is None

    done = project.done("smoke")

    assert [line.split(":")[0].strip() for line in done.stderr.splitlines() if line.startswith("  ")] == STEPS
    assert "✓ Smoke test " in done.stderr
    assert done.stdout.startswith(".venv works: tiny, ")
    assert "keras 3.15.1" in done.stdout
    assert receipt_of(project.environment)["smoke"]["passed"]


def test_a_model_that_fails(project: Project) -> None:
    """What was found is kept, and told to programs as well."""
    project.done("create", "tiny", "--no-smoke")
    (models,) = project.environment.rglob("site-packages/keras/models.py")
    models.write_text(models.read_text("utf-8").replace("def load_model(path):", "def load_model(path):\n    1 / 0"))

    done = project.run("smoke")
    envelope = project.json("smoke")

    assert done.returncode == 1
    assert "✗ Smoke test " in done.stderr
    assert "  load keras: failed " in done.stderr
    assert "error: The model of tiny failed at step 'load keras': ZeroDivisionError" in done.stderr
    assert done.stdout.startswith(".venv does not work: tiny, ")
    assert (envelope["status"], envelope["exit_code"]) == ("failed", 1)
    assert envelope["error"]["kind"] == "SmokeError"
    assert envelope["data"]["failed_step"] == "load keras"
    assert [step["status"] for step in envelope["data"]["steps"]][:7] == ["passed"] * 7
    assert envelope["data"]["versions"]["keras"] == "3.15.1"
    kept = receipt_of(project.environment)["smoke"]
    assert not kept["passed"]
    assert "ZeroDivisionError" in kept["error"]


def test_an_era_trial_that_fails(project: Project) -> None:
    """The tiny Keras has no convolutions."""
    project.done("create", "tiny", "--no-smoke")

    done = project.run("smoke", "--full")
    envelope = project.json("smoke", "--full")

    assert done.returncode == 1
    assert "✓ Smoke test " in done.stderr
    assert "✗ Era trial " in done.stderr
    assert "error: The era trial of tiny failed at step 'conv2d': AttributeError: " in done.stderr
    assert "trials/keras3.py" in done.stderr.replace("\\", "/")
    assert (envelope["status"], envelope["exit_code"]) == ("failed", 1)
    assert [step["name"] for step in envelope["data"]["full"]["steps"]] == ["import", "conv2d"]
    assert envelope["data"]["steps"][-1]["name"] == "load h5"
    kept = receipt_of(project.environment)["smoke"]
    assert not kept["passed"]
    assert not kept["full"]["passed"]


def test_an_era_trial_that_passes(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the file of its era, since the tiny Keras has no convolutions."""
    write_profile(project.folder / "profiles", trial={"idiom": "keras1", "imports": ["from keras import layers"]})
    project.done("create", "tiny", "--no-smoke")
    shutil.copytree(probe("trial").parent, tmp_path / "probes")
    monkeypatch.setattr("kerasenv.smoke.run.probe", lambda name: tmp_path / "probes" / f"{name}.py")
    (tmp_path / "probes" / "trials" / "keras1.py").write_text("def one(keras, formats): ...\nSTEPS = [one]\n")

    _, result = smoke(project.environment, full=True)

    assert result.passed
    assert result.full is not None
    assert [step.name for step in result.full.steps] == ["imports", "import", "one"]
    kept = receipt_of(project.environment)["smoke"]
    assert (kept["passed"], kept["full"]["passed"]) == (True, True)


def test_no_gpu_where_one_is_required(project: Project) -> None:
    project.done("create", "tiny", "--no-smoke")
    (tensorflow,) = project.environment.rglob("site-packages/tensorflow/__init__.py")
    with tensorflow.open("a", encoding="utf-8") as file:
        file.write("class config:\n    list_physical_devices = staticmethod(list)\n")

    done = project.run("smoke", "--require-gpu")

    assert done.returncode == 1
    assert "error: The model of tiny failed at step 'gpu': tensorflow sees no GPU; it sees nothing" in done.stderr
    assert "nvidia-smi" in done.stderr
    assert "kerasenv show tiny" in done.stderr


def test_what_the_profile_does_not_know_is_told(project: Project) -> None:
    """What it knows is counted and not shown."""
    write_profile(project.folder / "profiles", noise=[{"text": "as ever", "because": "it hums"}])
    project.done("create", "tiny", "--no-smoke")
    (models,) = project.environment.rglob("site-packages/keras/models.py")
    models.write_text("import sys\nsys.stderr.write('as ever: hm\\nunheard of\\n')\n" + models.read_text("utf-8"))

    plain, more, envelope = project.done("smoke"), project.done("smoke", "-v"), project.json("smoke")

    assert "! 1 line was said that the profile doesn't know: kerasenv smoke -v shows it." in plain.stderr
    assert "unheard of" not in plain.stderr
    assert "  not known to the profile: unheard of" in more.stderr
    assert "as ever" not in more.stderr
    assert (envelope["data"]["noise"], envelope["data"]["unknown"]) == (1, ["unheard of"])


def test_where_no_environment_is(tmp_path: Path) -> None:
    assert "There is no environment in " in Project(tmp_path).refused("smoke")


def test_an_interpreter_that_went_away(made: Project, tmp_path: Path) -> None:
    """As when the Python is upgraded that an environment was made of."""
    project = Project(tmp_path)
    project.environment.mkdir()
    (project.environment / RECEIPT).write_bytes((made.environment / RECEIPT).read_bytes())

    done = project.run("smoke")

    assert done.returncode == 1
    assert "could not be started" in done.stderr
