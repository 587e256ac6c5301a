from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from kerasenv.engine import Index
from kerasenv.engines.uv import UvEngine
from kerasenv.errors import ResolveError
from kerasenv.interpreters.find import inspect
from kerasenv.lock.cells import grid, pythons_of
from kerasenv.lock.lockfile import Promise, dump_lock
from kerasenv.lock.resolve import resolve, resolve_near, resolve_with_gaps
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.search import find_profile
from kerasenv.progress import listening
from kerasenv.resolution import NO_CHOICE, Resolution
from tests.local_index import LocalIndex, Wheel
from tests.lock.wishes import PROFILE, KnowingEngine, on, pin, profile, resolved, wish
from tests.programs import CHECKOUT
from tests.standard_index import standard_index, write_profile

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock

    from kerasenv.engine import ResolveRequest
    from kerasenv.lock.wish import Wish
    from kerasenv.progress import Step
    from kerasenv.resolution import ResolvedPackage

KERAS = "keras-3.12.0-py3-none-any.whl"
NUMPY = (
    "numpy-2.0-cp310-cp310-manylinux2014_x86_64.whl",
    "numpy-2.0-cp311-cp311-manylinux2014_x86_64.whl",
    "numpy-2.0-cp312-cp312-manylinux2014_x86_64.whl",
    "numpy-2.0-cp310-cp310-macosx_12_0_arm64.whl",
    "numpy-2.0-cp311-cp311-macosx_12_0_arm64.whl",
    "numpy-2.0-cp312-cp312-macosx_12_0_arm64.whl",
    "numpy-2.0-cp310-cp310-win_amd64.whl",
    "numpy-2.0-cp311-cp311-win_amd64.whl",
    "numpy-2.0-cp312-cp312-win_amd64.whl",
)
OF_OTHERS = (
    "numpy-2.0-cp312-cp312-win32.whl",
    "numpy-2.0-cp312-cp312-musllinux_1_2_x86_64.whl",
    "numpy-2.0-cp313-cp313-win_amd64.whl",
    "numpy-2.0-pp310-pypy310_pp73-win_amd64.whl",
)
MAC = 'sys_platform == "darwin" and platform_machine == "arm64"'
NUMPY_SOURCE = "numpy-2.0.tar.gz"
BUILDER = profile(build_constraints=["setuptools<60"])


def lock(*packages: ResolvedPackage, asked: Wish | None = None, only_here: bool = False, **options: Any) -> Pylock:
    """Let an engine that knows the answer resolve."""
    return resolve(asked or wish(), KnowingEngine(packages=packages, only_here=only_here), **options)


def entries(pylock: Pylock) -> dict[str, str | None]:
    """Return the marker of each package, by name and version."""
    return {
        f"{package.name} {package.version}": str(package.marker) if package.marker else None
        for package in pylock.packages
    }


def the(pylock: Pylock, name: str) -> Package:
    (package,) = (package for package in pylock.packages if package.name == name)
    return package


def wheels(package: Package) -> list[str]:
    return [wheel.filename for wheel in package.wheels or ()]


