from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.project import Project

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.local_index import LocalIndex


@pytest.fixture
def project(tmp_path: Path, index: LocalIndex) -> Project:
    """Return a project with the profile `tiny`; the variables point to the shared index."""
    assert not index.requests
    return Project.make(tmp_path / "project")


@pytest.fixture
def own_project(tmp_path: Path, own_index: LocalIndex) -> Project:
    """Return a project with the profile `tiny`; the variables point to an index that the test may change."""
    assert not own_index.requests
    return Project.make(tmp_path / "project")


@pytest.fixture(scope="session")
def first_create(
    tmp_path_factory: pytest.TempPathFactory, _shared_index: LocalIndex
) -> tuple[Project, subprocess.CompletedProcess[str]]:
    """Return a project whose environment is made once for all tests, and what was said meanwhile."""
    project = Project.make(tmp_path_factory.mktemp("made") / "project")
    return project, project.done("create", "tiny", env=_shared_index.environ)


@pytest.fixture
def made(first_create: tuple[Project, subprocess.CompletedProcess[str]], index: LocalIndex) -> Project:
    """Return a project whose environment is made once for all tests, which may only read it."""
    assert not index.requests
    return first_create[0]
