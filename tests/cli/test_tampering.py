"""One flipped byte, wherever it is: refused or reported, by name."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def flip(path: Path, place: int) -> None:
    """Change one bit; the file becomes another one, so that nothing else that shares it changes."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.fixture
def clone(made: Project, tmp_path: Path) -> Project:
    """Return a folder with the lock alone; the cache is empty."""
    clone = Project(tmp_path / "clone")
    clone.folder.mkdir()
    clone.lock.write_bytes(made.lock.read_bytes())
    return clone


class TestOnTheWay:
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.95], ids=["beginning", "middle", "end"])
    def test_a_wheel_of_the_index(self, own_project: Project, own_index: LocalIndex, share: float) -> None:
        own_project.done("create", "tiny", "--no-smoke")
        name = "numpy-2.0-py2.py3-none-any.whl"
        body = bytearray(own_index.find_file(name) or b"")
        body[int(len(body) * share)] ^= 1
        other = Project(own_project.folder.parent / "other")
        other.folder.mkdir()
        other.lock.write_bytes(own_project.lock.read_bytes())

        with own_index.trouble(name, body=bytes(body)):
            error = other.refused("rebuild", env={"UV_CACHE_DIR": str(other.folder.parent / "empty cache")})

        assert "A file is not the one that the lock names: it" in error
        assert "numpy" in error
        assert not other.environment.exists()

    @pytest.mark.parametrize("more", [b"", b"x"], ids=["shorter", "longer"])
    def test_a_wheel_of_another_length(self, own_project: Project, own_index: LocalIndex, more: bytes) -> None:
        """uv compares what the server says of the length before it downloads anything."""
        own_project.done("create", "tiny", "--no-smoke")
        name = "numpy-2.0-py2.py3-none-any.whl"
        body = own_index.find_file(name) or b""
        other = Project(own_project.folder.parent / "other")
        other.folder.mkdir()
        other.lock.write_bytes(own_project.lock.read_bytes())

        with own_index.trouble(name, body=body + more if more else body[:-1]):
            error = other.refused("rebuild", env={"UV_CACHE_DIR": str(other.folder.parent / "empty cache")})

        assert "A file is not the one that the lock names: it" in error
        assert "numpy" in error


class TestInTheLock:
    def test_a_digit_of_a_hash(self, clone: Project, index: LocalIndex) -> None:
        digest = index.sha256("numpy-2.0-py2.py3-none-any.whl")
        other = ("0" if digest[0] != "0" else "1") + digest[1:]
        clone.lock.write_text(clone.lock.read_text("utf-8").replace(digest, other), "utf-8")

        error = clone.refused("rebuild")

        assert "its sha256 differs" in error
        assert "numpy" in error

    def test_a_digit_of_a_hash_with_a_warm_cache(self, clone: Project, index: LocalIndex) -> None:
        """What was verified with another digest doesn't count."""
        clone.done("rebuild", "--no-smoke")
        digest = index.sha256("numpy-2.0-py2.py3-none-any.whl")
        clone.lock.write_text(clone.lock.read_text("utf-8").replace(digest, "0" * 64), "utf-8")

        error = clone.refused("rebuild", "--force")

        assert "its sha256 differs" in error


class TestInTheCache:
    """uv takes what it unpacked before as it is; it is compared after it was installed.

    Offline, since the index of the tests says of nothing how long it may be kept.
    """

    def test_every_kind_of_file(self, clone: Project, home: Path) -> None:
        clone.done("rebuild", "--no-smoke")
        unpacked = home / ".cache" / "uv" / "archive-v0"
        for name in ("numpy/__init__.py", "numpy-2.0.dist-info/RECORD"):
            (place,) = unpacked.glob(f"*/{name}")
            before = place.read_bytes()
            flip(place, 1 if place.name == "RECORD" else len(before) - 3)

            error = clone.refused("rebuild", "--force", "--no-smoke", "--offline")

            assert "Not all that was installed is what its package says of it: 1 of " in error
            assert re.search(r"^  numpy: ", error, re.MULTILINE)
            assert "hint: Something changed what uv keeps of earlier installs: uv cache clean numpy" in error
            place.write_bytes(before)
        clone.done("rebuild", "--force", "--no-smoke", "--offline")

    def test_what_only_describes_a_wheel_is_told(self, clone: Project, home: Path) -> None:
        """It isn't refused: there are wheels that were published like that."""
        clone.done("rebuild", "--no-smoke")
        (place,) = (home / ".cache" / "uv" / "archive-v0").glob("*/numpy-2.0.dist-info/METADATA")
        flip(place, len(place.read_bytes()) - 3)

        done = clone.done("rebuild", "--force", "--no-smoke", "--offline")

        assert "numpy-2.0.dist-info/METADATA isn't what the package says of it" in done.stderr

    def test_what_was_built(self, own_project: Project, home: Path) -> None:
        constraint = {"requirement": "tiny-build<2", "because": "2 makes no wheels", "seen": "here"}
        needs = ["tensorflow", "keras", "theano"]
        Project.make(own_project.folder, requirements=needs, build_constraints=[constraint])
        own_project.done("create", "tiny", "--no-smoke")
        (place,) = (home / ".cache" / "uv" / "archive-v0").glob("*/theano/__init__.py")
        flip(place, 3)

        error = own_project.refused("rebuild", "--force", "--no-smoke", "--offline")

        assert "theano/__init__.py (changed)" in error

    def test_the_old_environment_stays(self, clone: Project, home: Path) -> None:
        clone.done("rebuild", "--no-smoke")
        receipt = (clone.environment / "kerasenv.json").read_bytes()
        (place,) = (home / ".cache" / "uv" / "archive-v0").glob("*/numpy/__init__.py")
        flip(place, 3)

        clone.refused("rebuild", "--force", "--no-smoke", "--offline")

        assert (clone.environment / "kerasenv.json").read_bytes() == receipt
        assert not clone.leftovers()


def test_in_a_bundle(made: Project, clone: Project, tmp_path: Path) -> None:
    """Anywhere at all: in a wheel, its name, the manifest, the lock, the directory at the end."""
    bundle = tmp_path / "x.zip"
    made.done("bundle", "-o", bundle, "--python", MINOR)
    content = bundle.read_bytes()
    places = [content.index(b"numpy-2.0"), content.index(b'"sha256"'), content.index(b"created-by"), len(content) - 5]
    for place in places:
        flip(bundle, place)

        assert "x.zip is no bundle that can be trusted" in clone.refused("rebuild", bundle)

        bundle.write_bytes(content)


def test_in_an_installed_file(clone: Project) -> None:
    clone.done("rebuild", "--no-smoke")
    (place,) = clone.environment.rglob("numpy/__init__.py")
    flip(place, 3)

    done = clone.run("verify", "--json")

    assert done.returncode == 1
    told = json.loads(done.stdout)["data"]["differences"]
    assert [(one["name"].rpartition("site-packages/")[2], one["what"]) for one in told] == [
        ("numpy/__init__.py", "changed")
    ]
