"""The uv that is installed with kerasenv, against an index on this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from packaging.markers import Marker
from packaging.pylock import Package, PackageWheel, Pylock
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import Index, InstallRequest, ResolveRequest
from kerasenv.engines.uv import UvEngine
from kerasenv.errors import InstallError, ResolveError
from kerasenv.interpreters.find import inspect
from kerasenv.lock.cells import grid
from kerasenv.platforms import PLATFORMS
from kerasenv.resolution import Pin
from kerasenv.venv import create_bare_environment
from tests.conftest import NOWHERE
from tests.engines.builds import SIGNING_BUILD, antique_lock, build_constraints
from tests.local_index import LocalIndex, Sdist, Wheel, sources
from tests.standard_index import standard_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kerasenv.errors import KerasenvError
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.resolution import Resolution
    from kerasenv.venv import BareEnvironment

ENGINE = UvEngine()
LEGACY, MODERN = ("3.6", "3.7"), ("3.10", "3.11", "3.12", "3.13")


@cache
def here() -> Interpreter:
    return inspect(Path(sys.executable), source="test")


def resolve(served: LocalIndex, /, *requirements: str, pythons: tuple[str, ...] = MODERN, **changes: Any) -> Resolution:
    changes["constraints"] = tuple(map(Requirement, changes.get("constraints", ())))
    changes["build_constraints"] = build_constraints(changes.get("build_constraints", ()))
    request = ResolveRequest(
        requirements=tuple(map(Requirement, requirements)),
        pythons=pythons,
        platforms=tuple(PLATFORMS.values()),
        interpreter=here(),
        **({"index": Index(url=served.url_with_credentials)} | changes),
    )
    return ENGINE.resolve(request)


def versions(resolution: Resolution) -> list[str]:
    return [f"{package.name} {package.version}" for package in resolution.packages]


def markers(resolution: Resolution) -> dict[str, str | None]:
    return {f"{package.name} {package.version}": package.marker for package in resolution.packages}


def pin(name: str, version: str, marker: str | None = None, *, hashes: Iterable[str] = ()) -> Pin:
    return Pin(name=canonicalize_name(name), version=Version(version), marker=marker, hashes=frozenset(hashes))


def said(error: KerasenvError) -> str:
    return "\n".join((error.message, *error.looked_at, *error.hints))


def test_it_says_its_version() -> None:
    name, version = ENGINE.describe().split()

    assert name == "uv"
    assert Version(version) >= Version("0.9")


class TestResolve:
    def test_for_every_python_and_platform_at_once(self, index: LocalIndex) -> None:
        resolution = resolve(index, "tensorflow", "pip")

        assert not resolution.only_here
        assert versions(resolution) == [
            "h5py 3.14.0",
            "keras 3.15.1",
            "libclang 18.1.1",
            "ml-dtypes 0.6.0",
            "numpy 2.0",
            "pip 26.0",
            "tensorflow 2.21.0",
        ]
        (compiled,) = (package for package in resolution.packages if package.name == "ml-dtypes")
        assert sorted(file.name for file in compiled.files) == sorted(index.filenames("ml-dtypes"))
        for package in resolution.packages:
            for file in package.files:
                assert (file.url, file.sha256) == (index.file_url(file.name), index.sha256(file.name))
                assert file.size
                assert file.upload_time

    def test_it_downloads_nothing_that_has_metadata_beside_it(self, index: LocalIndex) -> None:
        resolve(index, "tensorflow")

        assert index.downloads == []

    def test_markers_say_what_is_needed_where(self, index: LocalIndex) -> None:
        found = markers(resolve(index, "tensorflow[and-cuda] ; sys_platform == 'linux'", "jax"))

        assert found["nvidia-cudnn 9.0"] == 'python_full_version < "3.14" and sys_platform == "linux"'
        assert found["jax 0.12.0"] == 'python_full_version < "3.14"'

    def test_each_python_has_what_it_can_run(self, index: LocalIndex) -> None:
        assert markers(resolve(index, "pip", pythons=("3.6", "3.7", "3.8"))) == {
            "pip 21.3.1": 'python_full_version == "3.6.*"',
            "pip 24.0": 'python_full_version == "3.7.*"',
            "pip 25.0.1": 'python_full_version == "3.8.*"',
        }

    def test_no_python_beyond_those_that_are_asked_for(self, index: LocalIndex) -> None:
        """uv knows a lower bound alone; it would look for a TensorFlow 1.15 that runs on 3.8, and find none."""
        found = resolve(index, "tensorflow<2", "keras==2.3.1", pythons=LEGACY)

        assert "tensorflow 1.15.0" in versions(found)
        assert all(marker and 'python_full_version < "3.8"' in marker for marker in markers(found).values())

    def test_a_requirements_own_marker_stays(self, index: LocalIndex) -> None:
        """Its `or` must not swallow the bound that is added to it."""
        found = markers(resolve(index, "pandas ; sys_platform == 'win32' or python_version < '3.11'"))["pandas 2.0"]
        cells = grid((*MODERN, "3.14"), [PLATFORMS["linux-x86_64"], PLATFORMS["windows-x86_64"]])

        assert [(cell.python, cell.platform.sys_platform) for cell in cells if cell.holds(found)] == [
            ("3.10", "linux"),
            *[(python, "win32") for python in MODERN],
        ]

    def test_constraints_bind_what_nobody_asked_for(self, index: LocalIndex) -> None:
        found = versions(resolve(index, "tensorflow", constraints=["keras<3.15", "pandas<2"]))

        assert "keras 3.12.0" in found
        assert "pandas 1.0" not in found

    def test_what_was_withdrawn_is_not_chosen(self, index: LocalIndex) -> None:
        assert "keras 3.15.1" in versions(resolve(index, "keras"))

    def test_a_source_distribution_is_built_with_what_the_build_constraints_say(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="could not resolve") as caught:
            resolve(index, "antique")
        assert "tiny_build 2 builds nothing that was made for tiny_build 1" in said(caught.value)

        (antique,) = resolve(index, "antique", build_constraints=["tiny-build<2"]).packages
        assert [file.name for file in antique.files] == ["antique-1.0.tar.gz"]

    def test_nothing_of_pythonpath_gets_into_a_build(
        self, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It comes before a build's own packages: a backend of the same name would take its place."""
        (tmp_path / "tiny_build.py").write_text("raise SystemExit('from PYTHONPATH')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

        assert versions(resolve(index, "antique", build_constraints=["tiny-build<2"])) == ["antique 1.0"]

    @pytest.mark.parametrize(("html_only", "hashes"), [(True, True), (False, False), (True, False)])
    def test_an_index_of_the_old_kind(self, *, html_only: bool, hashes: bool) -> None:
        """One that gives no hashes is asked for the files."""
        with LocalIndex(html_only=html_only, hashes=hashes) as index:
            index.add(Wheel(name="keras", version="1.0"), Sdist(name="keras", version="1.0"))
            (keras,) = resolve(index, "keras").packages

            assert {file.name: file.sha256 for file in keras.files} == {
                name: index.sha256(name) for name in index.filenames("keras")
            }


class TestPins:
    def test_they_are_kept_as_long_as_they_fit(self, index: LocalIndex) -> None:
        pins = (pin("keras", "3.12.0"), pin("h5py", "2.10.0", "python_version < '3.14'"), pin("pandas", "1.0"))

        assert versions(resolve(index, "keras", pins=pins)) == ["h5py 2.10.0", "keras 3.12.0", "numpy 2.0"]

    def test_one_that_does_not_fit_is_no_obstacle(self, index: LocalIndex) -> None:
        pins = (pin("keras", "3.12.0"), pin("h5py", "9.9"))

        assert versions(resolve(index, "keras>=3.13", pins=pins)) == ["h5py 3.14.0", "keras 3.15.1", "numpy 2.0"]

    def test_as_the_answer_they_are_only_looked_up(self, index: LocalIndex) -> None:
        """Nothing is added, even if it would be needed, and nothing is asked of other projects."""
        pins = (pin("keras", "3.12.0"), pin("pip", "24.0", "sys_platform == 'linux'"))
        resolution = resolve(index, "keras", "jax", pins=pins, exactly_pins=True)

        assert markers(resolution) == {"keras 3.12.0": None, "pip 24.0": 'sys_platform == "linux"'}
        assert set(index.pages) == {"keras", "pip"}
        assert index.downloads == []

    def test_as_the_answer_a_name_can_have_several_versions(self, index: LocalIndex) -> None:
        pins = (pin("pip", "21.3.1", "python_version == '3.6'"), pin("pip", "24.0", "python_version == '3.7'"))

        assert markers(resolve(index, pins=pins, exactly_pins=True, pythons=LEGACY)) == {
            "pip 21.3.1": 'python_full_version == "3.6.*"',
            "pip 24.0": 'python_full_version == "3.7.*"',
        }

    def test_as_the_answer_one_may_have_been_withdrawn_since(self, index: LocalIndex) -> None:
        """A lock stays what it is."""
        assert versions(resolve(index, pins=(pin("keras", "3.99.0"),), exactly_pins=True)) == ["keras 3.99.0"]

    def test_as_the_answer_one_that_is_gone_is_an_error(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="not from this index") as caught:
            resolve(index, pins=(pin("keras", "3.13.0"),), exactly_pins=True)

        assert "keras==3.13.0" in said(caught.value)


class TestNoAnswer:
    def test_a_conflict_is_explained_in_uvs_words(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="can't be met together") as caught:
            resolve(index, "tensorflow>=2", "pandas<2", index=Index(url=index.url, source="--index-url"))

        assert caught.value.looked_at[0] == "--index-url"
        assert "pandas" in said(caught.value)
        assert "numpy" in said(caught.value)

    def test_a_project_that_the_index_does_not_have(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError, match="not from this index") as caught:
            resolve(index, "tensorflwo")

        assert "tensorflwo" in said(caught.value)

    def test_offline_says_that_it_may_be_that(self, index: LocalIndex) -> None:
        with pytest.raises(ResolveError) as caught:
            resolve(index, "jax", index=Index(url=index.url, source="--index-url", offline=True))

        assert caught.value.looked_at[0] == "--index-url (offline)"
        assert any("--offline" in hint for hint in caught.value.hints)
        assert index.requests == []

    def test_offline_with_what_was_downloaded_before(self, index: LocalIndex) -> None:
        online = resolve(index, "keras")
        index.forget()

        offline = resolve(index, "keras", index=Index(url=index.url, offline=True))
        # For which Pythons a version is, only the index knows
        unknown = [replace(package, requires_python=None) for package in online.packages]
        assert list(offline.packages) == unknown
        assert index.requests == []

    @pytest.mark.parametrize(
        "url",
        [
            NOWHERE.replace("://", "://somebody:s3cret@") + "/simple/",
            "http://somebody:s3cret@127.0.0.1:{port}/simple/",
            "http://s3cret@127.0.0.1:{port}/simple/",
        ],
        ids=["not reached", "refused", "a token"],
    )
    def test_credentials_are_in_no_error(self, url: str) -> None:
        with LocalIndex(credentials=("somebody", "other")) as index:
            standard_index(index)
            with pytest.raises(ResolveError) as caught:
                resolve(index, "keras", index=Index(url=url.format(port=index.port), source="--index-url"))

        assert "s3cret" not in said(caught.value)
        assert "127.0.0.1" in said(caught.value)


def test_credentials_open_an_index_and_are_in_no_address(tmp_path: Path) -> None:
    with LocalIndex(credentials=("some@body", "p:ss/word")) as index:
        standard_index(index)
        resolution = resolve(index, "keras")
        environment = create_bare_environment(here().path, tmp_path / "env")
        install(index, lock(index, "jax-0.12.0-py2.py3-none-any.whl"), environment)

        assert "keras 3.15.1" in versions(resolution)
        for package in resolution.packages:
            for file in package.files:
                assert file.url == index.file_url(file.name)
        assert installed(environment) == {"jax": "0.12.0"}


class TestTheMachine:
    """What is configured here is no business of a lock that goes elsewhere."""

    @pytest.fixture
    def other(self, index: LocalIndex) -> Iterable[LocalIndex]:  # noqa: ARG002  # that one is the right one
        """Serve a newer Keras, which no test may get."""
        with LocalIndex() as other:
            other.add(Wheel(name="keras", version="9.0"))
            yield other
            assert other.requests == []

    def check(self, index: LocalIndex) -> None:
        assert versions(resolve(index, "keras")) == ["h5py 3.14.0", "keras 3.15.1", "numpy 2.0"]

    @pytest.mark.parametrize(
        "name",
        [
            "PIP_EXTRA_INDEX_URL",
            "PIP_INDEX_URL",
            "UV_DEFAULT_INDEX",
            "UV_EXTRA_INDEX_URL",
            "UV_INDEX",
            "UV_INDEX_URL",
        ],
    )
    def test_another_index_in_a_variable(
        self, name: str, index: LocalIndex, other: LocalIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, other.url)

        self.check(index)

    @pytest.mark.parametrize("name", ["PIP_FIND_LINKS", "UV_FIND_LINKS"])
    def test_a_folder_of_wheels_in_a_variable(
        self, name: str, index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        newer = Wheel(name="keras", version="9.0")
        (tmp_path / newer.filename).write_bytes(newer.build())
        monkeypatch.setenv(name, str(tmp_path))

        self.check(index)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("UV_CONSTRAINT", "constraints.txt"),
            ("UV_OVERRIDE", "constraints.txt"),
            ("UV_EXCLUDE", "excluded.txt"),
            ("UV_EXCLUDE_NEWER", "2025-01-01T00:00:00Z"),
            ("UV_RESOLUTION", "lowest"),
            ("UV_PRERELEASE", "allow"),
            ("UV_NO_BINARY", "1"),
            ("UV_NO_INDEX", "1"),
            ("UV_OFFLINE", "1"),
            ("UV_PYTHON", "3.9"),
            ("UV_FORK_STRATEGY", "fewest"),
            ("UV_CONFIG_FILE", "uv.toml"),
            ("PIP_CONSTRAINT", "constraints.txt"),
            ("PIP_PRE", "1"),
        ],
    )
    def test_a_variable_that_would_choose_otherwise(
        self, name: str, value: str, own_index: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own_index.add(Wheel(name="keras", version="4.0rc1"))
        (tmp_path / "constraints.txt").write_text("keras<3\n")
        (tmp_path / "excluded.txt").write_text("numpy\n")
        (tmp_path / "uv.toml").write_text('resolution = "lowest"\n')
        monkeypatch.setenv(name, str(tmp_path / value) if value.endswith((".txt", ".toml")) else value)

        self.check(own_index)

    @pytest.mark.parametrize("place", [".config/uv/uv.toml", "project/uv.toml", "project/pyproject.toml"])
    def test_a_configuration_of_the_user_or_of_the_project(
        self, place: str, home: Path, index: LocalIndex, other: LocalIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The temporary folder lies in the project here: uv looks at every folder above the one it stands in."""
        path, temporary = home / place, home / "project" / "tmp"
        temporary.mkdir(parents=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "tool.uv." if path.name == "pyproject.toml" else ""
        path.write_text(f'[[{head}index]]\nurl = "{other.url}"\ndefault = true\n')
        monkeypatch.delenv("UV_NO_CONFIG")
        monkeypatch.chdir(home / "project")
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))

        self.check(index)
        assert list(temporary.iterdir()) == []


# Installing


def lock(index: LocalIndex, *filenames: str, **changes: Any) -> Pylock:
    """Return a lock that names files of the index."""
    packages = []
    for filename in filenames:
        name, version, *_ = filename.split("-")
        wheel = PackageWheel(name=filename, url=index.file_url(filename), hashes={"sha256": index.sha256(filename)})
        at = index.url.rstrip("/")
        packages.append(Package(name=canonicalize_name(name), version=Version(version), index=at, wheels=[wheel]))
    return Pylock(lock_version=Version("1.0"), created_by="test", **({"packages": packages} | changes))


def install(served: LocalIndex, pylock: Pylock, environment: BareEnvironment, /, **changes: Any) -> None:
    changes["build_constraints"] = build_constraints(changes.get("build_constraints", ()))
    request = InstallRequest(
        lock=pylock,
        environment=environment.folder,
        python=environment.python,
        interpreter=here(),
        **({"index": Index(url=served.url_with_credentials)} | changes),
    )
    ENGINE.install(request)


LIST = """
import importlib.metadata as metadata
for one in metadata.distributions():
    print(one.metadata["Name"].lower(), one.version)
"""


def installed(environment: BareEnvironment) -> dict[str, str]:
    answer = subprocess.run([environment.python, "-c", LIST], capture_output=True, text=True, check=True)
    return dict(line.split() for line in answer.stdout.splitlines())


@pytest.fixture
def bare(tmp_path: Path) -> BareEnvironment:
    """Return an environment with nothing in it."""
    return create_bare_environment(here().path, tmp_path / "an environment")


KERAS, NUMPY, JAX = (f"{name}-py2.py3-none-any.whl" for name in ("keras-3.12.0", "numpy-2.0", "jax-0.12.0"))


class TestInstall:
    def test_just_what_the_lock_names(self, index: LocalIndex, bare: BareEnvironment) -> None:
        """Neither what it would need besides, nor what was there before."""
        install(index, lock(index, JAX, NUMPY), bare)
        assert installed(bare) == {"jax": "0.12.0", "numpy": "2.0"}

        index.forget()
        install(index, lock(index, KERAS, NUMPY), bare)
        assert installed(bare) == {"keras": "3.12.0", "numpy": "2.0"}
        assert index.pages == [], "a lock says where its files are"
        assert index.downloads == [KERAS]

    def test_only_what_is_for_this_machine(self, index: LocalIndex, bare: BareEnvironment) -> None:
        pylock = lock(index, KERAS, JAX)
        packages = [
            replace(one, marker=Marker("sys_platform == 'plan9'")) if one.name == "jax" else one
            for one in pylock.packages
        ]
        install(index, replace(pylock, packages=packages), bare)

        assert installed(bare) == {"keras": "3.12.0"}

    def test_a_source_distribution_is_built_with_what_the_build_constraints_say(
        self, index: LocalIndex, bare: BareEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And not with what PYTHONPATH offers."""
        (tmp_path / "tiny_build.py").write_text("raise SystemExit('from PYTHONPATH')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        (antique,) = resolve(index, "antique", build_constraints=["tiny-build<2"]).packages
        (source,) = antique.files
        text = (
            "lock-version = '1.0'\ncreated-by = 'test'\n"
            f"[[packages]]\nname = 'antique'\nversion = '1.0'\n"
            f"sdist = {{name = '{source.name}', url = '{source.url}', hashes = {{sha256 = '{source.sha256}'}}}}\n"
        )
        install(index, Pylock.from_dict(tomli.loads(text)), bare, build_constraints=["tiny-build<2"])

        monkeypatch.delenv("PYTHONPATH")
        assert installed(bare) == {"antique": "1.0"}

    def test_what_builds_is_verified(self, own_index: LocalIndex, bare: BareEnvironment) -> None:
        known = own_index.sha256("tiny_build-1.0-py2.py3-none-any.whl")

        install(own_index, antique_lock(own_index), bare, build_constraints=[f"tiny-build==1.0 {known}"])

        assert installed(bare) == {"antique": "1.0"}

    def test_what_builds_and_is_another_file_is_refused(self, own_index: LocalIndex, bare: BareEnvironment) -> None:
        with pytest.raises(InstallError, match="not the one that the lock names: its sha256 differs") as caught:
            install(own_index, antique_lock(own_index), bare, build_constraints=[f"tiny-build==1.0 {64 * 'a'}"])

        assert any("tiny-build" in line for line in caught.value.looked_at)
        assert installed(bare) == {}

    def test_what_builds_and_is_not_known_is_refused(self, own_index: LocalIndex, bare: BareEnvironment) -> None:
        known = own_index.sha256("numpy-2.0-py2.py3-none-any.whl")

        with pytest.raises(InstallError, match="tiny-build is needed, and the lock has no sha256 of it"):
            install(own_index, antique_lock(own_index), bare, build_constraints=[f"numpy==2.0 {known}"])

    def test_what_something_else_built_is_not_taken_from_the_cache(self, own_index: LocalIndex, tmp_path: Path) -> None:
        """uv itself would take it: to it, a source distribution has been built or it hasn't."""
        own_index.add(Wheel(name="tiny-build", version="1.5", files=SIGNING_BUILD))
        for version in ("1.0", "1.5"):
            folder = tmp_path / version
            known = own_index.sha256(f"tiny_build-{version}-py2.py3-none-any.whl")
            environment = create_bare_environment(here().path, folder)

            install(
                own_index, antique_lock(own_index), environment, build_constraints=[f"tiny-build=={version} {known}"]
            )

            assert (environment.site_packages / "signed.txt").exists() == (version == "1.5")

    @pytest.mark.parametrize(
        ("changed", "differing"),
        [
            (Wheel(name="keras", version="3.12.0", files={"keras.py": "evil = 1"}), "sha256"),
            (Wheel(name="keras", version="3.12.0", files=sources("keras")), "sha256"),
        ],
        ids=["another", "another of the same modules"],
    )
    def test_a_file_that_is_not_the_one_of_the_lock_is_refused(
        self, changed: Wheel, differing: str, own_index: LocalIndex, bare: BareEnvironment
    ) -> None:
        install(own_index, lock(own_index, NUMPY), bare)
        pylock = lock(own_index, KERAS, NUMPY)
        own_index.add(changed)

        with pytest.raises(InstallError, match=f"not the one that the lock names: its {differing} differs") as caught:
            install(own_index, pylock, bare)
        assert "Don't install it" in caught.value.hints[0]
        assert installed(bare) == {"numpy": "2.0"}

    def test_a_file_of_another_size_is_refused(self, own_index: LocalIndex, bare: BareEnvironment) -> None:
        pylock = lock(own_index, KERAS)
        packages = [
            replace(one, wheels=[replace(wheel, size=9) for wheel in one.wheels or ()]) for one in pylock.packages
        ]

        with pytest.raises(InstallError, match="its size differs"):
            install(own_index, replace(pylock, packages=packages), bare)

    def test_a_file_without_a_hash_is_refused(self, index: LocalIndex, bare: BareEnvironment) -> None:
        pylock = lock(index, KERAS)
        wheel = PackageWheel(name=KERAS, url=index.file_url(KERAS), hashes={"md5": "0" * 32})
        packages = [replace(one, wheels=[wheel]) for one in pylock.packages]

        with pytest.raises(InstallError):
            install(index, replace(pylock, packages=packages), bare)
        assert installed(bare) == {}

    def test_a_file_that_is_gone(self, own_index: LocalIndex, bare: BareEnvironment) -> None:
        pylock = lock(own_index, KERAS)
        own_index.remove(KERAS)

        with pytest.raises(InstallError, match="could not install") as caught:
            install(own_index, pylock, bare, index=Index(url=own_index.url, source="--index-url"))
        assert caught.value.looked_at[0] == "--index-url"
        assert KERAS in said(caught.value)

    def test_offline(self, index: LocalIndex, bare: BareEnvironment) -> None:
        offline = Index(url=index.url, offline=True)
        install(index, lock(index, NUMPY), bare)
        install(index, lock(index, NUMPY), bare, index=offline)

        with pytest.raises(InstallError, match="Not everything that the lock names was downloaded") as caught:
            install(index, lock(index, KERAS), bare, index=offline)
        assert "--offline" in caught.value.hints[0]

    @pytest.mark.parametrize(
        "other",
        [{"environments": [Marker("sys_platform == 'plan9'")]}, {"requires_python": SpecifierSet(">=3.99")}],
        ids=["platform", "python"],
    )
    def test_a_lock_for_another_machine(self, other: dict[str, Any], index: LocalIndex, bare: BareEnvironment) -> None:
        with pytest.raises(InstallError):
            install(index, lock(index, KERAS, **other), bare)
        assert installed(bare) == {}

    def test_an_error_shows_no_warning_of_uv_about_itself(self, own_index: LocalIndex, bare: BareEnvironment) -> None:
        pylock = lock(own_index, KERAS)
        own_index.remove(KERAS)

        with pytest.raises(InstallError) as caught:
            install(own_index, pylock, bare)
        assert "warning:" not in said(caught.value)
