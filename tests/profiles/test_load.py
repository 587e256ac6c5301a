from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.errors import ProfileError
from kerasenv.profiles.load import BACKENDS, load_profile_file, load_profile_table, read_toml
from kerasenv.profiles.search import find_profile
from kerasenv.smoke.plan import Noise, Trial

CASES = Path(__file__).parent / "cases"
VALID = sorted((CASES / "valid").glob("*.toml"))
INVALID = sorted((CASES / "invalid").glob("*.toml"))
REFERENCE = (CASES.parents[2] / "docs" / "reference" / "profile-format.md").read_text("utf-8")


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.stem)
def test_valid(case: Path) -> None:
    assert find_profile(str(case), cwd=Path.cwd()).name == tomli.loads(case.read_text("utf-8"))["name"]


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.stem)
def test_invalid(case: Path) -> None:
    """Each case says in its '#:' lines what has to be told of it: all of that, in that order, and nothing else."""
    expected = [line[3:] for line in case.read_text("utf-8").splitlines() if line.startswith("#: ")]

    with pytest.raises(ProfileError) as caught:
        find_profile(str(case), cwd=Path.cwd())

    assert caught.value.message.splitlines() == [f"{case}: {fault}" for fault in expected]


def test_every_key_arrives() -> None:
    profile = find_profile(str(CASES / "valid" / "everything.toml"), cwd=Path.cwd())

    assert profile.era == "2019 to 2021"
    assert profile.requires_python == "<3.8,>=3.6"
    assert [str(requirement) for requirement in profile.requirements] == [
        "tensorflow==1.15.5",
        "keras[extra]==2.3.1",
        "torch==2.13.0+cpu",
        'numpy; sys_platform != "win32"',
    ]
    assert [str(constraint.requirement) for constraint in profile.constraints] == [
        'protobuf<4; python_version >= "3.7"'
    ]
    assert profile.constraints[0].because == "import tensorflow fails"
    assert profile.constraints[0].seen == "tensorflow 1.15.5 with protobuf 4.24.4"
    assert [str(constraint.requirement) for constraint in profile.build_constraints] == ["setuptools==59.6.0"]
    assert profile.variables["HOSTILE"] == 'it\'s "$(hostile)" `here`\n\\ü'
    assert (profile.settings.floatx, profile.settings.epsilon) == ("float16", 1e-7)
    assert profile.variants["cpu"].without == ("tensorflow",)
    assert profile.variants["cuda"].platforms == ("linux-x86_64",)
    assert profile.smoke.import_name == "tensorflow.keras"
    assert profile.smoke.formats == ("h5", "keras")
    assert (profile.smoke.trains, profile.smoke.backend) == (False, "tensorflow")
    assert (profile.smoke.floatx, profile.smoke.image_data_format) == ("float16", "channels_first")
    assert profile.trial == Trial(
        idiom="keras2", imports=("from keras.layers.core import Dense, Activation", "import keras.backend as K")
    )
    assert profile.noise == (
        Noise(
            text="FutureWarning: Passing (type, 1) or '1type' as a synonym of type",
            because="TensorFlow 1 was written for an older NumPy",
        ),
    )
    assert profile.build_constraints[0].sha256 == ("4ce92f1e1f8f01233ee9952c04f6b81d1e02939d6e1b488428154974a4d0783e",)
    openmpi, compiler, headers = profile.system
    assert openmpi.libraries == {"libmpi.so.12": ("libmpi.so.40",), "libz.so.1": ()}
    assert (openmpi.needed, openmpi.platforms, openmpi.links) == (True, ("linux-x86_64",), "cntk/libs")
    assert openmpi.packages == {"apt": "libopenmpi3 zlib1g", "dnf": "openmpi"}
    assert (compiler.needed, compiler.programs) == (False, ("g++", "c++"))
    assert compiler.without == {"THEANO_FLAGS": 'base_compiledir="{env}/theano",cxx='}
    assert headers.headers == ("Python.h", "numpy/arrayobject.h")


def test_a_name_has_to_be_that_of_its_place() -> None:
    with pytest.raises(ProfileError, match=r"^here: name: is 'a', but it stands under the name 'b'$"):
        load_profile_table({"name": "a"}, "here", name="b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", r"is not TOML: Invalid value \(line 1, column 8\)"),
        (b"\n[[constraints]\n", r"is not TOML: .*\(line 2, column \d+\)"),
        (b"name = 'a'\nname = 'b'", r"is not TOML: .*line 2, column 11.*"),
        (b"name = 'caf\xe9'", r"is not UTF-8, as TOML must be \(at byte 11\)"),
        (b"a = " + b"9" * 5000, r"can't be read: .*"),
        (b"a = " + b"[" * 10_000, r"can't be read: .*|is not TOML: .*"),
    ],
    ids=["value", "bracket", "twice", "latin-1", "number", "brackets"],
)
def test_a_file_that_is_no_toml_is_told_in_a_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)

    with pytest.raises(ProfileError, match=f"^x.toml: {message}$"):
        read_toml(file, "x.toml")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Notepad of older Windows writes one."""
    file = tmp_path / "x.toml"
    file.write_bytes(b'\xef\xbb\xbfname = "x"\r\n')

    assert load_profile_file(file, "x.toml").name == "x"


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.toml", "there is no such file"), (".", "can't be read: .*"), ("\0.toml", "can't be read: .*null.*")],
)
def test_a_path_that_is_no_file_is_told_in_a_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ProfileError, match=f"^x.toml: {message}$"):
        read_toml(tmp_path / name, "x.toml")


@given(content=st.binary() | st.text().map(str.encode))
def test_any_file_is_toml_or_a_fault(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    with suppress(ProfileError):
        read_toml(file, "any.toml")


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_of_any_keras_is_known(backend: str) -> None:
    assert load_profile_table({"name": "a", "backend": backend}, "here").backend == backend


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```", REFERENCE, re.DOTALL | re.MULTILINE))
def test_the_examples_of_the_reference_are_read(example: str) -> None:
    table = tomli.loads(example)
    for name, profile in table["tool"]["kerasenv"]["profiles"].items() if "tool" in table else [("example", table)]:
        load_profile_table({"name": name, **profile}, "example")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[[constraints]]",
        "[[build-constraints]]",
        "[keras]",
        "[variants.v]",
        "[smoke]",
        "[trial]",
        "[[noise]]",
        "[[system]]",
    ],
)
def test_the_reference_tells_of_every_key(header: str) -> None:
    """An unknown key far from all others is answered with all there are."""
    with pytest.raises(ProfileError) as caught:
        load_profile_table(tomli.loads(f'name = "a"\n{header}\n0000 = 1'), "here")

    known = caught.value.message.rpartition("known here: ")[2].split(", ")
    assert len(known) >= 2
    assert [key for key in known if f"`{key}`" not in REFERENCE] == []