class Notes:
    """Hears notes and nothing else."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begin(self, step: Step) -> None: ...

    def passing(self, line: str) -> None: ...

    def substep(self, line: str) -> None: ...

    def end(self, step: Step) -> None: ...

    def detail(self, line: str) -> None: ...

    def note(self, text: str) -> None:
        self.heard.append(text)


class TestMarkers:
    def test_what_is_needed_everywhere_has_none(self) -> None:
        """Whatever an engine says to keep its own answer within bounds."""
        pylock = lock(resolved("keras", "3.12.0", marker="python_full_version < '3.13' and python_version >= '3.6'"))

        assert entries(pylock) == {"keras 3.12.0": None}

    def test_they_are_written_anew_in_the_terms_of_the_grid(self) -> None:
        marker = "platform_system == 'Windows' and python_full_version >= '3.11'"
        pylock = lock(resolved("colorama", "0.4", marker=marker))

        assert entries(pylock) == {"colorama 0.4": 'python_version >= "3.11" and sys_platform == "win32"'}

    def test_what_is_needed_nowhere_is_left_out(self) -> None:
        pylock = lock(resolved("keras", "3.12.0"), resolved("backport", "1.0", marker="python_version < '3.10'"))

        assert entries(pylock) == {"keras 3.12.0": None}

    def test_what_only_the_first_patches_of_a_python_need_is_there_for_all_of_it(self) -> None:
        pylock = lock(resolved("importlib-metadata", "8", marker="python_full_version < '3.10.2'"))

        assert entries(pylock) == {"importlib-metadata 8": 'python_version == "3.10"'}

    def test_where_patches_want_different_versions_the_latest_one_decides(self) -> None:
        pylock = lock(
            resolved("tomli", "1.0", marker="python_full_version < '3.11.4'"),
            resolved("tomli", "2.0", marker="python_full_version >= '3.11.4'"),
        )

        assert entries(pylock) == {
            "tomli 1.0": 'python_version == "3.10"',
            "tomli 2.0": 'python_version >= "3.11"',
        }

    @given(
        st.lists(st.sampled_from(["3.9", "3.10", "3.11", "3.11.3", "3.12", "3.12.7", "3.13"]), max_size=4, unique=True)
    )
    def test_no_name_comes_twice_in_any_cell(self, bounds: list[str]) -> None:
        """PEP 751 lets an installer choose only by marker."""
        packages = [
            resolved("numpy", f"{number}.0", marker=f"python_full_version < '{bound}'")
            for number, bound in enumerate(bounds, start=1)
        ]
        pylock = lock(*packages, resolved("numpy", "9.0"))

        for cell in grid(pythons_of(PROFILE.requires_python), [PLATFORMS[name] for name in PROFILE.platforms]):
            here = [one for one in pylock.packages if cell.holds(str(one.marker) if one.marker else None)]
            assert [one.name for one in here] == ["numpy"]

    def test_packages_stand_in_the_order_of_names_and_versions(self) -> None:
        pylock = lock(
            resolved("pip", "26.0"),
            resolved("keras", "3.9.0", marker="python_version < '3.11'"),
            resolved("absl-py", "2.0"),
            resolved("keras", "3.12.0", marker="python_version >= '3.11'"),
        )

        assert list(entries(pylock)) == ["absl-py 2.0", "keras 3.9.0", "keras 3.12.0", "pip 26.0"]


class TestFiles:
    def test_only_what_a_machine_of_the_profile_can_run(self) -> None:
        package = the(lock(resolved("numpy", "2.0", NUMPY_SOURCE, *NUMPY, *OF_OTHERS)), "numpy")

        assert wheels(package) == sorted(NUMPY)
        assert package.sdist is None, "everybody has a wheel, so nobody should come to build it"

    def test_of_a_package_that_few_machines_need_only_their_files(self) -> None:
        package = the(
            lock(resolved("numpy", "2.0", *NUMPY, marker="python_version == '3.12' and sys_platform != 'win32'")),
            "numpy",
        )

        assert wheels(package) == [
            "numpy-2.0-cp312-cp312-macosx_12_0_arm64.whl",
            "numpy-2.0-cp312-cp312-manylinux2014_x86_64.whl",
        ]

    def test_the_source_is_kept_where_a_machine_has_no_wheel(self) -> None:
        package = the(lock(resolved("numpy", "2.0", *NUMPY[:-1], NUMPY_SOURCE), asked=wish(BUILDER)), "numpy")

        assert wheels(package) == sorted(NUMPY[:-1])
        assert package.sdist is not None
        assert package.sdist.filename == NUMPY_SOURCE

    @pytest.mark.parametrize("asked", [wish(), wish(BUILDER, only_binary=True)], ids=["no builds", "--only-binary"])
    def test_where_nothing_may_be_built_there_is_no_source(self, asked: Wish) -> None:
        pylock, gaps = resolve_with_gaps(
            asked, KnowingEngine(packages=(resolved("numpy", "2.0", *NUMPY[:-1], NUMPY_SOURCE),))
        )

        assert the(pylock, "numpy").sdist is None
        assert list(map(str, gaps)) == ["numpy 2.0 for Windows x86_64, Python 3.12"]

    @pytest.mark.parametrize("asked", [wish(), wish(BUILDER, only_binary=True)], ids=["no builds", "--only-binary"])
    def test_what_is_nothing_but_source_is_refused_then(self, asked: Wish) -> None:
        with pytest.raises(ResolveError, match=r"numpy 2\.0 has no wheel, only a source distribution"):
            lock(resolved("numpy", "2.0", NUMPY_SOURCE), asked=asked)

    def test_a_machine_that_no_file_is_for_is_told_of(self) -> None:
        """Others may still use the lock, and whoever asks with --with for what isn't made for Windows knows why."""
        notes = Notes()
        with listening(notes):
            package = the(lock(resolved("numpy", "2.0", *NUMPY[:4], NUMPY[5])), "numpy")

        assert package.sdist is None
        (note,) = notes.heard
        assert note == (
            "The index has no file of numpy 2.0 for Windows x86_64 (Python 3.10, 3.11, 3.12); "
            "macOS arm64 (Python 3.11): there, this lock can't be installed."
        )

    def test_the_lock_is_for_no_machine_that_something_is_missing_for(self) -> None:
        """PEP 751: an installer there refuses the lock, and doesn't fail halfway."""
        pylock = lock(resolved("numpy", "2.0", *NUMPY[:4], NUMPY[5]))

        assert list(map(str, pylock.environments or ())) == [
            'sys_platform == "linux" and platform_machine == "x86_64"',
            f'{MAC} and (python_version == "3.10" or python_version == "3.12")',
        ]

    def test_a_lock_that_is_for_no_machine_is_none(self) -> None:
        """Each has a wheel of one of them, and none of both."""
        with pytest.raises(ResolveError, match="no machine that this could be installed on") as caught:
            lock(resolved("numpy", "2.0", *NUMPY[:3]), resolved("h5py", "3.0", "h5py-3.0-cp312-cp312-win_amd64.whl"))

        assert "no file of numpy 2.0 for Windows x86_64, Python 3.10, 3.11, 3.12" in caught.value.looked_at

    def test_a_wheel_whose_name_nobody_can_read_is_left_out(self) -> None:
        package = the(lock(resolved("numpy", "2.0", "numpy-2.0.whl", NUMPY_SOURCE), asked=wish(BUILDER)), "numpy")

        assert package.wheels is None
        assert package.sdist is not None

    def test_what_has_no_usable_file_is_an_error(self) -> None:
        with pytest.raises(ResolveError, match=r"no file of numpy 2\.0 that this lock could use"):
            lock(resolved("numpy", "2.0", *OF_OTHERS))

    def test_everything_that_is_known_of_a_file_is_kept(self) -> None:
        package = the(lock(resolved("keras", "3.12.0", KERAS)), "keras")

        (wheel,) = package.wheels or ()
        assert (wheel.url, wheel.size) == (f"https://index.example/files/{KERAS}", len(KERAS))
        assert set(wheel.hashes) == {"sha256"}


