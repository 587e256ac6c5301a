"""What every exporter keeps to, and what each writes of a lock with all that a lock can have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import BuildConstraint
from kerasenv.errors import LockError
from kerasenv.exporter import oldest_pip
from kerasenv.exporters import EXPORTERS
from kerasenv.lock.lockfile import Lock, Promise, dump_lock
from kerasenv.requirements_file import parse_hashed
from kerasenv.smoke.plan import SmokePlan

if TYPE_CHECKING:
    from kerasenv.exporter import Exporter

FILES = {
    "requirements": "requirements.txt",
    "pylock": "pylock.toml",
    "conda": "environment.yml",
    "pip-tools": "all.txt",
}
ADDRESS = "https://index.example/files"


def package(name: str, version: str, *, marker: str | None = None, sdist: bool = False) -> Package:
    digest = (name[0] * 2).encode().hex()[0] * 64
    wheel = PackageWheel(url=f"{ADDRESS}/{name}-{version}-py3-none-any.whl", hashes={"sha256": digest})
    source = PackageSdist(url=f"{ADDRESS}/{name}-{version}.tar.gz", hashes={"sha256": "0" * 64})
    return Package(
        name=canonicalize_name(name),
        version=Version(version),
        marker=Marker(marker) if marker else None,
        wheels=None if sdist else [wheel],
        sdist=source if sdist else None,
    )


PROMISE = Promise(
    profile="old-keras",
    requirements=("keras==2.3.1", "pandas<2"),
    constraints=("h5py<3",),
    build_constraints=(BuildConstraint(requirement=Requirement("setuptools<58")),),
    backend="theano",
    variables={"THEANO_FLAGS": "base_compiledir={env}/theano", "TF_CPP_MIN_LOG_LEVEL": "2"},
    smoke=SmokePlan(backend="theano"),
)
PYLOCK = Pylock(
    lock_version=Version("1.0"),
    created_by="kerasenv",
    requires_python=SpecifierSet(">=3.6,<3.8"),
    packages=[
        package("keras", "2.3.1"),
        package("numpy", "1.18.5", marker="python_version < '3.7'"),
        package("numpy", "1.21.6", marker="python_version == '3.7' and sys_platform != 'win32'"),
        package("theano", "1.0.5", sdist=True),
    ],
)
LOCK = Lock(path=Path("pylock.old-keras.toml"), pylock=PYLOCK, promise=PROMISE, content=dump_lock(PYLOCK, PROMISE))

each = pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=list(EXPORTERS))


def pins(text: str) -> list[tuple[str, str, str | None, int]]:
    return [(pin.name, str(pin.version), pin.marker, len(pin.hashes)) for pin in parse_hashed(text)]


ALL_PINS = [
    ("keras", "2.3.1", None, 1),
    ("numpy", "1.18.5", 'python_version < "3.7"', 1),
    ("numpy", "1.21.6", 'python_version == "3.7" and sys_platform != "win32"', 1),
    ("theano", "1.0.5", None, 1),
]


@each
class TestContract:
    def test_the_first_file_has_the_name_that_is_asked_for(self, exporter: Exporter) -> None:
        assert next(iter(exporter.export(LOCK, FILES[exporter.NAME], hashes=True))) == FILES[exporter.NAME]

    def test_it_is_said_where_it_comes_from(self, exporter: Exporter) -> None:
        for text in exporter.export(LOCK, FILES[exporter.NAME], hashes=True).values():
            assert text.startswith("# Made by kerasenv from pylock.old-keras.toml.")
            assert text.endswith("\n")
            assert "\r" not in text

    def test_every_package_is_there_and_nothing_of_kerasenv(self, exporter: Exporter) -> None:
        text = exporter.export(LOCK, FILES[exporter.NAME], hashes=True)[FILES[exporter.NAME]]

        for one in PYLOCK.packages:
            assert one.name in text
            assert str(one.version) in text
        assert "tool.kerasenv" not in text

    def test_the_same_lock_gives_the_same_text(self, exporter: Exporter) -> None:
        name = FILES[exporter.NAME]

        assert exporter.export(LOCK, name, hashes=True) == exporter.export(LOCK, name, hashes=True)

    def test_what_comes_from_no_index(self, exporter: Exporter) -> None:
        """A folder can't be promised; only the form of locks themselves has a word for it."""
        if exporter.NAME == "pylock":
            return
        bare = Package(name=canonicalize_name("mine"), sdist=PackageSdist(path="mine.tar.gz", hashes={"sha512": "0"}))
        pylock = Pylock(lock_version=Version("1.0"), created_by="somebody", packages=[bare])
        lock = Lock(path=LOCK.path, pylock=pylock, promise=PROMISE, content=b"")

        with pytest.raises(LockError, match="The lock names no version of mine"):
            exporter.export(lock, FILES[exporter.NAME], hashes=True)


