from __future__ import annotations

import copy
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.errors import ProfileError
from kerasenv.profiles.inherit import inherit, variant_of
from kerasenv.profiles.load import load_profile_table
from kerasenv.smoke.plan import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kerasenv.profiles.load import RawProfile
    from kerasenv.profiles.profile import Profile

BASE = tomli.loads("""
name = "base"
summary = "The base"
era = "then"
requires-python = ">=3.6,<3.8"
platforms = ["linux-x86_64", "windows-x86_64"]
requirements = ["tensorflow==1.15.5", "Keras==2.3.1"]
backend = "tensorflow"

[[constraints]]
requirement = "protobuf<4"
because = "import fails"
seen = "there"

[[constraints]]
requirement = "h5py<3"
because = "loading fails"
seen = "there"

[[build-constraints]]
requirement = "setuptools==59.6.0"
because = "it differs"
seen = "there"

[environment]
A = "base"
B = "base"

[keras]
floatx = "float64"
epsilon = 1e-5

[variants.cpu]
summary = "Without CUDA"
without = ["tensorflow"]
requirements = ["tensorflow-cpu==1.15.0"]

[variants.cuda]
summary = "With CUDA"
requirements = ["tensorflow[and-cuda]==1.15.5"]
platforms = ["linux-x86_64"]

[smoke]
import = "tensorflow.keras"
formats = ["h5"]
""")


def merge(*tables: dict[str, Any]) -> Profile:
    """Merge a profile with those after it, each found by its name."""
    by_name = {table["name"]: load_profile_table(table, f"{table['name']}.toml") for table in tables}

    def parent_of(chain: Sequence[RawProfile]) -> RawProfile:
        return by_name[chain[-1].extends or ""]

    return inherit(by_name[tables[0]["name"]], parent_of)


def child(text: str) -> dict[str, Any]:
    return {"name": "child", "extends": "base", **tomli.loads(text)}


def test_a_profile_alone_is_itself() -> None:
    profile = merge(BASE)

    assert (profile.name, profile.source, profile.lineage) == ("base", "base.toml", ())
    assert (profile.smoke.backend, profile.smoke.trains, profile.smoke.floatx) == ("tensorflow", True, "float64")


def test_what_a_child_leaves_out_is_its_parents() -> None:
    base, profile = merge(BASE), merge(child(""), BASE)

    assert (profile.name, profile.source, profile.lineage) == ("child", "child.toml", ("base",))
    assert profile.requirements == base.requirements
    assert profile.constraints == base.constraints
    assert profile.build_constraints == base.build_constraints
    assert profile.variants == base.variants
    assert profile.smoke == base.smoke
    assert profile.settings == base.settings
    assert profile.platforms == base.platforms


def test_what_a_child_says_wins_text_by_text() -> None:
    profile = merge(
        child("""
        summary = "The child"
        requires-python = "==3.7.*"
        platforms = ["linux-x86_64"]
        [keras]
        epsilon = 1e-3
        [smoke]
        trains = false
        """),
        BASE,
    )

    assert (profile.summary, profile.era) == ("The child", "then")
    assert str(profile.requires_python) == "==3.7.*"
    assert profile.platforms == ("linux-x86_64",)
    assert (profile.settings.floatx, profile.settings.epsilon) == ("float64", 1e-3)
    assert (profile.smoke.import_name, profile.smoke.trains) == ("tensorflow.keras", False)


def test_requirements_are_replaced_by_package_and_else_added() -> None:
    """Names count as an index compares them: keras is Keras."""
    profile = merge(child('requirements = ["keras==2.2.5", "scipy", "scipy<1.8 ; python_version < \'3.7\'"]'), BASE)

    assert [str(requirement) for requirement in profile.requirements] == [
        "tensorflow==1.15.5",
        "keras==2.2.5",
        "scipy",
        'scipy<1.8; python_version < "3.7"',
    ]


def test_constraints_are_replaced_by_package_with_their_reasons() -> None:
    profile = merge(
        child("""
        [[constraints]]
        requirement = "Protobuf<3.20"
        because = "something else"
        seen = "here"
        [[build-constraints]]
        requirement = "setuptools==58"
        because = "something else"
        seen = "here"
        """),
        BASE,
    )

    assert [(str(cap.requirement), cap.because) for cap in profile.constraints] == [
        ("h5py<3", "loading fails"),
        ("Protobuf<3.20", "something else"),
    ]
    assert [str(cap.requirement) for cap in profile.build_constraints] == ["setuptools==58"]


def test_variables_and_variants_are_merged_key_by_key() -> None:
    profile = merge(
        child("""
        [environment]
        B = "child"
        C = "child"
        [variants.cpu]
        summary = "Small"
        [variants.mkl]
        summary = "Other"
        """),
        BASE,
    )

    assert profile.variables == {"A": "base", "B": "child", "C": "child"}
    assert list(profile.variants) == ["cpu", "cuda", "mkl"]
    assert profile.variants["cpu"].summary == "Small"
    assert profile.variants["cpu"].without == ("tensorflow",)


