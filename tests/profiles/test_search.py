from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.errors import ProfileError
from kerasenv.folders import config_folder
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import Listing, find_profile, list_profiles
from kerasenv.resources import shipped_profiles

SHIPPED = sorted(path.stem for path in shipped_profiles().glob("*.toml"))
FIELDS = """
summary = "{summary}"
era = "today"
requires-python = ">=3.10"
platforms = ["linux-x86_64"]
requirements = ["keras"]
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return an empty folder below a pyproject.toml without profiles, so that none farther up is found."""
    (tmp_path / "pyproject.toml").touch()
    folder = tmp_path / "project" / "deep"
    folder.mkdir(parents=True)
    return folder


def write(file: Path, name: str, text: str | None = None) -> Path:
    """Write a profile; its summary is the file's parent folder, unless a text is given."""
    file.parent.mkdir(parents=True, exist_ok=True)
    body = FIELDS.format(summary=file.parent.name) if text is None else text
    file.write_text(f'name = "{name}"\n{body}', "utf-8")
    return file


def write_pyproject(folder: Path, name: str, text: str | None = None) -> Path:
    file = folder / "pyproject.toml"
    body = FIELDS.format(summary="pyproject") if text is None else text
    file.write_text(f"[project]\nname = 'other'\n[tool.kerasenv.profiles.{name}]\n{body}", "utf-8")
    return file


def users() -> Path:
    return config_folder() / "profiles"


# The shipped profiles


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_is_valid_with_each_variant(here: Path, name: str) -> None:
    profile = find_profile(name, cwd=here)

    assert profile.name == name
    assert profile.source == f"shipped profiles{os.sep}{name}.toml"
    for variant in profile.variants:
        chosen = variant_of(profile, variant)
        assert set(chosen.platforms) <= set(profile.platforms)
        assert chosen.requirements != profile.requirements


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_says_what_it_needs_to_work(here: Path, name: str) -> None:
    """A shipped profile names its backend, bounds the Pythons on both sides, and asks for Keras."""
    profile = find_profile(name, cwd=here)

    assert profile.backend is not None
    # Of Python 2 there is one version left
    assert str(profile.requires_python) == "==2.7.*" or {one.operator for one in profile.requires_python} == {">=", "<"}
    assert "keras" in {requirement.name for requirement in profile.requirements}


def test_theano_compiles_inside_its_environment_whatever_that_is_called(here: Path) -> None:
    """Theano reads its flags as a shell reads words, with commas between them."""
    folder = r"C:\Users\o'brien\a b, c #1"
    words = shlex.shlex(
        find_profile("theano-legacy", cwd=here).variables["THEANO_FLAGS"].format(env=folder), posix=True
    )
    words.whitespace, words.whitespace_split = ",", True

    assert list(words) == [f"base_compiledir={folder}/theano"]


# By path


@pytest.mark.parametrize("text", ["mine.toml", "MINE.TOML", "./mine.toml", "sub/mine.toml", "sub/noextension"])
def test_a_path_names_a_file(here: Path, text: str) -> None:
    write(here / text, "anything")

    assert find_profile(text, cwd=here).name == "anything"
    assert find_profile(str(here / text), cwd=Path.cwd()).name == "anything"


def test_a_path_is_told_as_seen_from_here(here: Path) -> None:
    with pytest.raises(ProfileError, match=r"^sub.x\.toml: there is no such file$"):
        find_profile("sub/x.toml", cwd=here)
    with pytest.raises(ProfileError) as caught:
        find_profile(str(here.parent / "x.toml"), cwd=here)
    assert caught.value.message == f"{here.parent / 'x.toml'}: there is no such file"


# By name


def test_yours_come_before_shipped_ones(here: Path) -> None:
    """Each place hides those after it."""
    name = "tf2-modern"
    shipped = find_profile(name, cwd=here)
    write(users() / f"{name}.toml", name, FIELDS.format(summary="users"))
    of_user = find_profile(name, cwd=here)
    write(here / "profiles" / f"{name}.toml", name)
    of_folder = find_profile(name, cwd=here)
    write_pyproject(here, name)
    of_project = find_profile(name, cwd=here)

    profiles = [shipped, of_user, of_folder, of_project]
    assert [profile.summary for profile in profiles[1:]] == ["users", "profiles", "pyproject"]
    assert [profile.source for profile in profiles] == [
        f"shipped profiles{os.sep}{name}.toml",
        str(users() / f"{name}.toml"),
        f"profiles{os.sep}{name}.toml",
        f"pyproject.toml [tool.kerasenv.profiles.{name}]",
    ]


