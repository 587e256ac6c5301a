from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex


@pytest.fixture
def project(tmp_path: Path, index: LocalIndex) -> Project:
    """Return a project with the profile `tiny`; the variables point to the shared index."""
    assert not index.requests
    return Project.make(tmp_path / "project")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, _shared_index: LocalIndex) -> Project:
    """Return a project whose environment is made once for all tests, which may only read it."""
    project = Project.make(tmp_path_factory.mktemp("made") / "project")
    project.done("create", "tiny", env=_shared_index.environ)
    return project
