"""pip-compile and pip-sync of this environment stand for those that the engine would get from a real index."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.markers import Marker
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import Index, InstallRequest, ResolveRequest
from kerasenv.engines import pip_tools
from kerasenv.engines.pip_tools import PipToolsEngine
from kerasenv.errors import InstallError, InterpreterError, ResolveError
from kerasenv.folders import cache_folder
from kerasenv.interpreters.find import inspect
from kerasenv.platforms import PLATFORMS
from kerasenv.process import Finished
from kerasenv.resolution import Pin
from kerasenv.venv import create_bare_environment, python_in
from tests.engines.builds import build_constraints
from tests.local_index import LocalIndex, Sdist, Wheel
from tests.standard_index import standard_packages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.resolution import Resolution

ENGINE = PipToolsEngine()
PIP = canonicalize_name("pip")


@cache
def here() -> Interpreter:
    return inspect(Path(sys.executable), source="test")


@cache
def real_pip() -> Wheel:
    """Return the pip of this environment as the wheel that it came from, without launchers for Windows."""
    distribution = importlib.metadata.distribution("pip")
    # virtualenv's RECORD names folders of compiled files too
    modules = [
        path
        for path in distribution.files or ()
        if path.parts[0] == "pip" and path.suffix not in {".exe", ".pyc"} and Path(str(path.locate())).is_file()
    ]
    return Wheel(
        name="pip",
        version=distribution.version,
        files={path.as_posix(): path.read_text("utf-8") for path in modules},
        scripts={"pip": "pip._internal.cli.main:main"},
    )


@pytest.fixture(autouse=True)
def _own_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_tools, "tool_environment", lambda *_, **__: Path(sys.executable))


@pytest.fixture
def index(own_index: LocalIndex) -> LocalIndex:
    """Serve a pip that can install, instead of the tiny ones."""
    own_index.remove("pip-*")
    own_index.add(real_pip())
    return own_index


def request_for(index: LocalIndex, /, *requirements: str, **changes: Any) -> ResolveRequest:
    changes["constraints"] = tuple(map(Requirement, changes.get("constraints", ())))
    changes["build_constraints"] = build_constraints(changes.get("build_constraints", ()))
    changes.setdefault("index", Index(url=index.url_with_credentials))
    changes.setdefault("interpreter", here())
    return ResolveRequest(
        requirements=tuple(map(Requirement, requirements)),
        pythons=(here().minor,),
        platforms=tuple(PLATFORMS.values()),
        **changes,
    )


def resolve(index: LocalIndex, /, *requirements: str, **changes: Any) -> Resolution:
    return ENGINE.resolve(request_for(index, *requirements, **changes))


def versions(resolution: Resolution) -> dict[str, str]:
    return {package.name: str(package.version) for package in resolution.packages}


def pin(name: str, version: str, *, marker: str | None = None, hashes: Iterable[str] = ()) -> Pin:
    return Pin(name=canonicalize_name(name), version=Version(version), marker=marker, hashes=frozenset(hashes))


def locked(resolution: Resolution, **changes: Any) -> Pylock:
    """Return a lock of all that was resolved."""
    packages = []
    for package in resolution.packages:
        wheels = [file for file in package.files if file.name.endswith(".whl")]
        sdists = [file for file in package.files if not file.name.endswith(".whl")]
        packages.append(
            Package(
                name=package.name,
                version=package.version,
                marker=Marker(package.marker) if package.marker else None,
                wheels=[PackageWheel(name=one.name, url=one.url, hashes={"sha256": one.sha256}) for one in wheels],
                sdist=next(
                    (PackageSdist(name=one.name, url=one.url, hashes={"sha256": one.sha256}) for one in sdists), None
                ),
            )
        )
    return Pylock(lock_version=Version("1.0"), created_by="test", **({"packages": packages} | changes))


def install(index: LocalIndex, lock: Pylock, folder: Path, /, **changes: Any) -> Path:
    """Install into an environment, which is made if it isn't there; return its Python."""
    if not folder.exists():
        create_bare_environment(here().path, folder)
    changes["build_constraints"] = build_constraints(changes.get("build_constraints", ()))
    changes.setdefault("index", Index(url=index.url_with_credentials))
    ENGINE.install(
        InstallRequest(
            lock=lock,
            environment=folder,
            python=python_in(folder),
            interpreter=here(),
            **changes,
        )
    )
    return python_in(folder)