def test_requirements() -> None:
    text = EXPORTERS["requirements"].export(LOCK, "requirements.txt", hashes=True)["requirements.txt"]

    assert pins(text) == ALL_PINS
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert "# Python <3.8,>=3.6" in head
    assert "# python -m pip install --no-deps -r requirements.txt" in head
    assert "# Built from source where there is no wheel: theano." in head
    assert any("'setuptools<58'" in line for line in head)


@pytest.mark.parametrize("form", ["requirements", "pip-tools"])
def test_without_hashes(form: str) -> None:
    name = FILES[form]

    assert pins(EXPORTERS[form].export(LOCK, name, hashes=False)[name]) == [(*pin[:3], 0) for pin in ALL_PINS]


def test_pylock() -> None:
    (text,) = EXPORTERS["pylock"].export(LOCK, "pylock.toml", hashes=True).values()

    assert Pylock.from_dict(tomli.loads(text)) == PYLOCK


def test_a_pylock_has_hashes_and_a_name() -> None:
    with pytest.raises(LockError, match="without hashes"):
        EXPORTERS["pylock"].export(LOCK, "pylock.toml", hashes=False)
    with pytest.raises(LockError, match=r"requirements.txt is no valid name"):
        EXPORTERS["pylock"].export(LOCK, "requirements.txt", hashes=True)


def test_conda() -> None:
    """No conda has read it: that can't be had here. Its YAML is read as YAML, and its pip lines as pip's."""
    yaml: Any = pytest.importorskip("yaml", reason="PyYAML is not installed, so no YAML can be read")
    (text,) = EXPORTERS["conda"].export(LOCK, "environment.yml", hashes=True).values()

    table = yaml.safe_load(text)
    python, pip, packages = table.pop("dependencies")
    assert table == {
        "name": "old-keras",
        "channels": ["conda-forge"],
        "variables": {"KERAS_BACKEND": "theano", "TF_CPP_MIN_LOG_LEVEL": "2"},
    }
    assert python == "python <3.8,>=3.6"
    assert pip == "pip"
    assert pins("\n".join(packages["pip"])) == ALL_PINS
    assert "# Not set here, since they name the environment's folder: KERAS_HOME, THEANO_FLAGS." in text


def test_pip_tools() -> None:
    files = EXPORTERS["pip-tools"].export(LOCK, "all.txt", hashes=True)

    assert list(files) == ["all.txt", "all.in", "all.constraints.txt"]
    assert pins(files["all.txt"]) == ALL_PINS
    assert files["all.in"].splitlines()[1:] == ["-c all.constraints.txt", "keras==2.3.1", "pandas<2", "pip"]
    assert files["all.constraints.txt"].splitlines()[1:] == ["h5py<3"]


def test_the_pip_that_it_takes() -> None:
    """By the wheels that serve a Python best, where a lock has several."""

    def wheel(tag: str) -> PackageWheel:
        return PackageWheel(url=f"{ADDRESS}/big-1.0-{tag}.whl", hashes={"sha256": "0" * 64})

    big = [wheel("cp36-cp36m-manylinux2010_x86_64"), wheel("cp37-cp37m-manylinux1_x86_64")]
    both = wheel("cp36-cp36m-manylinux_2_17_x86_64.manylinux2014_x86_64")
    other = [both, wheel("cp36-cp36m-win_amd64"), wheel("cp36-cp36m-macosx_11_0_arm64")]

    def needed(*packages: Package) -> tuple[str, list[str]]:
        pylock = Pylock(lock_version=Version("1.0"), created_by="test", packages=list(packages))
        return oldest_pip(Lock(path=LOCK.path, pylock=pylock, promise=None, content=b""))

    def named(name: str, wheels: list[PackageWheel]) -> Package:
        return Package(name=canonicalize_name(name), version=Version("1.0"), wheels=wheels)

    assert oldest_pip(LOCK) == ("8.0", [])
    assert needed(named("big", big)) == ("19.0", ["big"])
    assert needed(named("big", big), named("big", other), named("any", [both, wheel("py3-none-any")])) == (
        "19.3",
        ["big"],
    )
    assert needed() == ("8.0", [])