@dataclass(kw_only=True, slots=True)
class ChoosingEngine(KnowingEngine):
    """Chooses the newest keras that no constraint forbids, each with its bounds on Python."""

    bounds: ClassVar[dict[str, str]] = {"3.14.0": ">=3.10,<3.12", "3.13.0": ">=3.10", "3.12.0": ">=3.6"}

    def resolve(self, request: ResolveRequest) -> Resolution:
        self.asked.append(request)
        for version, bound in self.bounds.items():
            if all(one.specifier.contains(version) for one in request.constraints if one.name == "keras"):
                chosen = replace(resolved("keras", version), requires_python=SpecifierSet(bound))
                return Resolution(packages=(chosen,))
        raise ResolveError(NO_CHOICE)


class TestRequiresPython:
    """uv takes no notice of upper bounds."""

    def test_a_version_that_is_not_for_a_python_of_the_lock_is_not_chosen(self) -> None:
        engine = ChoosingEngine()

        assert entries(resolve(wish(), engine)) == {"keras 3.13.0": None}
        assert list(map(str, engine.asked[1].constraints)) == ['keras!=3.14.0; python_version == "3.12"']

    def test_if_there_is_no_other_the_reason_is_told(self) -> None:
        wanted = profile(constraints=["keras>3.13"])

        with pytest.raises(ResolveError) as caught:
            resolve(wish(wanted), ChoosingEngine())

        assert "keras 3.14.0 says that it is for Python <3.12,>=3.10, not 3.12" in caught.value.looked_at

    def test_verified_pins_that_are_gone(self) -> None:
        engine = KnowingEngine(error=ResolveError(NO_CHOICE))

        with pytest.raises(ResolveError, match="no longer has all that tiny was verified with") as caught:
            resolve(wish(), engine, pins=(pin("keras", "3.14.0"),), exactly_pins=True)

        assert "Or choose other versions: kerasenv lock PROFILE --upgrade" in caught.value.hints

    def test_verified_pins_stay(self) -> None:
        engine = ChoosingEngine()

        assert entries(resolve(wish(), engine, pins=(pin("keras", "3.14.0"),), exactly_pins=True)) == {
            "keras 3.14.0": None
        }


