"""The real releases of pip-tools, each under the Python it is for."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.version import Version

from kerasenv.engine import BuildConstraint, InstallRequest, ResolveRequest
from kerasenv.engines.pip_tools import PipToolsEngine
from kerasenv.engines.uv import UvEngine
from kerasenv.errors import ResolveError
from kerasenv.interpreters.find import inspect
from kerasenv.platforms import PLATFORMS
from kerasenv.venv import create_bare_environment

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.engine import Engine
    from kerasenv.interpreters.interpreter import Interpreter
    from tests.conftest import FindPython

# gast 0.2.2 is a source distribution that TensorFlow 1 needs, and a setuptools of its time runs up to Python 3.11
REQUIREMENTS = tuple(map(Requirement, ("keras-preprocessing", "markupsafe", "gast==0.2.2", "pip")))
CONSTRAINTS = (Requirement("six<1.17"),)
BUILD_CONSTRAINTS = tuple(BuildConstraint(requirement=Requirement(text)) for text in ("setuptools<58", "wheel<0.38"))


def request_for(interpreter: Interpreter, *requirements: Requirement) -> ResolveRequest:
    platform = interpreter.platform
    return ResolveRequest(
        requirements=requirements or REQUIREMENTS,
        constraints=CONSTRAINTS,
        build_constraints=BUILD_CONSTRAINTS,
        pythons=(interpreter.minor,),
        platforms=(platform,) if platform else tuple(PLATFORMS.values()),
        interpreter=interpreter,
    )


def chosen(engine: Engine, request: ResolveRequest) -> dict[str, str]:
    """Return what an engine chose for this machine."""
    markers = {**request.interpreter.markers, "extra": ""}
    return {
        package.name: str(package.version)
        for package in engine.resolve(request).packages
        if package.marker is None or Marker(package.marker).evaluate(markers)
    }


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.11"])
def test_it_resolves_as_uv_does_and_installs_that(version: str, python: FindPython, tmp_path: Path) -> None:
    interpreter = inspect(python(version), source="test")
    engine = PipToolsEngine()
    request = request_for(interpreter)

    resolution = engine.resolve(request)
    versions: dict[str, str] = {package.name: str(package.version) for package in resolution.packages}

    assert versions == chosen(UvEngine(), request)
    assert versions["six"] == "1.16.0"

    environment = create_bare_environment(interpreter.path, tmp_path / "env")
    packages = []
    for package in resolution.packages:
        wheels = [file for file in package.files if file.name.endswith(".whl")]
        sdists = [file for file in package.files if not file.name.endswith(".whl")]
        packages.append(
            Package(
                name=package.name,
                version=package.version,
                wheels=[PackageWheel(name=one.name, url=one.url, hashes={"sha256": one.sha256}) for one in wheels],
                sdist=next(
                    (PackageSdist(name=one.name, url=one.url, hashes={"sha256": one.sha256}) for one in sdists), None
                ),
            )
        )
    engine.install(
        InstallRequest(
            lock=Pylock(lock_version=Version("1.0"), created_by="test", packages=packages),
            environment=environment.folder,
            python=environment.python,
            interpreter=interpreter,
            build_constraints=BUILD_CONSTRAINTS,
        )
    )

    answer = subprocess.run(
        [environment.python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    installed = {
        name.lower().replace("_", "-"): one for name, _, one in (line.partition("==") for line in answer.stdout.split())
    }
    assert installed == versions
    # The wheel says what built it
    built = next(environment.site_packages.glob("gast-0.2.2.dist-info/WHEEL")).read_text(encoding="utf-8")
    assert "bdist_wheel (0.37.1)" in built


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.11"])
def test_a_conflict_is_explained(version: str, python: FindPython) -> None:
    """6.4, for Python 3.6, has a resolver of its own with words of its own."""
    request = request_for(
        inspect(python(version), source="test"), Requirement("keras-preprocessing==1.1.2"), Requirement("six<1.9")
    )

    with pytest.raises(ResolveError, match="can't be met together") as caught:
        PipToolsEngine().resolve(request)

    said = "\n".join(caught.value.looked_at)
    assert "six>=1.9.0" in said
    assert "keras-preprocessing" in said
    assert "Traceback" not in said