def test_the_nearest_pyproject_counts(here: Path) -> None:
    above = write_pyproject(here.parent, "mine")

    assert find_profile("mine", cwd=here).source == f"{above} [tool.kerasenv.profiles.mine]"

    (here / "pyproject.toml").touch()
    with pytest.raises(ProfileError, match="there is no profile 'mine'"):
        find_profile("mine", cwd=here)


def test_a_name_in_pyproject_is_that_of_its_table(here: Path) -> None:
    write_pyproject(here, "mine", FIELDS + "name = 'other'")

    with pytest.raises(ProfileError, match=r"^pyproject.toml \[tool.kerasenv.profiles.mine\]: name: is 'other', but"):
        find_profile("mine", cwd=here)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool = 1", "pyproject.toml: tool: must be a table"),
        ("[[tool.kerasenv]]", "pyproject.toml: tool.kerasenv: must be a table"),
        ("[tool.kerasenv]\nprofiles = []", "pyproject.toml: tool.kerasenv.profiles: must be a table"),
        (
            "[tool.kerasenv.profiles]\ntf2-modern = 1",
            "pyproject.toml [tool.kerasenv.profiles.tf2-modern]: must be a table, not a number",
        ),
    ],
)
def test_a_pyproject_that_is_off_is_told(here: Path, text: str, message: str) -> None:
    (here / "pyproject.toml").write_text(text, "utf-8")

    with pytest.raises(ProfileError) as caught:
        find_profile("tf2-modern", cwd=here)

    assert caught.value.message == message


def test_a_file_in_a_folder_of_profiles_is_called_as_its_profile(here: Path) -> None:
    write(here / "profiles" / "mine.toml", "yours")

    with pytest.raises(ProfileError, match="name: is 'yours', but it stands under the name 'mine'"):
        find_profile("mine", cwd=here)


def test_an_unknown_name_tells_the_nearest_and_the_places(here: Path) -> None:
    write(users() / "my-theano.toml", "my-theano")

    with pytest.raises(ProfileError) as caught:
        find_profile("tf3-modern", cwd=here)

    assert caught.value.message == "there is no profile 'tf3-modern'; did you mean 'tf2-modern'?"
    assert caught.value.looked_at == (
        f"{here.parents[1] / 'pyproject.toml'} [tool.kerasenv.profiles]",
        "profiles",
        str(users()),
        "shipped profiles",
    )
    assert caught.value.hints == ("kerasenv list",)