def test_what_no_machine_of_the_profile_needs_is_not_asked_for() -> None:
    """uv looks for it on any machine there may be, and would even build it to learn what it needs."""
    engine = KnowingEngine()

    resolve(wish(PROFILE, "theano ; sys_platform == 'plan9'", "pywin32 ; sys_platform == 'win32'"), engine)

    assert [one.name for one in engine.asked[0].requirements] == ["keras", "pywin32", "pip"]


class TestNear:
    """As few other versions as possible."""

    pins = (pin("keras", "3.12.0", marker="python_version >= '3.10'"),)

    def test_the_pins_leave_no_choice(self) -> None:
        engine = ChoosingEngine()

        assert entries(resolve_near(wish(), engine, pins=self.pins)[0]) == {"keras 3.12.0": None}
        assert list(map(str, engine.asked[0].constraints)) == ['keras==3.12.0; python_version >= "3.10"']

    def test_an_index_that_fails_decides_nothing(self) -> None:
        """A second try may reach it, and would choose other versions."""
        engine = KnowingEngine(error=ResolveError("uv could not resolve the requirements."))

        with pytest.raises(ResolveError, match="uv could not resolve"):
            resolve_near(wish(), engine, pins=self.pins)

        assert len(engine.asked) == 1

    def test_unless_that_is_none(self) -> None:
        engine = ChoosingEngine()
        wanted = wish(profile(constraints=["keras>3.12"]))

        # The newest: this engine prefers nothing
        assert entries(resolve_near(wanted, engine, pins=self.pins)[0]) == {"keras 3.13.0": None}
        assert engine.asked[-1].pins == self.pins


class TestPins:
    def test_only_files_with_their_hashes_are_locked(self) -> None:
        """A file that was added to the release afterwards was never verified."""
        pylock = lock(
            resolved("numpy", "2.0", *NUMPY, NUMPY_SOURCE),
            pins=(pin("numpy", "2.0", files=[*NUMPY[:3], NUMPY_SOURCE]),),
        )

        assert wheels(the(pylock, "numpy")) == sorted(NUMPY[:3])

    def test_an_index_with_other_files_is_an_error(self) -> None:
        with pytest.raises(ResolveError, match=r"no file of keras 3\.12\.0") as caught:
            lock(resolved("keras", "3.12.0", KERAS), pins=(pin("keras", "3.12.0", files=["what was verified"]),))

        assert caught.value.looked_at == ("1 files of that version; the hashes of 0 are known",)
        assert any("--index-url" in hint for hint in caught.value.hints)

    def test_they_say_nothing_of_another_version(self) -> None:
        pylock = lock(resolved("keras", "3.12.0", KERAS), pins=(pin("keras", "3.9.0", files=["of 3.9.0"]),))

        assert wheels(the(pylock, "keras")) == [KERAS]

    def test_without_hashes_they_say_nothing_of_files(self) -> None:
        pylock = lock(resolved("keras", "3.12.0", KERAS), pins=(pin("keras", "3.12.0"),))

        assert wheels(the(pylock, "keras")) == [KERAS]

    def test_those_of_several_markers_are_taken_together(self) -> None:
        pins = (
            pin("numpy", "2.0", marker="sys_platform == 'linux'", files=NUMPY[:3]),
            pin("numpy", "2.0", marker="sys_platform != 'linux'", files=NUMPY[3:]),
        )
        pylock = lock(resolved("numpy", "2.0", *NUMPY, NUMPY_SOURCE), pins=pins)

        assert wheels(the(pylock, "numpy")) == sorted(NUMPY)
        assert the(pylock, "numpy").sdist is None

    def test_where_they_did_not_hold_any_file_of_the_version_may_stand(self) -> None:
        """Their hashes are those of what was needed: something asked for with --with can need it elsewhere too."""
        pylock = lock(
            resolved("numpy", "2.0", *NUMPY),
            pins=(pin("numpy", "2.0", marker="sys_platform == 'linux'", files=NUMPY[:3]),),
        )

        assert wheels(the(pylock, "numpy")) == sorted(NUMPY)

    def test_the_engine_is_told_of_them(self) -> None:
        engine = KnowingEngine()
        pins = (pin("keras", "3.12.0", files=[KERAS]),)
        resolve(wish(), engine, pins=pins, exactly_pins=True)

        (asked,) = engine.asked
        assert asked.pins == pins
        assert asked.exactly_pins