LIST = """
import importlib.metadata as metadata
for one in metadata.distributions():
    print(one.metadata["Name"].lower(), one.version)
"""


def installed(python: Path) -> dict[str, str]:
    answer = subprocess.run([python, "-c", LIST], capture_output=True, text=True, check=True)
    return dict(line.split() for line in answer.stdout.splitlines())


def test_it_says_what_it_is() -> None:
    assert ENGINE.describe().startswith(ENGINE.name)


def test_a_python_that_is_too_old_is_a_clear_error(index: LocalIndex) -> None:
    old = replace(here(), version=Version("2.6.9"))

    with pytest.raises(InterpreterError, match=r"no pip-tools here for CPython 2\.6"):
        resolve(index, "keras", interpreter=old)


@pytest.mark.parametrize(
    ("python", "release"),
    [
        ("2.7.18", "5.5.0"),
        ("3.6.0", "6.4.0"),
        ("3.7.16", "6.14.0"),
        ("3.8.18", "7.5.2"),
        ("3.9.1", "7.6"),
        ("3.14", "7.6"),
    ],
)
def test_each_python_gets_the_last_release_for_it(python: str, release: str) -> None:
    """As long as these still are: the files are written anew now and then."""
    chosen = pip_tools._release_for(replace(here(), version=Version(python)))  # noqa: SLF001

    assert str(chosen.pin(canonicalize_name("pip-tools")).version).startswith(release)


