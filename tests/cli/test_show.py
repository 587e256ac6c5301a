from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.project import Project

if TYPE_CHECKING:
    from pathlib import Path


def test_each_cap_has_its_reason(tmp_path: Path) -> None:
    shown = Project(tmp_path).json("show", "tf1-legacy-standalone")["data"]
    text = Project(tmp_path).done("show", "tf1-legacy-standalone").stdout

    assert shown["constraints"]
    for cap in shown["constraints"]:
        assert cap["because"] in text
        assert cap["seen"] in text
        assert cap["requirement"].partition("<")[0] in text


@pytest.mark.parametrize("name", ["tf2-modern", "tf1-legacy-standalone", "theano-legacy"])
def test_a_shipped_profile(tmp_path: Path, name: str) -> None:
    envelope = Project(tmp_path).json("show", name)

    shown = envelope["data"]
    assert shown["name"] == name
    assert shown["pins"]
    assert shown["variables"]["KERAS_BACKEND"] in {"tensorflow", "theano"}
    assert shown["platforms"]


def test_a_profile_of_the_users_that_extends_a_shipped_one(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nsummary = "Ours"\nextends = "tf2-modern"\nrequirements = ["pandas"]\n'
        '[environment]\nTF_CPP_MIN_LOG_LEVEL = "2"\n[variants.small]\nsummary = "Less"\nwithout = ["pandas"]\n'
    )

    text = project.done("show", "./mine.toml").stdout

    assert text.startswith("mine: Ours\n")
    for line in ("extends    tf2-modern", "pandas", "TF_CPP_MIN_LOG_LEVEL=2", "small: Less", "verified   not yet"):
        assert line in text
    assert "make it:  kerasenv create ./mine.toml" in text


def test_a_variant(tmp_path: Path) -> None:
    project = Project(tmp_path)

    plain = project.json("show", "tf2-modern")["data"]
    cuda = project.json("show", "tf2-modern", "--variant", "cuda")["data"]

    assert [variant["name"] for variant in plain["variants"]] == ["cpu", "cuda"]
    assert cuda["requirements"] != plain["requirements"]
    assert any(pin.startswith("nvidia-") for pin in cuda["pins"])
    assert "kerasenv create tf2-modern --variant cuda" in project.done("show", "tf2-modern", "--variant=cuda").stdout


def test_an_unknown_one_names_the_nearest(tmp_path: Path) -> None:
    error = Project(tmp_path).refused("show", "theano-legcay")

    assert "did you mean 'theano-legacy'?" in error


def test_a_broken_one_says_what_and_where(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text('name = "broken"\nbackend = "teapot"\nsummary = 1\n')

    error = Project(tmp_path).refused("show", "./broken.toml")

    assert "broken.toml: backend: 'teapot' is unknown" in error
    assert "broken.toml: summary: must be text, not a number" in error