def test_noise_adds_up_and_a_trial_is_the_nearer_one() -> None:
    noisy = """
    [trial]
    idiom = "keras1"
    imports = ["import keras", "from keras.layers.core import Dense"]
    [[noise]]
    text = "BLAS"
    because = "then"
    [[noise]]
    text = "oneDNN"
    because = "then"
    """
    other = """
    [trial]
    imports = ["from keras.layers import Dense"]
    [[noise]]
    text = "BLAS"
    because = "now"
    [[noise]]
    text = "CUDA"
    because = "now"
    """
    parent = BASE | tomli.loads(noisy)

    profile = merge(child(other), parent)

    assert profile.trial == Trial(idiom="keras1", imports=("from keras.layers import Dense",))
    assert [(row.text, row.because) for row in profile.noise] == [("oneDNN", "then"), ("BLAS", "now"), ("CUDA", "now")]
    assert merge(child(""), parent).trial == merge(parent).trial
    assert merge(child("trial.imports = []"), parent).trial.imports == ()
    assert merge(BASE).trial == Trial()


def test_the_nearest_of_many_wins() -> None:
    middle = child('summary = "The middle"\nera = "later"') | {"name": "middle"}
    profile = merge(child('summary = "The child"') | {"extends": "middle"}, middle, BASE)

    assert (profile.summary, profile.era, profile.backend) == ("The child", "later", "tensorflow")
    assert profile.lineage == ("middle", "base")


def test_a_variant_is_only_where_the_profile_is() -> None:
    """A child for fewer machines needn't mend the variants of its parent."""
    assert list(merge(child('platforms = ["windows-x86_64"]'), BASE).variants) == ["cpu"]
    assert list(merge(child('platforms = ["linux-x86_64"]'), BASE).variants) == ["cpu", "cuda"]


@pytest.mark.parametrize(("backend", "trains"), [("numpy", False), ("openvino", False), ("jax", True), (None, True)])
def test_some_backends_only_infer(backend: str | None, *, trains: bool) -> None:
    table = {key: value for key, value in BASE.items() if key != "backend"} | ({"backend": backend} if backend else {})

    assert merge(table).smoke.trains is trains
    assert merge(table | {"smoke": {"trains": not trains}}).smoke.trains is not trains


def test_a_circle_is_shown() -> None:
    one, two = {"name": "one", "extends": "two"}, {"name": "two", "extends": "three"}

    with pytest.raises(ProfileError) as caught:
        merge(one, two, {"name": "three", "extends": "two"})

    assert caught.value.message == (
        "profiles extend each other in a circle: one (one.toml) extends two (two.toml) extends three (three.toml)"
        " extends two (two.toml)"
    )


def test_what_is_missing_in_all_the_line_is_told_as_that() -> None:
    with pytest.raises(ProfileError) as caught:
        merge(child('summary = "a"\nera = "b"'), {"name": "base", "requirements": ["keras"]})

    assert caught.value.message.splitlines() == [
        "child.toml: requires-python: missing, here and in all that it extends",
        "child.toml: platforms: missing, here and in all that it extends",
    ]


def test_a_variant_leaves_out_adds_and_replaces() -> None:
    profile = merge(BASE)

    assert [str(requirement) for requirement in variant_of(profile, "cpu").requirements] == [
        "Keras==2.3.1",
        "tensorflow-cpu==1.15.0",
    ]
    assert [str(requirement) for requirement in variant_of(profile, "cuda").requirements] == [
        "Keras==2.3.1",
        "tensorflow[and-cuda]==1.15.5",
    ]


def test_a_variant_says_where_it_can_be() -> None:
    profile = merge(BASE)

    assert variant_of(profile, "cpu").platforms == profile.platforms
    assert variant_of(profile, "cuda").platforms == ("linux-x86_64",)


def test_an_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(ProfileError, match=r"^base has no variant 'gpu'; it has cpu, cuda$"):
        variant_of(merge(BASE), "gpu")
    with pytest.raises(ProfileError, match=r"^base has no variant 'gpu'; it has none$"):
        variant_of(merge({key: value for key, value in BASE.items() if key != "variants"}), "gpu")


words = st.text(max_size=8) | st.sampled_from(
    ["keras", "keras<3", "base", "linux-x86_64", "{env}", "{", "h5", "jax", ">=3.10", "a @ file:///b", "\0"]
)
scalars = words | st.booleans() | st.integers() | st.floats() | st.just(date(2020, 1, 1))
values = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(words | st.sampled_from([*BASE, "PATH"]), below, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid profile of which a few places, at any depth, hold something else."""
    table = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(0, 4))):
        place: Any = table
        while isinstance(place, (dict, list)) and place:
            key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
            if draw(st.booleans()) or not isinstance(place[key], (dict, list)):
                change = draw(st.sampled_from(["set", "delete", "add"]))
                if change == "set":
                    place[key] = draw(values)
                elif change == "delete":
                    del place[key]
                elif isinstance(place, dict):
                    place[draw(words)] = draw(values)
                else:
                    place.append(draw(values))
                break
            place = place[key]
    return table


@given(table=tables() | values)
def test_any_table_is_a_profile_or_lines_of_faults(table: Any) -> None:
    """Whatever a person writes, they get a profile whose every variant works, or are told line by line."""
    try:
        profile = inherit(load_profile_table(table, "x.toml"), lambda _: load_profile_table(BASE, "base.toml"))
    except ProfileError as error:
        stray = [line for line in error.message.split("\n") if not line.startswith("x.toml: ")]
    else:
        stray = [name for name in profile.variants if not variant_of(profile, name).platforms]
    assert not stray