class TestResolve:
    def test_every_file_of_what_was_chosen_is_named(self, index: LocalIndex) -> None:
        resolution = resolve(index, "tensorflow")

        assert resolution.only_here
        assert versions(resolution) == {
            "h5py": "3.14.0",
            "keras": "3.15.1",
            "libclang": "18.1.1",
            "ml-dtypes": "0.6.0",
            "numpy": "2.0",
            "tensorflow": "2.21.0",
        }
        for package in resolution.packages:
            names = [name for name in index.filenames(package.name) if f"-{package.version}-" in name]
            assert sorted(file.name for file in package.files) == sorted(names)
            for file in package.files:
                assert (file.url, file.sha256) == (index.file_url(file.name), index.sha256(file.name))
            assert package.marker is None

    def test_constraints_bind_what_nobody_asked_for(self, index: LocalIndex) -> None:
        chosen = versions(resolve(index, "tensorflow", "pip", constraints=["keras<3.15", "pandas<2"]))

        assert chosen["keras"] == "3.12.0"
        assert chosen["pip"] == real_pip().version
        assert "pandas" not in chosen

    def test_pins_are_kept_as_long_as_they_fit(self, index: LocalIndex) -> None:
        pins = (
            pin("keras", "3.12.0", hashes=[index.sha256("keras-3.12.0-py2.py3-none-any.whl")]),
            pin("h5py", "2.10.0", marker="python_version < '3'"),
            pin("pandas", "1.0"),
            pin("numpy", "2.0", hashes=["0" * 64]),
        )
        chosen = versions(resolve(index, "keras", "pandas>=2", pins=pins))

        assert chosen == {"keras": "3.12.0", "h5py": "3.14.0", "numpy": "2.0", "pandas": "2.0"}

    def test_markers_and_extras(self, index: LocalIndex) -> None:
        wanted = [
            "keras[none] ; python_version >= '3'",
            "pandas ; python_version < '3'",
            f"jax ; sys_platform == '{sys.platform}'",
        ]

        resolution = resolve(index, *wanted)

        assert set(versions(resolution)) == {"keras", "h5py", "numpy", "jax"}
        assert not any(package.marker for package in resolution.packages), "it is only here"

    def test_a_source_distribution_is_built_with_what_the_build_constraints_say(self, index: LocalIndex) -> None:
        """They say nothing of what is installed: there, tiny-build may be new."""
        with pytest.raises(ResolveError, match="could not resolve") as caught:
            resolve(index, "antique")
        chosen = versions(resolve(index, "antique", "tiny-build>1", build_constraints=["tiny-build<2"]))

        assert "antique" in " ".join(caught.value.looked_at)
        assert chosen == {"antique": "1.0", "tiny-build": "2.0"}

    def test_a_conflict_is_explained_in_pips_words(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="can't be met together") as caught:
            resolve(index, "tensorflow", "keras<3", index=Index(url=index.url, source="--index-url"))

        said = "\n".join(caught.value.looked_at)
        assert caught.value.looked_at[0] == "--index-url"
        assert "tensorflow 2.21.0 depends on keras>=3.12" in said
        assert "Traceback" not in said

    def test_the_configuration_of_the_machine_is_none_of_its_business(
        self, index: LocalIndex, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Extra indexes and folders of wheels would leak into a lock."""
        newer = Wheel(name="keras", version="9.0")
        (home / newer.filename).write_bytes(newer.build())
        (home / ".config" / "pip").mkdir(parents=True)
        (home / ".config" / "pip" / "pip.conf").write_text(f"[global]\nfind-links = {home}\n")
        monkeypatch.delenv("PIP_CONFIG_FILE")
        monkeypatch.setenv("PIP_FIND_LINKS", str(home))
        monkeypatch.setenv("PIP_PRE", "1")
        monkeypatch.setenv("PIP_CONSTRAINT", str(home / "none"))
        with LocalIndex() as other:
            other.add(newer)
            monkeypatch.setenv("PIP_EXTRA_INDEX_URL", other.url)
            monkeypatch.setenv("PIP_INDEX_URL", other.url)
            (home / "pyproject.toml").write_text("[tool.pip-tools]\nupgrade-package = ['no such thing']\n")
            monkeypatch.chdir(home)

            chosen = versions(resolve(index, "keras"))

            assert not other.requests
        assert chosen["keras"] == "3.15.1"

    def test_credentials_are_used_and_told_nobody(self, index: LocalIndex) -> None:
        with LocalIndex(credentials=("user", "s3cret")) as private:
            private.add(*standard_packages())
            resolution = resolve(private, "keras")
            with pytest.raises(ResolveError) as caught:
                resolve(private, "keras", "no-such-project")

        assert versions(resolution)["keras"] == "3.15.1"
        assert "s3cret" not in repr(resolution)
        assert "no-such-project" in " ".join(caught.value.looked_at)
        assert "s3cret" not in " ".join(caught.value.looked_at)
        assert not index.requests

    def test_what_comes_from_no_index_can_not_be_locked(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="tiny comes from no index") as caught:
            resolve(index, "tiny @ https://user:s3cret@example.org/tiny.zip")

        assert caught.value.looked_at == ("tiny @ https://example.org/tiny.zip",)

    def test_there_is_no_offline(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="offline") as caught:
            resolve(index, "keras", index=Index(url=index.url, offline=True))

        assert "--engine uv" in caught.value.hints[0]


class TestExactlyPins:
    @pytest.fixture(autouse=True)
    def _no_tools(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unexpected(*_: object, **__: object) -> None:
            pytest.fail("pip-compile has nothing to do where the pins are the answer")

        monkeypatch.setattr(pip_tools, "tool_environment", unexpected)

    def test_they_are_the_answer_for_every_machine_they_are_for(self, index: LocalIndex) -> None:
        pins = (pin("keras", "3.12.0"), pin("numpy", "1.0", marker="python_version < '3.10'"), pin("numpy", "2.0"))

        resolution = resolve(index, "tensorflow", pins=pins, exactly_pins=True)

        assert not resolution.only_here
        assert [(one.name, str(one.version), one.marker) for one in resolution.packages] == [
            ("keras", "3.12.0", None),
            ("numpy", "1.0", "python_version < '3.10'"),
            ("numpy", "2.0", None),
        ]
        assert sorted(index.pages) == ["keras", "numpy"]

    def test_only_files_with_a_known_hash_are_taken(self, index: LocalIndex) -> None:
        name = index.filenames("libclang")[1]
        pins = (pin("libclang", "18.1.1", hashes=[index.sha256(name), "0" * 64]),)

        (package,) = resolve(index, pins=pins, exactly_pins=True).packages

        assert [file.name for file in package.files] == [name]

    def test_other_files_of_the_same_version_are_an_error(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match=r"other files of keras 3\.12\.0") as caught:
            resolve(index, pins=(pin("keras", "3.12.0", hashes=["0" * 64]),), exactly_pins=True)

        assert "mirror" in caught.value.hints[0]

    def test_a_version_that_is_gone_is_an_error(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match=r"no longer has keras 3\.13\.0"):
            resolve(index, pins=(pin("keras", "3.13.0"),), exactly_pins=True)

    def test_an_index_without_hashes_is_an_error(self) -> None:
        with LocalIndex(hashes=False) as index:
            index.add(Wheel(name="keras", version="1.0"))
            with pytest.raises(ResolveError, match=r"no sha256 of the files of keras 1\.0"):
                resolve(index, pins=(pin("keras", "1.0"),), exactly_pins=True)

    def test_a_withdrawn_version_is_still_there(self, index: LocalIndex) -> None:
        """Yanked means: only for those who pin it."""
        assert resolve(index, pins=(pin("keras", "3.99.0"),), exactly_pins=True).packages


class TestInstall:
    def lock(self, index: LocalIndex, *pins: Pin, **changes: Any) -> Pylock:
        return locked(resolve(index, pins=pins, exactly_pins=True), **changes)

    def test_it_holds_just_what_the_lock_names(self, index: LocalIndex, tmp_path: Path) -> None:
        pins = [pin("keras", "3.12.0"), pin("numpy", "2.0"), pin(PIP, real_pip().version)]
        elsewhere = pin("numpy", "1.0", marker="python_version < '3.10'")
        first = self.lock(index, *pins, elsewhere, pin("pandas", "2.0"))
        second = self.lock(index, *pins[1:], elsewhere, pin("keras", "3.15.1"))

        python = install(index, first, tmp_path / "env")
        before = installed(python)
        install(index, second, tmp_path / "env")

        assert before == {"keras": "3.12.0", "numpy": "2.0", "pandas": "2.0", "pip": real_pip().version}
        assert installed(python) == {"keras": "3.15.1", "numpy": "2.0", "pip": real_pip().version}
        assert not list(tmp_path.rglob("direct_url.json")), "it would tell where things lay for a moment"
        assert not list(tmp_path.rglob("*.pyc"))
        answer = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
        assert str(tmp_path / "env") in answer.stdout

    def test_a_pip_that_the_lock_does_not_name_is_gone_in_the_end(
        self, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = pin(PIP, real_pip().version, hashes=[index.sha256(real_pip().filename)])
        monkeypatch.setattr(pip_tools._Release, "pin", lambda *_: own)  # noqa: SLF001

        python = install(index, self.lock(index, pin("jax", "0.12.0")), tmp_path / "env")

        assert installed(python) == {"jax": "0.12.0"}
        assert not list(python.parent.glob("pip*"))

    def test_a_source_distribution_is_built_with_what_the_build_constraints_say(
        self, index: LocalIndex, tmp_path: Path
    ) -> None:
        """Even if the lock itself has a newer one of the same tools, with which it could not be built."""
        lock = self.lock(index, pin("antique", "1.0"), pin("tiny-build", "2.0"), pin(PIP, real_pip().version))

        python = install(index, lock, tmp_path / "env", build_constraints=["tiny-build<2"])

        assert installed(python) == {"antique": "1.0", "tiny-build": "2.0", "pip": real_pip().version}

    def test_what_builds_is_verified(self, index: LocalIndex, tmp_path: Path) -> None:
        """Even if the lock itself has a newer one of the same tools."""
        lock = self.lock(index, pin("antique", "1.0"), pin("tiny-build", "2.0"), pin(PIP, real_pip().version))
        known = index.sha256("tiny_build-1.0-py2.py3-none-any.whl")

        python = install(index, lock, tmp_path / "env", build_constraints=[f"tiny-build==1.0 {known}"])

        assert installed(python) == {"antique": "1.0", "tiny-build": "2.0", "pip": real_pip().version}

    def test_what_builds_and_is_another_file_is_refused(self, index: LocalIndex, tmp_path: Path) -> None:
        lock = self.lock(index, pin("antique", "1.0"), pin(PIP, real_pip().version))

        with pytest.raises(InstallError, match="not the one that the lock names: its sha256 differs") as caught:
            install(index, lock, tmp_path / "env", build_constraints=[f"tiny-build==1.0 {64 * 'a'}"])

        assert any("tiny-build" in line for line in caught.value.looked_at)

    def test_what_builds_and_is_not_known_is_refused(self, index: LocalIndex, tmp_path: Path) -> None:
        lock = self.lock(index, pin("antique", "1.0"), pin(PIP, real_pip().version))
        known = index.sha256("numpy-2.0-py2.py3-none-any.whl")

        with pytest.raises(InstallError, match="tiny-build is needed, and the lock has no sha256 of it"):
            install(index, lock, tmp_path / "env", build_constraints=[f"numpy==2.0 {known}"])

    def test_a_source_distribution_that_is_another_one_is_refused(self, index: LocalIndex, tmp_path: Path) -> None:
        lock = self.lock(index, pin("antique", "1.0"), pin(PIP, real_pip().version))
        known = index.sha256("tiny_build-1.0-py2.py3-none-any.whl")
        index.add(Sdist(name="antique", version="1.0", files={"antique.py": "stolen = True"}, build_requires=("x",)))

        with pytest.raises(InstallError, match="no file of antique with the sha256 that the lock names"):
            install(index, lock, tmp_path / "env", build_constraints=[f"tiny-build==1.0 {known}"])

    def test_where_there_is_a_wheel_nothing_is_built(self, index: LocalIndex, tmp_path: Path) -> None:
        """A lock names a source distribution for other machines."""
        index.add(Wheel(name="antique", version="1.0", files={"antique.py": "a_wheel = True"}))
        lock = self.lock(index, pin("antique", "1.0"), pin(PIP, real_pip().version))

        python = install(index, lock, tmp_path / "env", build_constraints=[f"tiny-build==1.0 {64 * 'a'}"])

        assert installed(python) == {"antique": "1.0", "pip": real_pip().version}

    def test_a_file_that_is_another_one_is_refused(self, index: LocalIndex, tmp_path: Path) -> None:
        lock = self.lock(index, pin("jax", "0.12.0"), pin(PIP, real_pip().version))
        index.add(Wheel(name="jax", version="0.12.0", files={"jax.py": "stolen = True"}))

        with pytest.raises(InstallError, match="its sha256 differs") as caught:
            install(index, lock, tmp_path / "env")

        assert "Don't install it" in caught.value.hints[0]
        assert "jax" not in installed(python_in(tmp_path / "env"))

    def test_a_lock_for_another_machine_is_refused(self, index: LocalIndex, tmp_path: Path) -> None:
        lock = self.lock(index, pin("jax", "0.12.0"), environments=[Marker("python_version == '3.6'")])

        with pytest.raises(InstallError, match="not for CPython"):
            install(index, lock, tmp_path / "env")

    def test_a_lock_without_hashes_is_refused(self, index: LocalIndex, tmp_path: Path) -> None:
        package = Package(
            name=canonicalize_name("jax"),
            version=Version("0.12.0"),
            wheels=[PackageWheel(name="jax-0.12.0-py3-none-any.whl", url="https://example.org/", hashes={"md5": "0"})],
        )

        with pytest.raises(InstallError, match="no version of jax with the sha256"):
            install(index, self.lock(index, packages=[package]), tmp_path / "env")

    def test_there_is_no_offline(self, index: LocalIndex, tmp_path: Path) -> None:
        with pytest.raises(InstallError, match="offline"):
            install(index, self.lock(index), tmp_path / "env", index=Index(url=index.url, offline=True))


def test_what_is_for_the_network_reaches_pip_and_what_could_change_a_choice_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = {"PIP_CERT": "ca.pem", "PIP_PROXY": "http://proxy", "HTTPS_PROXY": "http://proxy", "SSL_CERT_FILE": "ca.pem"}
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_TARGET", "PIP_USER", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "/anywhere")

    environ = pip_tools._environ(Index(url="https://user:secret@example.org/simple"))  # noqa: SLF001

    assert environ.items() >= kept.items()
    assert not environ.keys() & {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_TARGET", "PYTHONPATH", "VIRTUAL_ENV"}
    assert environ["PIP_CONFIG_FILE"] == os.devnull
    assert environ["PIP_CACHE_DIR"] == str(cache_folder() / "pip")
    assert environ["PIP_INDEX_URL"] == "https://user:secret@example.org/simple"
    assert "PIP_INDEX_URL" not in pip_tools._environ(Index())  # noqa: SLF001
    assert pip_tools._environ(Index(), build_constraints=tmp_path / "a b.txt")["PIP_CONSTRAINT"].endswith("a%20b.txt")  # noqa: SLF001


# What the releases for old Pythons say, which have a resolver of their own
LEGACY_CONFLICT = """\
Using indexes:
  https://user:s3cret@example.org/simple

                          ROUND 2
Finding the best candidates:
  found candidate keras==2.3.1 (constraint was >=2.1.6,==2.3.1)
Could not find a version that matches keras-applications<1.0.6,>=1.0.6 (from -r requirements.in (line 2))
Tried: 1.0.5, 1.0.6, 1.0.7, 1.0.8
There are incompatible versions in the resolved dependencies:
  keras-applications<1.0.6 (from -r requirements.in (line 2))
  keras-applications>=1.0.6 (from keras==2.3.1->-r requirements.in (line 3))
"""
BROKEN_BUILD = """\
  error: subprocess-exited-with-error
  x Preparing metadata (pyproject.toml) did not run successfully.
  -> [2 lines of output]
      Traceback (most recent call last):
      NameError: name 'CCompiler' is not defined
      [end of output]
Traceback (most recent call last):
  File "piptools/__main__.py", line 19, in <module>
pip._internal.exceptions.FailedToPrepareCandidate: Failed to build 'numpy' when getting requirements to build wheel
"""
BROKEN_TOOL = """\
Traceback (most recent call last):
  File "piptools/__main__.py", line 19, in <module>
ImportError: cannot import name 'DEV_PKGS'
"""


def explained(stderr: str, stdout: str = "") -> list[str]:
    return pip_tools._explanation(Finished(command=(), returncode=1, stdout=stdout, stderr=stderr))  # noqa: SLF001


def test_an_explanation_begins_where_it_went_wrong() -> None:
    assert explained(LEGACY_CONFLICT) == [
        "Could not find a version that matches keras-applications<1.0.6,>=1.0.6 (from -r requirements.in (line 2))",
        "Tried: 1.0.5, 1.0.6, 1.0.7, 1.0.8",
        "There are incompatible versions in the resolved dependencies:",
        "keras-applications<1.0.6 (from -r requirements.in (line 2))",
        "keras-applications>=1.0.6 (from keras==2.3.1->-r requirements.in (line 3))",
    ]


def test_the_traceback_of_a_build_is_kept_and_that_of_the_tool_is_not() -> None:
    lines = explained(BROKEN_BUILD, "  Collecting keras\n  Collecting numpy<1.9.1\n    Downloading numpy-1.9.0.zip\n")

    assert "NameError: name 'CCompiler' is not defined" in lines
    assert "piptools/__main__.py" not in " ".join(lines)
    assert lines[0] == "Collecting numpy<1.9.1"


def test_a_tool_that_breaks_says_so() -> None:
    assert explained(BROKEN_TOOL) == ["ImportError: cannot import name 'DEV_PKGS'"]
