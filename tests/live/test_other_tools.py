"""What other tools make of a real lock is what kerasenv makes of it, to the byte."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from kerasenv.index import default_address
from kerasenv.venv import create_bare_environment, python_in
from tests.programs import PYENV_ROOT
from tests.project import Project, receipt_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import FindPython

# What an installer says of itself
OWN = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")


def done(*words: str | Path) -> None:
    finished = subprocess.run(list(map(str, words)), capture_output=True, check=False, encoding="utf-8")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def recorded(environment: Path, packages: set[str] | None = None) -> dict[str, dict[str, str]]:
    """Return every installed file with its digest, by package, but for scripts, which speak of their environment."""
    found: dict[str, dict[str, str]] = {}
    for record in environment.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        name = record.parent.name
        if packages is None or name in packages:
            with record.open(encoding="utf-8", newline="") as stream:
                found[name] = {
                    path: digest
                    for path, digest, _ in csv.reader(stream)
                    if not path.endswith((*OWN, ".pyc")) and "/bin/" not in path
                }
    return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Give a folder that is emptied afterwards."""
    monkeypatch.setenv("PYENV_ROOT", str(PYENV_ROOT))
    (tmp_path / "project").mkdir()
    yield Project(tmp_path / "project")
    shutil.rmtree(tmp_path)


def bare(project: Project, name: str) -> Path:
    python = Path(receipt_of(project.environment)["python_path"])
    return create_bare_environment(python, project.folder / name).folder


def test_those_that_read_locks(project: Project) -> None:
    """Uv and the newest pip; both are given the lock as it is, and pip the plain one as well."""
    project.done("create", "tf2-modern", "--no-smoke", timeout=1800)
    project.done("verify")
    project.done("export", "pylock", "-o", "pylock.plain.toml", "pylock.tf2-modern.toml")
    made = recorded(project.environment)
    by_uv, by_pip = bare(project, "by-uv"), bare(project, "by-pip")
    lock = project.folder / "pylock.tf2-modern.toml"

    done(find_uv_bin(), "pip", "sync", "--no-config", "--preview", "--python", python_in(by_uv), lock)
    done(
        sys.executable,
        "-m",
        "pip",
        "--python",
        by_pip,
        "install",
        "--no-compile",
        "-r",
        project.folder / "pylock.plain.toml",
    )

    assert len(made) > 30
    assert recorded(by_uv) == made
    assert recorded(by_pip) == made


def test_old_pips_by_requirements(project: Project, python: FindPython) -> None:
    """The first pip that the file says will do, and the last for Python 3.6."""
    interpreter = python("3.6")
    project.done("create", "tf1-legacy-standalone", "--python", interpreter, "--no-smoke", timeout=1800)
    project.done("verify")
    project.done("export", "requirements", "-o", "requirements.txt")
    made = recorded(project.environment)
    assert len(made) > 15

    assert "On Linux x86_64 it takes pip 19.3 or newer" in (project.folder / "requirements.txt").read_text("utf-8")
    for pip in ("19.3.1", "21.3.1"):
        environment = bare(project, f"by-pip-{pip}")
        old_python = python_in(environment)
        # An old pip builds with the setuptools and wheel that it finds installed
        seeds = (f"pip=={pip}", "setuptools<58", "wheel<0.38")
        done(find_uv_bin(), "pip", "install", "--no-config", "--python", old_python, *seeds)

        words = ("install", "--no-compile", "--no-deps", "--index-url", default_address())
        done(old_python, "-m", "pip", *words, "-r", project.folder / "requirements.txt")

        # What it built itself has other files than what kerasenv's engines build, which have newer tools
        built = {name for name in made if name.startswith(("gast-", "termcolor-"))}
        assert recorded(environment, made.keys() - built) == {name: made[name] for name in made.keys() - built}


def test_pip_sync_by_its_files(project: Project) -> None:
    project.done("create", "keras3-numpy", "--no-smoke", timeout=1800)
    project.done("export", "pip-tools", "-o", "all.txt")
    environment = bare(project, "by-pip-sync")
    done(find_uv_bin(), "pip", "install", "--no-config", "--python", python_in(environment), "pip")

    words = ("-m", "piptools", "sync", "--python-executable", python_in(environment), project.folder / "all.txt")
    done(sys.executable, *words)

    assert recorded(environment) == recorded(project.environment)
