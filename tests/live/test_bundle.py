"""A real profile, whose lock has a source distribution, on a machine without any network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.isolation import private_environ
from tests.programs import KERASENV, find_python
from tests.project import Project, packages_of, receipt_of

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "tf1-legacy-standalone"


def test_from_a_bundle_alone(tmp_path: Path) -> None:
    """With an empty home and an empty cache; the same bundle twice is the same bytes."""
    if (
        sys.platform != "linux"
        or subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("only a Linux that allows `unshare -n` can take the network away")
    python = find_python("3.7")
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    made, other = Project(tmp_path / "made"), Project(tmp_path / "other")
    for project in (made, other):
        project.folder.mkdir()
    made.done("create", PROFILE, "--python", python, "--no-smoke", timeout=1800)
    lock = f"pylock.{PROFILE}.toml"
    for name in ("x.zip", "y.zip"):
        made.done("bundle", lock, "-o", name, "--python", "3.7", env={"PATH": path}, timeout=1800)
    assert (made.folder / "x.zip").read_bytes() == (made.folder / "y.zip").read_bytes()
    packages = packages_of(made.environment)
    shutil.rmtree(made.environment)

    words = ["unshare", "-n", *KERASENV, "rebuild", str(made.folder / "x.zip"), "--python", str(python)]
    environ = private_environ(tmp_path / "empty home")
    done = subprocess.run(words, cwd=other.folder, env=environ, capture_output=True, check=False, encoding="utf-8")

    assert done.returncode == 0, done.stderr
    assert packages_of(other.environment) == packages
    assert receipt_of(other.environment)["smoke"]["passed"] is True
    assert other.run("verify", timeout=600).returncode == 0
