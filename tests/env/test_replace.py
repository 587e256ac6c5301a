from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kerasenv.env import replace
from kerasenv.env.environment import RECEIPT
from kerasenv.env.replace import check_place, heal, remove_folder, replacing
from kerasenv.errors import EnvironmentFolderError
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")


@pytest.fixture(params=["exchange", "fallback"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let two folders change places in one step, or in two where a system can't do that."""
    if request.param == "fallback":
        monkeypatch.setattr(replace, "_exchange", lambda _one, _other: False)
    name: str = request.param
    return name


def fill(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECEIPT).write_text(name)


def build(place: Path, meanwhile: Callable[[], object]) -> None:
    """Build something new at a place while something else happens."""
    with replacing(place) as built:
        fill(built, "new")
        meanwhile()


def fail_with(error: type[BaseException]) -> Callable[[], None]:
    """Return what goes wrong."""

    def fail() -> None:
        raise error

    return fail


def shown(folder: Path) -> dict[str, str | None]:
    """Return all that lies in a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_text() for path in sorted(folder.rglob("*"))
    }


class TestReplacing:
    def test_a_new_place(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "a" / "b" / "env") as built:
            fill(built, "new")
            assert not (tmp_path / "a" / "b" / "env").exists()
            assert built.stat().st_dev == tmp_path.stat().st_dev

        assert shown(tmp_path) == {"a": None, "a/b": None, "a/b/env": None, f"a/b/env/{RECEIPT}": "new"}

    @pytest.mark.usefixtures("way")
    def test_an_old_environment(self, tmp_path: Path) -> None:
        fill(tmp_path / "env", "old")
        (tmp_path / "env" / "more").mkdir()

        with replacing(tmp_path / "env") as built:
            fill(built, "new")
            assert (tmp_path / "env" / RECEIPT).read_text() == "old"

        assert shown(tmp_path) == {"env": None, f"env/{RECEIPT}": "new"}

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "env").mkdir()

        with replacing(tmp_path / "env") as built:
            fill(built, "new")

        assert shown(tmp_path) == {"env": None, f"env/{RECEIPT}": "new"}

    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
    def test_whatever_goes_wrong_changes_nothing(self, tmp_path: Path, error: type[BaseException]) -> None:
        fill(tmp_path / "old", "old")

        for place in ("old", "not/yet/there"):
            with pytest.raises(error):
                build(tmp_path / place, fail_with(error))

        assert shown(tmp_path) == {"old": None, f"old/{RECEIPT}": "old"}

    def test_folders_that_somebody_uses_meanwhile_stay(self, tmp_path: Path) -> None:
        def use_it_and_fail() -> None:
            (tmp_path / "a" / "mine").touch()
            raise RuntimeError

        with pytest.raises(RuntimeError):
            build(tmp_path / "a" / "b" / "env", use_it_and_fail)

        assert shown(tmp_path) == {"a": None, "a/mine": ""}

    def test_what_somebody_puts_there_meanwhile_stays(self, tmp_path: Path) -> None:
        """A build takes minutes, time enough for `python -m venv`."""

        def take_the_place() -> None:
            (tmp_path / "env").mkdir()
            (tmp_path / "env" / "mine").touch()

        with pytest.raises(EnvironmentFolderError, match="kerasenv didn't make it"):
            build(tmp_path / "env", take_the_place)

        assert shown(tmp_path) == {"env": None, "env/mine": ""}

    def test_the_second_of_two_renames_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then the old one comes back."""
        fill(tmp_path / "env", "old")
        rename = Path.rename

        def fail(self: Path, target: Path) -> Path:
            if self.name == "env" and target == tmp_path / "env":
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            return rename(self, target)

        monkeypatch.setattr(replace, "_exchange", lambda _one, _other: False)
        monkeypatch.setattr(Path, "rename", fail)

        with pytest.raises(EnvironmentFolderError, match="can't be replaced: Permission denied"):
            build(tmp_path / "env", lambda: None)

        assert shown(tmp_path) == {"env": None, f"env/{RECEIPT}": "old"}

    def test_one_at_a_time(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "env") as built:
            fill(built, "first")
            with pytest.raises(EnvironmentFolderError, match="Another kerasenv is at work on"):
                build(tmp_path / "env", lambda: None)
            with pytest.raises(EnvironmentFolderError, match="Another kerasenv is at work on"):
                heal(tmp_path / "env")
            with replacing(tmp_path / "other") as other:
                fill(other, "other")

        assert shown(tmp_path) == {"env": None, f"env/{RECEIPT}": "first", "other": None, f"other/{RECEIPT}": "other"}

    def test_neighbours_whose_names_begin_alike(self, tmp_path: Path) -> None:
        """Each can be built while the other is."""
        with replacing(tmp_path / "env-2") as two, replacing(tmp_path / "env-2-abcdefgh") as three:
            fill(two, "two")
            fill(three, "three")
            with replacing(tmp_path / "env") as one:
                fill(one, "one")

        assert [name for name, content in shown(tmp_path).items() if content] == [
            f"env/{RECEIPT}",
            f"env-2/{RECEIPT}",
            f"env-2-abcdefgh/{RECEIPT}",
        ]


@posix
class TestKilled:
    """Whatever ends the process, and whenever: at the place stands something whole, and the next one just works."""

    @pytest.mark.parametrize("before", ["old", "empty", "none"])
    @pytest.mark.parametrize("way", ["exchange", "fallback"])
    def test_while_replacing(self, tmp_path: Path, way: str, before: str) -> None:
        rows = self._rows(tmp_path, way, before)

        nothing = {"empty", "absent"}
        allowed = {"old": {"old", "new"} | ({"absent"} if way == "fallback" else set())}.get(before, nothing | {"new"})
        for row in rows:
            assert row["after"] in allowed, row
            assert row["healed"] in allowed - ({"absent"} if before == "old" else set()), row
            assert row["next"] == "next", row
            assert row["left"] == ["env"], row
        assert {row["after"] for row in rows} >= {"new"} | ({"old"} if before == "old" else {"absent"})
        if (way, before) == ("fallback", "old"):
            assert "absent" in {row["after"] for row in rows}
        assert len(rows) > 8

    def test_while_removing(self, tmp_path: Path) -> None:
        for row in self._rows(tmp_path, "remove", "old"):
            assert row["after"] in {"old", "absent"}, row
            assert row["healed"] == row["after"], row
            assert row["left"] == (["env"] if row["after"] == "old" else []), row

    @staticmethod
    def _rows(tmp_path: Path, way: str, before: str) -> list[dict[str, Any]]:
        program = Path(__file__).with_name("crash_points.py")
        words: list[str | Path] = [sys.executable, program, CHECKOUT, tmp_path / "folder", way, before]
        done = subprocess.run(words, capture_output=True, check=False, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


class TestHealing:
    def test_what_was_set_aside_comes_back(self, tmp_path: Path) -> None:
        fill(tmp_path / ".kerasenv-env-abcdefgh" / "old", "old")
        fill(tmp_path / ".kerasenv-env-abcdefgh" / "env", "half")

        heal(tmp_path / "env")

        assert shown(tmp_path) == {"env": None, f"env/{RECEIPT}": "old"}

    def test_what_is_there_counts_more(self, tmp_path: Path) -> None:
        fill(tmp_path / ".kerasenv-env-abcdefgh" / "old", "older")
        fill(tmp_path / "env", "newer")

        heal(tmp_path / "env")

        assert shown(tmp_path) == {"env": None, f"env/{RECEIPT}": "newer"}

    @pytest.mark.parametrize("name", ["[a-z]*?", "it's {1,2} $x", "a.b+c", "env-2"])
    @pytest.mark.skipif(sys.platform == "win32", reason="no such names on Windows")
    def test_only_what_belongs_to_the_place(self, tmp_path: Path, name: str) -> None:
        others = [".kerasenv-env-2-abcdefgx", ".kerasenv-a-abcdefgh", ".kerasenv-aXb+c-abcdefgh", ".kerasenv-1"]
        for work in (f".kerasenv-{name}-abcd_fgh", *others):
            (tmp_path / work / "env").mkdir(parents=True)

        heal(tmp_path / name)

        assert not (tmp_path / f".kerasenv-{name}-abcd_fgh").exists()
        gone = {".kerasenv-env-2-abcdefgx"} if name == "env-2" else set()
        assert {path.name for path in tmp_path.iterdir()} == set(others) - gone

    def test_where_nothing_is(self, tmp_path: Path) -> None:
        heal(tmp_path / "a" / "b")

        assert shown(tmp_path) == {}


class TestCheckPlace:
    def test_places_where_one_may_build(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        fill(tmp_path / "ours", "ours")

        for name in ("none", "empty", "ours"):
            check_place(tmp_path / name)

    @posix
    def test_places_where_one_may_not(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "foreign").mkdir()
        (tmp_path / "foreign" / "pyvenv.cfg").touch()
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        os.mkfifo(tmp_path / "pipe")

        for name in ("file", "foreign", "dangling", "pipe"):
            with pytest.raises(EnvironmentFolderError, match=name):
                check_place(tmp_path / name)


class TestRemoving:
    def test_a_folder_is_gone(self, tmp_path: Path) -> None:
        fill(tmp_path / "env", "old")

        remove_folder(tmp_path / "env")

        assert shown(tmp_path) == {}

    @posix
    def test_what_is_read_only_goes_too_and_nothing_else_changes(self) -> None:
        """Neither the folder around it nor what its links lead to.

        File modes hold up nobody but ordinary users, and these don't get into pytest's own folders.
        """
        nobody = 65534
        code = (
            "import os, pathlib, sys; sys.path[0] = sys.argv[1]; from kerasenv.env import replace;"
            f"os.getuid() or os.setuid({nobody}); replace._remove_tree(pathlib.Path(sys.argv[2]))"
        )
        with tempfile.TemporaryDirectory() as name:
            shared, project = Path(name, "shared"), Path(name, "project")
            shared.mkdir(mode=0o755)
            fill(project / "env" / "deep", "old")
            (project / "env" / "deep" / "file").touch(mode=0o400)
            (project / "env" / "deep" / "link").symlink_to(shared)
            (project / "env" / "deep" / "closed").mkdir(mode=0o000)
            (project / "env" / "deep").chmod(0o500)
            project.chmod(0o775)
            if os.getuid() == 0:
                for path in (Path(name), *Path(name).rglob("*")):
                    os.chown(path, nobody, nobody, follow_symlinks=False)

            subprocess.run([sys.executable, "-c", code, str(CHECKOUT), project / "env"], check=True)

            assert not (project / "env").exists()
            assert stat.S_IMODE(project.stat().st_mode) == 0o775
            assert stat.S_IMODE(shared.stat().st_mode) == 0o755
