from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv.env.environment import RECEIPT
from tests.project import Project, receipt_of

if TYPE_CHECKING:
    from pathlib import Path

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