class TestRequest:
    def test_it_is_all_that_the_profile_and_the_user_ask_for(self) -> None:
        engine = KnowingEngine()
        wanted = profile("keras>=3", constraints=["numpy<2.1"], build_constraints=["setuptools<60"])
        resolve(wish(wanted, "pandas"), engine)

        (asked,) = engine.asked
        assert [str(one) for one in asked.requirements] == ["keras>=3", "pandas", "pip"]
        assert [str(one) for one in asked.constraints] == ["numpy<2.1"]
        assert [str(one) for one in asked.build_constraints] == ["setuptools<60"]
        assert asked.pythons == ("3.10", "3.11", "3.12")
        assert [platform.name for platform in asked.platforms] == ["linux-x86_64", "macos-arm64", "windows-x86_64"]

    def test_a_profile_for_pythons_to_come_is_an_error(self) -> None:
        with pytest.raises(ResolveError, match="for no Python that this kerasenv knows"):
            lock(asked=wish(profile(requires_python=">=3.50")))

    @pytest.mark.parametrize("url", ["file:///srv/mirror/simple", "/srv/mirror/simple", "simple", r"D:\mirror"])
    def test_an_index_that_is_a_folder_is_an_error(self, url: str) -> None:
        """The lock would name files of this machine."""
        with pytest.raises(ResolveError, match="others can reach") as caught:
            lock(asked=wish(index=Index(url=url, source="PIP_INDEX_URL")))

        assert caught.value.looked_at == (f"{url} (PIP_INDEX_URL)",)


class TestWhatItIsFor:
    def test_every_platform_of_the_profile(self) -> None:
        pylock = lock(resolved("keras", "3.12.0"))

        assert [str(marker) for marker in pylock.environments or ()] == [
            'sys_platform == "linux" and platform_machine == "x86_64"',
            'sys_platform == "darwin" and platform_machine == "arm64"',
            'sys_platform == "win32" and platform_machine == "AMD64"',
        ]
        assert pylock.requires_python == PROFILE.requires_python

    def test_a_profile_without_an_upper_bound_is_locked_for_the_pythons_that_are_known(self) -> None:
        """An installer on a later one must refuse: nothing was resolved for it."""
        pylock = lock(resolved("keras", "3.12.0"), asked=wish(profile(requires_python=">=3.10")))

        assert pylock.requires_python == SpecifierSet(">=3.10,<3.15")

    def test_a_profile_for_python_2_too_is_locked_for_those_that_the_engine_serves(self) -> None:
        pylock = lock(resolved("keras", "3.12.0"), asked=wish(profile(requires_python="<3.13")))

        assert pylock.requires_python == SpecifierSet(">=3.6,<3.13")

    def test_only_this_machine_if_the_engine_sees_no_further(self) -> None:
        pylock = lock(
            resolved("numpy", "2.0", *NUMPY), asked=wish(interpreter=on("3.12.1", "macos-arm64")), only_here=True
        )

        assert [str(marker) for marker in pylock.environments or ()] == [
            'sys_platform == "darwin" and platform_machine == "arm64" and python_version == "3.12"'
        ]
        assert entries(pylock) == {"numpy 2.0": None}
        assert wheels(the(pylock, "numpy")) == ["numpy-2.0-cp312-cp312-macosx_12_0_arm64.whl"]

    def test_a_machine_that_the_profile_is_not_for(self) -> None:
        with pytest.raises(ResolveError, match="tiny is not for this machine: linux aarch64") as caught:
            lock(resolved("keras", "3.12.0"), asked=wish(interpreter=on(platform="linux-aarch64")), only_here=True)

        assert caught.value.looked_at == ("tiny is for linux-x86_64, macos-arm64, windows-x86_64",)