def test_an_unknown_name_far_from_all_tells_all(here: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        find_profile("zzz", cwd=here)

    assert caught.value.message == f"there is no profile 'zzz'; known here: {', '.join(SHIPPED)}"


@given(text=st.text() | st.text(alphabet="./\\~$ \n-az", max_size=6) | st.just("a" * 5000))
def test_any_text_is_a_profile_or_an_error(text: str) -> None:
    """No name reaches outside the folders it is looked up in, or ends in anything but a ProfileError."""
    with pytest.raises(ProfileError):
        find_profile(text, cwd=Path("nowhere"))


# What extends what


def test_a_child_finds_its_parent_in_the_same_line(here: Path) -> None:
    write(here / "profiles" / "mine.toml", "mine", 'extends = "tf2-modern"\nsummary = "Mine"')
    child = write(here / "child.toml", "child", 'extends = "mine"\nrequirements = ["scipy"]')

    profile = find_profile(str(child), cwd=here)

    assert (profile.name, profile.lineage, profile.summary) == ("child", ("mine", "tf2-modern"), "Mine")
    assert profile.requirements[-1].name == "scipy"


def test_extending_its_own_name_means_the_next_in_line(here: Path) -> None:
    """This is how a shipped profile is tweaked; it works from every place, and from one place to the next."""
    name = "tf2-modern"
    own = f'extends = "{name}"\n'
    write(users() / f"{name}.toml", name, own + 'summary = "users"')
    write(here / "profiles" / f"{name}.toml", name, own + 'era = "profiles"')
    write_pyproject(here, name, own + 'backend = "jax"')
    by_path = write(here / "x.toml", name, own + '[environment]\nA = "path"')

    profiles = [find_profile(text, cwd=here) for text in (str(by_path), name, f"profiles/{name}.toml")]

    assert [len(profile.lineage) for profile in profiles] == [4, 3, 2]
    assert [profile.summary for profile in profiles] == ["users"] * 3
    assert [profile.era for profile in profiles] == ["profiles"] * 3
    assert [profile.backend for profile in profiles] == ["jax", "jax", "tensorflow"]
    assert [dict(profile.variables) for profile in profiles] == [{"A": "path"}, {}, {}]


def test_a_missing_parent_is_told_with_the_way_there(here: Path) -> None:
    write(here / "profiles" / "mine.toml", "mine", 'extends = "thano-legacy"')
    write(here / "profiles" / "child.toml", "child", 'extends = "mine"')

    with pytest.raises(ProfileError) as caught:
        find_profile("child", cwd=here)

    assert caught.value.message == (
        f"profiles{os.sep}mine.toml: extends: there is no profile 'thano-legacy' (child (profiles{os.sep}child.toml)"
        f" extends mine (profiles{os.sep}mine.toml) extends thano-legacy); did you mean 'theano-legacy'?"
    )


def test_its_own_name_without_a_next_is_missing(here: Path) -> None:
    write(here / "profiles" / "mine.toml", "mine", 'extends = "mine"')

    with pytest.raises(ProfileError, match=r"mine\.toml: extends: there is no other profile 'mine'"):
        find_profile("mine", cwd=here)


def test_a_circle_over_several_files_is_shown(here: Path) -> None:
    write(here / "profiles" / "one.toml", "one", 'extends = "two"')
    write_pyproject(here, "two", 'extends = "one"')

    with pytest.raises(ProfileError, match=r"in a circle: one \(.*\) extends two \(.*\) extends one \(.*\)$"):
        find_profile("one", cwd=here)


def test_a_broken_parent_tells_its_own_faults(here: Path) -> None:
    write(here / "profiles" / "mine.toml", "mine", "sumary = 1")
    write(here / "profiles" / "child.toml", "child", 'extends = "mine"')

    with pytest.raises(ProfileError, match=r"^profiles.mine\.toml: sumary: unknown; did you mean 'summary'\?$"):
        find_profile("child", cwd=here)


# All of them


def names(listing: Listing) -> list[str]:
    return [profile.name for profile in listing.profiles]


def test_the_list_has_what_the_names_find(here: Path) -> None:
    write(users() / "theirs.toml", "theirs")
    write(here / "profiles" / "tf2-modern.toml", "tf2-modern")
    (here / "profiles" / "pylock.tf2-modern.toml").write_text("lock-version = '1.0'", "utf-8")
    write_pyproject(here, "mine")

    listing = list_profiles(cwd=here)

    assert names(listing) == sorted([*SHIPPED, "mine", "theirs"])
    assert not listing.errors
    assert [profile.source for profile in listing.profiles] == [
        find_profile(name, cwd=here).source for name in names(listing)
    ]


def test_a_broken_profile_does_not_hide_the_others(here: Path) -> None:
    """It hides the one that it stands before, though: that isn't what its name finds."""
    write(here / "profiles" / "tf2-modern.toml", "tf2-modern", "summary = 1")
    write(here / "profiles" / "child.toml", "child", "extends = 'tf2-modern'")
    write(here / "profiles" / "My Profile.toml", "my-profile")

    listing = list_profiles(cwd=here)

    assert names(listing) == [name for name in SHIPPED if name != "tf2-modern"]
    assert [error.message for error in listing.errors] == [
        f"profiles{os.sep}My Profile.toml: name: is 'my-profile', but it stands under the name 'My Profile'",
        f"profiles{os.sep}tf2-modern.toml: summary: must be text, not a number",
    ]


def test_a_broken_pyproject_does_not_hide_the_others(here: Path) -> None:
    (here / "pyproject.toml").write_text("{{ cookiecutter }}", "utf-8")

    listing = list_profiles(cwd=here)

    assert names(listing) == SHIPPED
    assert [error.message.partition(":")[0] for error in listing.errors] == ["pyproject.toml"]


def test_in_the_checkout_each_shipped_profile_is_there_once() -> None:
    """There, ./profiles/ is the folder that ships."""
    listing = list_profiles(cwd=shipped_profiles().parent)

    assert names(listing) == SHIPPED
    assert all(profile.source.startswith("shipped profiles") for profile in listing.profiles)
