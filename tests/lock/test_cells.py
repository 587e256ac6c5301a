from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags

from kerasenv.lock.cells import Cell, grid, marker_for, pythons_of
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from packaging.tags import Tag

    from kerasenv.platforms import Platform

LINUX, ARM, MAC, INTEL_MAC, WINDOWS = PLATFORMS.values()


def some_of(known: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Draw at least one, in the order in which they are known."""
    return st.sets(st.sampled_from(known), min_size=1).map(lambda chosen: [one for one in known if one in chosen])


@st.composite
def choices(draw: st.DrawFn) -> tuple[list[Cell], tuple[Cell, ...]]:
    """Draw a grid, with its platforms in any order, and some of its cells."""
    platforms = draw(some_of(list(PLATFORMS)).flatmap(st.permutations))
    whole = grid(draw(some_of(KNOWN_PYTHONS)), [PLATFORMS[name] for name in platforms])
    return draw(st.lists(st.sampled_from(whole), min_size=1, unique=True)), whole


class TestMarkerFor:
    @given(choices())
    def test_it_holds_on_the_chosen_cells_and_on_no_other(self, choice: tuple[list[Cell], tuple[Cell, ...]]) -> None:
        chosen, whole = choice
        marker = marker_for(chosen, whole)

        assert [cell for cell in whole if cell.holds(marker)] == [cell for cell in whole if cell in chosen]
        assert [cell for cell in whole if cell.holds(marker, first_patch=True)] == [
            cell for cell in whole if cell in chosen
        ]

    @given(choices())
    def test_the_whole_grid_needs_no_marker_and_nothing_else_does(
        self, choice: tuple[list[Cell], tuple[Cell, ...]]
    ) -> None:
        chosen, whole = choice

        assert (marker_for(chosen, whole) is None) == (set(chosen) == set(whole))
        assert marker_for(whole, whole) is None

    @given(choices(), st.randoms(use_true_random=False))
    def test_the_order_of_the_chosen_does_not_matter(
        self, choice: tuple[list[Cell], tuple[Cell, ...]], random: Random
    ) -> None:
        """Engines name packages in their own order, and the bytes of a lock must not depend on it."""
        chosen, whole = choice
        shuffled = [*chosen, *chosen]
        random.shuffle(shuffled)

        assert marker_for(shuffled, whole) == marker_for(chosen, whole)

    @given(choices())
    def test_packaging_writes_it_as_it_is(self, choice: tuple[list[Cell], tuple[Cell, ...]]) -> None:
        """So a lock that is read and written again is the same."""
        marker = marker_for(*choice)

        if marker is not None:
            assert str(Marker(marker)) == str(Marker(str(Marker(marker))))

    def test_what_holds_nowhere_has_no_marker(self) -> None:
        """Without this, a package that is needed nowhere would be locked for everybody."""
        with pytest.raises(ValueError, match="no cell"):
            marker_for([], grid(["3.10"], [LINUX]))

    @pytest.mark.parametrize(
        ("pythons", "platforms", "expected"),
        [
            (["3.10"], [LINUX, ARM, MAC, WINDOWS], "python_version == '3.10'"),
            (["3.10", "3.11"], [LINUX, ARM, MAC, WINDOWS], "python_version < '3.12'"),
            (["3.12", "3.13"], [LINUX, ARM, MAC, WINDOWS], "python_version >= '3.12'"),
            (["3.11", "3.12"], [LINUX, ARM, MAC, WINDOWS], "python_version >= '3.11' and python_version < '3.13'"),
            (["3.10", "3.13"], [LINUX, ARM, MAC, WINDOWS], "python_version == '3.10' or python_version == '3.13'"),
            (["3.10", "3.11", "3.12", "3.13"], [LINUX, ARM], "sys_platform == 'linux'"),
            (["3.10", "3.11", "3.12", "3.13"], [WINDOWS], "sys_platform == 'win32'"),
            (
                ["3.10", "3.11", "3.12", "3.13"],
                [ARM],
                "sys_platform == 'linux' and platform_machine == 'aarch64'",
            ),
            (["3.13"], [MAC], "python_version == '3.13' and sys_platform == 'darwin'"),
            (
                ["3.13"],
                [MAC, WINDOWS],
                "python_version == '3.13' and (sys_platform == 'darwin' or sys_platform == 'win32')",
            ),
        ],
    )
    def test_it_is_what_a_person_would_write(
        self, pythons: list[str], platforms: list[Platform], expected: str
    ) -> None:
        whole = grid(["3.10", "3.11", "3.12", "3.13"], [LINUX, ARM, MAC, WINDOWS])

        assert marker_for([cell for cell in whole if cell.python in pythons and cell.platform in platforms], whole) == (
            expected
        )


class TestHolds:
    cell = Cell(python="3.11", platform=WINDOWS)

    @pytest.mark.parametrize(
        "marker",
        [
            None,
            "python_version == '3.11'",
            "sys_platform == 'win32' and platform_system == 'Windows' and os_name == 'nt'",
            "platform_machine == 'AMD64'",
            "platform_python_implementation == 'CPython' and implementation_name == 'cpython'",
            "python_full_version >= '3.11.4'",
            "platform_machine in 'x86_64 AMD64 arm64'",
        ],
    )
    def test_markers_of_every_kind(self, marker: str | None) -> None:
        assert self.cell.holds(marker)

    @pytest.mark.parametrize("marker", ["extra == 'cuda'", "'dev' in dependency_groups", "'gpu' in extras"])
    def test_nobody_asks_for_the_extras_and_groups_of_another_tools_lock(self, marker: str) -> None:
        assert not self.cell.holds(marker)

    def test_a_fault_that_later_patches_mended_is_one_of_the_first_patch_alone(self) -> None:
        marker = "python_full_version < '3.11.4'"

        assert not self.cell.holds(marker)
        assert self.cell.holds(marker, first_patch=True)


@pytest.mark.parametrize(
    ("requires", "pythons"),
    [
        (">=3.10,<3.14", ("3.10", "3.11", "3.12", "3.13")),
        (">=3.6,<3.8", ("3.6", "3.7")),
        ("==3.7.*", ("3.7",)),
        (">=3.10,!=3.11.*,<3.13", ("3.10", "3.12")),
        (">=3.12.4,<3.13", ("3.12",)),
        ("~=3.12", ("3.12", "3.13", "3.14")),
        (">=3.99", ()),
        ("==2.7.*", ("2.7",)),
        ("<3.7", ("2.7", "3.6")),
        (">=2.7", KNOWN_PYTHONS),
    ],
)
def test_pythons_of_a_profile(requires: str, pythons: tuple[str, ...]) -> None:
    assert pythons_of(SpecifierSet(requires)) == pythons


def test_a_grid_has_every_python_on_every_platform() -> None:
    assert [(cell.python, cell.platform.name) for cell in grid(["3.10", "3.11"], [LINUX, MAC])] == [
        ("3.10", "linux-x86_64"),
        ("3.10", "macos-arm64"),
        ("3.11", "linux-x86_64"),
        ("3.11", "macos-arm64"),
    ]


class TestCanRun:
    """File names of real wheels."""

    @pytest.mark.parametrize(
        ("python", "platform", "wheel"),
        [
            ("3.13", "linux-x86_64", "keras-3.12.0-py3-none-any.whl"),
            ("2.7", "linux-x86_64", "six-1.17.0-py2.py3-none-any.whl"),
            ("3.14", "windows-x86_64", "six-1.17.0-py2.py3-none-any.whl"),
            ("3.12", "macos-arm64", "gast-0.6.0-py312-none-any.whl"),
            ("3.7", "linux-x86_64", "tensorflow-1.15.5-cp37-cp37m-manylinux2010_x86_64.whl"),
            ("3.6", "macos-x86_64", "tensorflow-1.15.0-cp36-cp36m-macosx_10_11_x86_64.whl"),
            ("3.8", "linux-x86_64", "h5py-2.10.0-cp38-cp38-manylinux1_x86_64.whl"),
            ("2.7", "linux-x86_64", "numpy-1.16.6-cp27-cp27mu-manylinux1_x86_64.whl"),
            ("3.13", "linux-aarch64", "numpy-2.3.4-cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl"),
            ("3.10", "linux-x86_64", "ml_dtypes-0.5.4-cp310-cp310-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"),
            # abi3: built for an older Python, runs on every later one
            ("3.13", "linux-x86_64", "protobuf-6.33.0-cp39-abi3-manylinux2014_x86_64.whl"),
            ("3.13", "macos-arm64", "protobuf-6.33.0-cp39-abi3-macosx_10_9_universal2.whl"),
            ("3.13", "macos-x86_64", "protobuf-6.33.0-cp39-abi3-macosx_10_9_universal2.whl"),
            ("3.13", "windows-x86_64", "protobuf-6.33.0-cp310-abi3-win_amd64.whl"),
            # No Python of its own, but a platform
            ("3.11", "linux-x86_64", "libclang-18.1.1-py2.py3-none-manylinux2010_x86_64.whl"),
            ("3.11", "windows-x86_64", "libclang-18.1.1-py2.py3-none-win_amd64.whl"),
            ("3.7", "linux-x86_64", "tool-1.0-py37-none-manylinux2014_x86_64.whl"),
            ("3.8", "linux-x86_64", "tool-1.0-py37-none-manylinux2014_x86_64.whl"),
            ("3.11", "linux-x86_64", "nvidia_cudnn_cu12-9.5.1.17-py3-none-manylinux_2_28_x86_64.whl"),
            # Before there was universal2
            (
                "3.6",
                "macos-x86_64",
                "numpy-1.16.4-cp36-cp36m-macosx_10_6_intel.macosx_10_9_intel.macosx_10_9_x86_64.macosx_10_10_intel.whl",
            ),
            ("3.6", "macos-x86_64", "scipy-1.2.0-cp36-cp36m-macosx_10_6_intel.whl"),
            # Build tags
            ("3.11", "linux-x86_64", "torch-2.0.0-1-cp311-cp311-manylinux2014_x86_64.whl"),
            ("3.11", "linux-x86_64", "opt_einsum-3.3.0-2local-py3-none-any.whl"),
            ("3.11", "linux-x86_64", "torch-2.5.1+cpu-cp311-cp311-linux_x86_64.whl"),
        ],
    )
    def test_what_can(self, python: str, platform: str, wheel: str) -> None:
        assert Cell(python=python, platform=PLATFORMS[platform]).can_run(wheel)

    @pytest.mark.parametrize(
        ("python", "platform", "wheel"),
        [
            ("3.8", "linux-x86_64", "tensorflow-1.15.5-cp37-cp37m-manylinux2010_x86_64.whl"),
            ("3.7", "linux-x86_64", "numpy-1.21.6-cp37-cp37-manylinux2014_x86_64.whl"),
            ("3.8", "linux-x86_64", "numpy-1.24.4-cp38-cp38m-manylinux2014_x86_64.whl"),
            ("3.10", "linux-x86_64", "six-1.17.0-py2-none-any.whl"),
            ("2.7", "linux-x86_64", "keras-3.12.0-py3-none-any.whl"),
            ("3.6", "linux-x86_64", "tool-1.0-py37-none-manylinux2014_x86_64.whl"),
            ("3.9", "linux-x86_64", "protobuf-6.33.0-cp310-abi3-manylinux2014_x86_64.whl"),
            # Free-threaded and debug builds, and another Python
            ("3.13", "linux-x86_64", "numpy-2.3.4-cp313-cp313t-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"),
            ("3.7", "linux-x86_64", "numpy-1.21.6-cp37-cp37dm-manylinux2014_x86_64.whl"),
            ("3.11", "linux-x86_64", "numpy-2.3.4-pp311-pypy311_pp73-manylinux_2_27_x86_64.whl"),
            # Other machines
            ("3.13", "linux-x86_64", "numpy-2.3.4-cp313-cp313-musllinux_1_2_x86_64.whl"),
            ("3.13", "linux-x86_64", "numpy-2.3.4-cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl"),
            ("3.7", "linux-x86_64", "h5py-2.10.0-cp37-cp37m-manylinux1_i686.whl"),
            ("3.13", "windows-x86_64", "numpy-2.3.4-cp313-cp313-win32.whl"),
            ("3.13", "windows-x86_64", "numpy-2.3.4-cp313-cp313-win_arm64.whl"),
            ("3.13", "macos-arm64", "numpy-2.3.4-cp313-cp313-macosx_14_0_x86_64.whl"),
            ("3.13", "macos-x86_64", "numpy-2.3.4-cp313-cp313-macosx_14_0_arm64.whl"),
            ("3.8", "macos-arm64", "scipy-1.2.0-cp38-cp38-macosx_10_6_intel.whl"),
            ("3.13", "linux-x86_64", "numpy-2.3.4-cp313-cp313-macosx_11_0_universal2.whl"),
            ("3.13", "linux-aarch64", "tensorflow-2.21.0-cp313-cp313-manylinux_2_27_x86_64.whl"),
        ],
    )
    def test_what_cannot(self, python: str, platform: str, wheel: str) -> None:
        assert not Cell(python=python, platform=PLATFORMS[platform]).can_run(wheel)

    @pytest.mark.parametrize("wheel", ["keras.whl", "keras-3-any.whl", "keras-one-py3-none-any.whl", ".whl"])
    def test_a_name_that_no_installer_reads_is_nothing_that_runs(self, wheel: str) -> None:
        """Old indexes have such files, and one of them must not hide all the others."""
        assert not Cell(python="3.11", platform=LINUX).can_run(wheel)

    @pytest.mark.parametrize(
        ("python", "abi", "platform", "system"),
        [
            ((3, 7), "cp37m", LINUX, "manylinux2014_x86_64"),
            ((3, 11), "cp311", ARM, "manylinux_2_28_aarch64"),
            ((3, 13), "cp313", WINDOWS, "win_amd64"),
            ((3, 14), "cp314", MAC, "macosx_11_0_arm64"),
        ],
    )
    def test_whatever_packaging_says_that_a_python_takes(
        self, python: tuple[int, int], abi: str, platform: Platform, system: str
    ) -> None:
        tags: list[Tag] = [
            *cpython_tags(python, abis=[abi], platforms=[system]),
            *compatible_tags(python, interpreter=f"cp{python[0]}{python[1]}", platforms=[system]),
        ]
        cell = Cell(python=f"{python[0]}.{python[1]}", platform=platform)

        assert [str(tag) for tag in tags if not cell.can_run(f"x-1-{tag}.whl")] == []
