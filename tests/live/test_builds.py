"""Old source distributions give the same files every time, whoever builds them, when and where."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Package, PackageSdist, Pylock
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import BuildConstraint, Index, InstallRequest
from kerasenv.engines.choose import ENGINES
from kerasenv.index import SimpleIndex
from kerasenv.interpreters.find import inspect
from kerasenv.profiles.search import find_profile
from kerasenv.resources import shipped_profiles
from kerasenv.venv import create_bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FindPython

# Left by the installer, not by the build
_OF_THE_INSTALLER = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
BUILDS = [("theano", "1.0.5", "3.7"), ("keras", "1.2.2", "3.6"), ("gast", "0.2.2", "3.7")]


def lock_of(name: str, version: str) -> Pylock:
    """Return a lock of a source distribution alone."""
    found = [file for file in SimpleIndex(Index()).files(name) if file.version == Version(version)]
    (source,) = [file for file in found if not file.name.endswith(".whl")]
    sdist = PackageSdist(name=source.name, url=source.url, hashes={"sha256": source.sha256 or ""})
    package = Package(name=canonicalize_name(name), version=Version(version), sdist=sdist)
    return Pylock(lock_version=Version("1.0"), created_by="test", packages=[package])


def built(folder: Path, lock: Pylock, python: Path, engine: str) -> dict[str, str]:
    """Install a lock into a new environment and return the digest of each file that came from the wheel."""
    profile = find_profile("theano-legacy", cwd=shipped_profiles())
    environment = create_bare_environment(python, folder)
    before = set(environment.site_packages.rglob("*"))
    ENGINES[engine]().install(
        InstallRequest(
            lock=lock,
            environment=folder,
            python=environment.python,
            interpreter=inspect(python, source="test"),
            build_constraints=tuple(
                BuildConstraint(requirement=one.requirement, sha256=one.sha256) for one in profile.build_constraints
            ),
        )
    )
    return {
        str(path.relative_to(environment.site_packages)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(set(environment.site_packages.rglob("*")) - before)
        if path.is_file() and path.name not in _OF_THE_INSTALLER and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("build", BUILDS, ids=" ".join)
def test_the_same_source_gives_the_same_files(
    build: tuple[str, str, str], python: FindPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder, later, with another umask and home, an empty cache, and by the other engine."""
    name, version, minor = build
    lock, interpreter = lock_of(name, version), python(minor)
    results = []
    for number, (engine, umask) in enumerate((("uv", 0o022), ("uv", 0o077), ("pip-tools", 0o002))):
        home = tmp_path / f"home {number}"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("UV_CACHE_DIR", str(home / "uv"))
        before = os.umask(umask)
        try:
            results.append(built(home / "an environment", lock, interpreter, engine))
        finally:
            os.umask(before)

    assert len(results[0]) > 2
    assert results[0] == results[1] == results[2]
    shutil.rmtree(tmp_path)
