"""The files of a lock from another index than the one that the lock names, and what becomes of a password for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.isolation import private_environ
from tests.local_index import LocalIndex, Wheel
from tests.programs import start_kerasenv
from tests.project import Project, is_whole, packages_of
from tests.standard_index import standard_index

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMPY = "numpy-2.0-py2.py3-none-any.whl"
SECRET = "hunter2-is-no/password"  # noqa: S105  # it opens a door of this test alone


@pytest.fixture
def mirror() -> Iterator[LocalIndex]:
    """Serve the standard set to those who know the password."""
    with LocalIndex(credentials=("me", SECRET)) as mirror:
        standard_index(mirror)
        yield mirror


@pytest.fixture
def clone(made: Project, tmp_path: Path) -> Project:
    """Return a folder with the lock alone."""
    clone = Project(tmp_path / "clone")
    clone.folder.mkdir()
    clone.lock.write_bytes(made.lock.read_bytes())
    return clone


def files_with(secret: str, *folders: Path) -> list[Path]:
    """Return every file that holds a secret, as it is or as an address writes it."""
    words = [secret.encode(), quote(secret, safe="").encode()]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(word in path.read_bytes() for word in words)]


class TestAnotherIndex:
    def test_the_same_files(self, clone: Project, made: Project, own_index: LocalIndex, index: LocalIndex) -> None:
        clone.done("rebuild", "--index-url", own_index.url)

        assert is_whole(clone.environment)
        assert packages_of(clone.environment) == packages_of(made.environment)
        assert len(own_index.downloads) == 7
        assert not index.requests

    def test_one_that_a_variable_names(self, clone: Project, own_index: LocalIndex, index: LocalIndex) -> None:
        clone.done("rebuild", "--no-smoke", env=own_index.environ)

        assert len(own_index.downloads) == 7
        assert not index.downloads

    def test_create_with_the_lock_that_is_there(self, clone: Project, own_index: LocalIndex) -> None:
        Project.make(clone.folder)
        before = clone.lock.read_bytes()

        clone.done("create", "tiny", "--no-smoke", "--index-url", own_index.url)

        assert len(own_index.downloads) == 7
        assert clone.lock.read_bytes() == before

    def test_nobody_asks_for_pages_of_the_index_that_the_lock_names(self, clone: Project, index: LocalIndex) -> None:
        clone.done("rebuild", "--no-smoke", "--index-url", index.url)

        assert not index.pages

    def test_what_is_in_the_cache_is_not_fetched_again(self, clone: Project, own_index: LocalIndex) -> None:
        """It is the same file, wherever it comes from."""
        clone.done("rebuild", "--no-smoke", "--index-url", own_index.url)
        own_index.forget()
        other = Project(clone.folder.parent / "other")
        other.folder.mkdir()
        other.lock.write_bytes(clone.lock.read_bytes())
        other.done("rebuild", "--no-smoke", "--offline", "--index-url", own_index.url)

        assert not own_index.requests

    @pytest.mark.parametrize("html_only", [False, True])
    def test_an_old_one_that_knows_no_hashes(self, clone: Project, *, html_only: bool) -> None:
        """What it gives is verified all the same."""
        with LocalIndex(html_only=html_only, hashes=False) as old:
            standard_index(old)
            clone.done("rebuild", "--no-smoke", "--index-url", old.url)

            old.add(Wheel(name="numpy", version="2.0", files={"numpy.py": "evil = 1\n"}, requires_python=">=3.10"))
            error = clone.refused("rebuild", "--force", "--index-url", old.url, env={"UV_CACHE_DIR": "empty"})

        assert "differs" in error

    def test_a_file_that_is_another_one(self, clone: Project, own_index: LocalIndex) -> None:
        own_index.add(Wheel(name="numpy", version="2.0", files={"numpy.py": "evil = 1\n"}, requires_python=">=3.10"))

        error = clone.refused("rebuild", "--index-url", own_index.url)

        assert "The index has other files of numpy 2.0 than those that the lock names: their sha256 differs." in error
        assert not own_index.downloads

    def test_a_file_that_is_not_there(self, clone: Project, own_index: LocalIndex) -> None:
        own_index.remove("numpy-2*")

        error = clone.refused("rebuild", "--index-url", own_index.url)

        assert "The index has no file of numpy 2.0 that the lock names." in error
        assert NUMPY in error

    def test_a_project_that_is_not_there(self, clone: Project, own_index: LocalIndex) -> None:
        own_index.remove("numpy-*")

        error = clone.refused("rebuild", "--index-url", own_index.url)

        assert "The index has no project numpy." in error
        assert "without it, files come from the lock's addresses" in error


class TestPasswords:
    """They are in the address, in a netrc file or in a keyring, and nowhere else afterwards."""

    def check(self, clone: Project, tmp_path: Path, *, url: str, **environ: str) -> None:
        """Rebuild and bundle with an empty home, and look into every file that came to be."""
        home, temporary = tmp_path / "another home", tmp_path / "temporary"
        temporary.mkdir()
        home.mkdir(exist_ok=True)
        env = private_environ(home) | {"TMPDIR": str(temporary)} | environ
        before = set(files_with(SECRET, tmp_path))
        clone.done("rebuild", "-v", "--index-url", url, env=env)
        clone.done("bundle", "-v", "-o", "y.zip", f"--python={sys.version_info[0]}.{sys.version_info[1]}",
                   "--index-url", url, env=env)  # fmt: skip

        assert is_whole(clone.environment)
        assert set(files_with(SECRET, tmp_path)) == before
        assert len(list(home.rglob("*"))) > 50
        assert list(temporary.iterdir()) == []

    def test_in_the_address(self, clone: Project, mirror: LocalIndex, index: LocalIndex, tmp_path: Path) -> None:
        self.check(clone, tmp_path, url=mirror.url_with_credentials)
        assert len(mirror.downloads) == 14
        assert index.pages == []

    def test_in_a_netrc_file(self, clone: Project, mirror: LocalIndex, index: LocalIndex, tmp_path: Path) -> None:
        assert index.url
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1\nlogin me\npassword {SECRET}\n", "utf-8")
        netrc.chmod(0o600)

        self.check(clone, tmp_path, url=mirror.url, NETRC=str(netrc))

    @pytest.mark.skipif(sys.platform == "win32", reason="the keyring of this test is a script")
    def test_in_a_keyring(self, clone: Project, mirror: LocalIndex, index: LocalIndex, tmp_path: Path) -> None:
        assert index.url
        keyring = tmp_path / "bin" / "keyring"
        keyring.parent.mkdir()
        keyring.write_text(f'#!/bin/sh\n[ "$3" = me ] && echo "{SECRET}"\n', "utf-8")
        keyring.chmod(0o755)
        path = f"{keyring.parent}{os.pathsep}{os.environ['PATH']}"

        url = mirror.url.replace("://", "://me@")
        self.check(clone, tmp_path, url=url, PATH=path, UV_KEYRING_PROVIDER="subprocess")

    def test_a_new_lock_and_what_is_built(self, mirror: LocalIndex, tmp_path: Path) -> None:
        """The build's own packages come from the mirror too."""
        constraint = {"requirement": "tiny-build<2", "because": "2 makes no wheels", "seen": "here"}
        needs = {"requirements": ["tensorflow", "keras", "antique"], "build-constraints": [constraint]}
        project = Project.make(tmp_path / "project", **needs)
        env = private_environ(tmp_path / "another home")

        project.done("create", "tiny", "--index-url", mirror.url_with_credentials, env=env)

        assert "antique-1.0.tar.gz" in mirror.downloads
        assert files_with(SECRET, tmp_path) == []

    def test_a_wrong_one(self, clone: Project, mirror: LocalIndex) -> None:
        error = clone.refused("rebuild", "--index-url", mirror.url.replace("://", "://me:guess@"))

        assert "The index wants to know who asks." in error
        assert "guess" not in error

    @pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc to look into")
    def test_nobody_sees_it_in_the_list_of_processes(self, mirror: LocalIndex, tmp_path: Path) -> None:
        """Nor in that of the processes that kerasenv starts; its own command line is the user's business."""
        project = Project.make(tmp_path / "project")
        environ = {"UV_DEFAULT_INDEX": mirror.url_with_credentials}
        seen: list[str] = []
        with (
            mirror.trouble("numpy-2*.whl", hold=True) as trouble,
            start_kerasenv("create", "tiny", "--no-smoke", cwd=project.folder, env=environ) as process,
        ):
            assert trouble.met.wait(120)
            seen = [line for line in _command_lines() if "uv" in line]
            trouble.release.set()
            _, stderr = process.communicate(timeout=120)

        assert process.returncode == 0, stderr
        assert any("sync" in line for line in seen)
        assert not [line for line in seen if "hunter2" in line]


def _command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # it ended meanwhile
            continue
    return found
