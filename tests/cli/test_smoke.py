from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.project import Project, receipt_of

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def test_a_model_that_works(project: Project) -> None:
    project.done("create", "tiny", "--no-smoke")
    assert receipt_of(project.environment)["smoke"] is None

    done = project.done("smoke")

    assert "✓ Smoke test   passed" in done.stderr
    *steps, versions = done.stdout.splitlines()
    assert [line.split(" passed ")[0].strip() for line in steps] == [
        *("import", "backend", "build", "compile", "train", "predict"),
        *("save keras", "load keras", "save h5", "load h5"),
    ]
    assert all(re.search(r" \d+\.\d\d s", line) for line in steps)
    assert "keras 3.15.1" in versions
    assert receipt_of(project.environment)["smoke"]["passed"]


def test_a_model_that_fails(project: Project) -> None:
    """What was found is kept, and told to programs as well."""
    project.done("create", "tiny", "--no-smoke")
    (models,) = project.environment.rglob("site-packages/keras/models.py")
    models.write_text(models.read_text("utf-8").replace("def load_model(path):", "def load_model(path):\n    1 / 0"))

    done = project.run("smoke")
    envelope = project.json("smoke")

    assert done.returncode == 1
    assert "✗ Smoke test   failed" in done.stderr
    assert "error: The model of tiny failed at step 'load keras': ZeroDivisionError" in done.stderr
    assert "load keras   failed" in done.stdout
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


def test_an_interpreter_that_went_away(
    first_create: tuple[Project, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """As when the Python is upgraded that an environment was made of."""
    made, _ = first_create
    project = Project(tmp_path)
    project.environment.mkdir()
    receipt = made.environment / "kerasenv.json"
    (project.environment / receipt.name).write_bytes(receipt.read_bytes())

    error = project.run("smoke").stderr

    assert "could not be started" in error