class TestConflicts:
    wanted = profile(constraints=["h5py<3", "Keras_Applications<2"])

    def conflict(self, *said: str) -> ResolveError:
        error = ResolveError("The requirements can't be met together.", looked_at=said, hints=["Try."])
        with pytest.raises(ResolveError) as caught:
            resolve(wish(self.wanted), KnowingEngine(error=error))
        return caught.value

    def test_the_profile_says_why_it_caps_what_is_in_conflict(self) -> None:
        error = self.conflict("Because pandas depends on h5py{python_version < '3.13'}>=3, no.")

        assert error.looked_at[1:] == ("tiny asks for this:", "h5py<3 because without it: it breaks (here)")
        assert error.hints[0] == "Try."
        assert "--with" in error.hints[1]

    @pytest.mark.parametrize("spelled", ["keras-applications", "Keras_Applications", "keras.applications"])
    def test_however_the_name_is_spelled(self, spelled: str) -> None:
        assert "Keras_Applications<2 because" in self.conflict(f"{spelled}>=2").looked_at[2]

    @pytest.mark.parametrize(
        "said",
        [
            "no versions of my-h5py",
            "no versions of h5py-extra",
            "Failed to fetch: https://index.example/simple/h5py/",
        ],
    )
    def test_other_names_and_addresses_are_no_conflict_with_it(self, said: str) -> None:
        assert self.conflict(said).looked_at == (said,)


# With the real engine


@pytest.fixture
def tiny(tmp_path: Path, index: LocalIndex) -> Wish:
    """Return a wish for all Pythons and platforms, to an index on this machine."""
    write_profile(tmp_path / "profiles")
    here = inspect(Path(sys.executable), source="test")
    return wish(find_profile("tiny", cwd=tmp_path), interpreter=here, index=Index(url=index.url))


def test_one_lock_for_every_machine(tiny: Wish) -> None:
    pylock = resolve(tiny, UvEngine())

    pylock.validate()
    assert entries(pylock) == {
        "h5py 3.14.0": None,
        "keras 3.15.1": None,
        "libclang 18.1.1": None,
        "ml-dtypes 0.6.0": None,
        "numpy 2.0": None,
        "pip 26.0": None,
        "tensorflow 2.21.0": None,
    }
    assert len(wheels(the(pylock, "ml-dtypes"))) == 5 * 5
    assert len(wheels(the(pylock, "libclang"))) == 5


def test_packaging_selects_from_it_for_this_machine(tiny: Wish) -> None:
    chosen = {package.name: file for package, file in resolve(tiny, UvEngine()).select()}

    assert set(chosen) == {"h5py", "keras", "libclang", "ml-dtypes", "numpy", "pip", "tensorflow"}


def test_the_pip_of_each_era(tmp_path: Path, index: LocalIndex) -> None:
    write_profile(tmp_path / "profiles", requires_python=">=3.6,<3.10", requirements=["keras==2.3.1"])
    here = inspect(Path(sys.executable), source="test")
    wanted = wish(find_profile("tiny", cwd=tmp_path), interpreter=here, index=Index(url=index.url))

    assert entries(resolve(wanted, UvEngine())) == {
        "h5py 3.14.0": None,
        "keras 2.3.1": None,
        "numpy 1.0": None,
        "pip 21.3.1": 'python_version == "3.6"',
        "pip 24.0": 'python_version == "3.7"',
        "pip 25.0.1": 'python_version == "3.8"',
        "pip 26.0": 'python_version == "3.9"',
    }


