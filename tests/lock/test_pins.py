from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from kerasenv.lock.pins import shipped_pins
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.search import find_profile
from tests.lock.wishes import profile

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.profiles.profile import Profile
    from kerasenv.resolution import Pin


def of_user(folder: Path, name: str, **keys: Any) -> Profile:
    """Write a profile of the user's own, and find it."""
    (folder / "profiles").mkdir()
    path = folder / "profiles" / f"{name}.toml"
    path.write_text(tomli_w.dumps({"name": name} | {key.replace("_", "-"): value for key, value in keys.items()}))
    return find_profile(name, cwd=folder)


def without_hashes(pins: tuple[Pin, ...]) -> list[tuple[str, str, str | None]]:
    return [(pin.name, str(pin.version), pin.marker) for pin in pins]


@pytest.mark.parametrize("variant", [None, "cpu", "cuda"])
def test_a_shipped_profile_has_its_own_with_hashes(tmp_path: Path, variant: str | None) -> None:
    found = find_profile("tf2-modern", cwd=tmp_path)
    pins, verified_for = shipped_pins(variant_of(found, variant) if variant else found, variant=variant)

    assert verified_for == "tf2-modern"
    assert {"keras", "numpy", "pip"} <= {pin.name for pin in pins}
    assert all(pin.hashes for pin in pins)
    assert ("tensorflow-cpu" in {pin.name for pin in pins}) == (variant == "cpu")


def test_a_profile_of_nobody_we_know_has_none() -> None:
    assert shipped_pins(profile(name="mine")) == ((), None)


def test_a_child_that_asks_for_the_same_has_those_of_its_parent(tmp_path: Path) -> None:
    """Another backend variable or smoke test is no other set of packages."""
    child = of_user(tmp_path, "mine", extends="tf2-modern", environment={"TF_CPP_MIN_LOG_LEVEL": "2"})

    assert shipped_pins(child) == shipped_pins(find_profile("tf2-modern", cwd=tmp_path.parent))


@pytest.mark.parametrize(
    "asked",
    [
        {"requirements": ["pandas"]},
        {"requires_python": ">=3.10,<3.15"},
        {"platforms": ["linux-x86_64", "macos-x86_64"]},
        {"constraints": [{"requirement": "numpy<2.3", "because": "it is slow", "seen": "here"}]},
    ],
    ids=lambda asked: next(iter(asked)),
)
@pytest.mark.parametrize("name", ["mine", "tf2-modern"])
def test_a_child_that_asks_for_more_has_only_versions_to_prefer(
    tmp_path: Path, name: str, asked: dict[str, Any]
) -> None:
    """Taken for the answer they would lack what it adds, and their hashes know nothing of its other machines.

    It may even have its parent's name: then it comes before the shipped one.
    """
    parent, _ = shipped_pins(find_profile("tf2-modern", cwd=tmp_path))
    child = of_user(tmp_path, name, extends="tf2-modern", **asked)
    pins, verified_for = shipped_pins(child)

    assert verified_for == "the shipped tf2-modern"
    assert verified_for != child.name
    assert without_hashes(pins) == without_hashes(parent)
    assert not any(pin.hashes for pin in pins)


def test_another_profile_that_happens_to_have_the_name(tmp_path: Path) -> None:
    other = of_user(
        tmp_path,
        "theano-legacy",
        summary="Mine.",
        era="now",
        requires_python=">=3.10",
        platforms=["linux-x86_64"],
        requirements=["torch"],
    )

    assert shipped_pins(other)[1] == "the shipped theano-legacy"


def test_a_variant_of_the_users_own_has_none(tmp_path: Path) -> None:
    child = of_user(
        tmp_path,
        "mine",
        extends="tf2-modern",
        variants={"rocm": {"summary": "For AMD.", "without": ["tensorflow"], "requirements": ["tensorflow-rocm"]}},
    )

    assert shipped_pins(variant_of(child, "rocm"), variant="rocm") == ((), None)