def test_a_real_conflict_comes_with_the_profiles_reason(tmp_path: Path, index: LocalIndex) -> None:
    write_profile(
        tmp_path / "profiles",
        requirements=["keras"],
        constraints=[{"requirement": "h5py<3", "because": "models are not loaded", "seen": "a test"}],
    )
    here = inspect(Path(sys.executable), source="test")
    wanted = wish(find_profile("tiny", cwd=tmp_path), "h5py>=3", interpreter=here, index=Index(url=index.url))

    with pytest.raises(ResolveError, match="can't be met together") as caught:
        resolve(wanted, UvEngine())
    assert "h5py<3 because without it: models are not loaded (a test)" in caught.value.looked_at


def test_credentials_are_in_no_lock(tmp_path: Path) -> None:
    write_profile(tmp_path / "profiles")
    with LocalIndex(credentials=("somebody", "p@ss/word")) as index:
        standard_index(index)
        here = inspect(Path(sys.executable), source="test")
        wanted = wish(find_profile("tiny", cwd=tmp_path), interpreter=here, index=Index(url=index.url_with_credentials))
        content = dump_lock(resolve(wanted, UvEngine()), Promise.of(wanted.profile))

    assert index.url.removesuffix("simple/").encode() in content
    for secret in (b"somebody", b"p@ss", b"p%40ss", b"word", b"@127.0.0.1"):
        assert secret not in content


DUMP = """
import sys
from pathlib import Path
from kerasenv.engine import Index
from kerasenv.engines.uv import UvEngine
from kerasenv.interpreters.find import inspect
from kerasenv.lock.lockfile import Promise, dump_lock
from kerasenv.lock.resolve import resolve
from kerasenv.lock.wish import Wish
from kerasenv.profiles.search import find_profile

profile = find_profile("tiny", cwd=Path(sys.argv[1]))
here = inspect(Path(sys.executable), source="test")
pylock = resolve(Wish(profile=profile, interpreter=here, index=Index(url=sys.argv[2])), UvEngine())
sys.stdout.buffer.write(dump_lock(pylock, Promise.of(profile)))
"""


def test_two_machines_write_the_same_bytes(tmp_path: Path, index: LocalIndex) -> None:
    """And none of them stands in the lock."""
    write_profile(tmp_path / "profiles", environment={"TF_CPP_MIN_LOG_LEVEL": "2", "MORE": "{env}/x"})
    contents = []
    for number, (zone, language) in enumerate([("UTC", "C"), ("Pacific/Chatham", "tr_TR.UTF-8")]):
        home = tmp_path / f"home of user {number}"
        home.mkdir()
        environ = os.environ | {
            "HOME": str(home),
            "USERPROFILE": str(home),
            "USER": f"user{number}",
            "XDG_CONFIG_HOME": str(home / "config"),
            "UV_CACHE_DIR": str(home / "cache"),
            "TZ": zone,
            "LANG": language,
            "LC_ALL": language,
            "PYTHONHASHSEED": str(number),
            "PYTHONPATH": str(CHECKOUT),
        }
        command = [sys.executable, "-c", DUMP, str(tmp_path), index.url]
        contents.append(subprocess.run(command, cwd=home, env=environ, capture_output=True, check=True).stdout)

    assert contents[0] == contents[1]
    assert b"keras-3.15.1" in contents[0]
    for leak in (str(tmp_path), str(Path.home()), "user0", sys.prefix):
        assert leak.encode() not in contents[0]


def test_a_release_of_today_changes_nothing_for_those_who_start_from_pins(
    tmp_path: Path, own_index: LocalIndex
) -> None:
    """Two people get the same versions and files, whenever they start."""
    write_profile(tmp_path / "profiles", requirements=["keras"])
    here = inspect(Path(sys.executable), source="test")
    wanted = wish(find_profile("tiny", cwd=tmp_path), interpreter=here, index=Index(url=own_index.url))
    first = resolve(wanted, UvEngine())
    pins = tuple(pin(package.name, str(package.version)) for package in first.packages)
    own_index.add(Wheel(name="keras", version="4.0"), Wheel(name="h5py", version="4.0"))

    assert entries(resolve(wanted, UvEngine(), pins=pins, exactly_pins=True)) == entries(first)
    assert entries(resolve(wanted, UvEngine(), pins=pins)) == entries(first)
    assert entries(resolve(wanted, UvEngine())) != entries(first)
