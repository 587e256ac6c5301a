"""kerasenv store: what a person and a program hear of it, and that environments never notice."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from kerasenv.cli.app import main
from kerasenv.store.entry import rows_of
from kerasenv.store.info import Info
from kerasenv.store.place import Key, keys_there, store_folder
from kerasenv.store.tidy import Tidied
from kerasenv.store.uses import note_use
from kerasenv.store.verify import Verified
from kerasenv.workflow import keep
from tests.kept import NEEDS, entry_of, other_process, overwrite
from tests.programs import start_kerasenv
from tests.project import is_whole

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex
    from tests.project import Project


@pytest.fixture
def kept(made: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose environment the store keeps; other tests have the same environment."""
    monkeypatch.setenv("KERASENV_STORE", "1")
    keep.main(made.environment, time.time_ns())
    return made


def keras() -> Key:
    """Return the entry of keras."""
    (key,) = (key for key in keys_there() if key.package.startswith("keras-"))
    return key


def spoil(key: Key) -> str:
    """Change one byte of an entry that several environments have; return the path of the file within the entry."""
    entry = entry_of(key)
    path = next(row.path for row in rows_of(entry) if row.path.endswith(".pyc"))
    content = (entry.tree / path).read_bytes()
    shutil.rmtree(entry.spare)
    (entry.tree / path).rename(entry.tree / f"{path}.was")  # no environment is to have it
    shutil.copy2(entry.tree / f"{path}.was", entry.tree / path)
    (entry.tree / f"{path}.was").unlink()
    overwrite(entry.tree / path, content[:-1] + bytes([content[-1] ^ 1]))
    return path


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


class TestInfo:
    def test_an_empty_store(self, made: Project) -> None:
        assert made.done("store", "info").stdout == (
            f"{store_folder()}: 0 entries, 0.0 MB\n"
            "  switched off by KERASENV_STORE=0: nothing is taken from it, nothing is put into it\n"
        )

    def test_what_is_kept(self, kept: Project) -> None:
        said = kept.done("store", "info").stdout.splitlines()

        assert said[0].startswith(f"{store_folder()}: 7 entries, ")
        assert f"for {kept.environment}" in said
        (row,) = (line for line in said if line.startswith("keras "))
        assert row.endswith("1 environment")
        assert said[-1] == "  what no environment needs any more:  kerasenv store gc"
        assert not any("switched off" in line or "now" in line for line in said)

    def test_what_programs_hear(self, kept: Project) -> None:
        envelope = kept.json("store", "info")

        assert (envelope["command"], envelope["status"]) == ("store info", "ok")
        data = envelope["data"]
        assert list(data) == [field.name for field in fields(Info)]
        assert (data["switched_on"], data["busy"], len(data["entries"])) == (True, False, 7)
        assert {one["package"] for one in data["entries"]} >= {"keras", "numpy", "tensorflow"}
        assert all(one["environments"] == [str(kept.environment)] for one in data["entries"])

    def test_it_says_that_somebody_is_at_work(self, kept: Project) -> None:
        code = "from kerasenv.store.place import keeping\nwith keeping(): print('ready', flush=True); sys.stdin.read()"

        with other_process(code):
            assert "a process is putting something into it now" in kept.done("store", "info").stdout
            assert kept.json("store", "info")["data"]["busy"] is True


class TestVerify:
    def test_all_is_well(self, kept: Project) -> None:
        envelope = kept.json("store", "verify")

        assert (envelope["status"], envelope["error"]) == ("ok", None)
        assert list(envelope["data"]) == [field.name for field in fields(Verified)]
        assert (envelope["data"]["entries"], envelope["data"]["damages"]) == (7, [])
        done = kept.done("store", "verify", "keras", "numpy")
        assert done.stdout == "Every file of the store is as it was when it was taken.\n"
        assert "2 entries, " in done.stderr

    def test_what_is_damaged_is_named_and_made_anew(
        self, kept: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A byte that size and time don't tell of reaches no environment any more."""
        key = keras()
        path = spoil(key)
        said = kept.refused("store", "verify")

        assert said.startswith("The store was damaged in 1 file.\n")
        assert f"  {key}: tree/{path}: changed\n  {key}: taken out of the store\n" in said
        assert not key.folder.exists()
        monkeypatch.chdir(kept.folder)
        monkeypatch.setattr("kerasenv.workflow.make.keep_afterwards", lambda one: keep.main(one, time.time_ns()))
        assert main(["create", "tiny", str(tmp_path / "next"), "-q"]) == 0
        assert kept.json("store", "verify")["data"]["damages"] == []
        assert entry_of(keras()).key == key
        assert is_whole(tmp_path / "next")

    def test_what_programs_hear(self, kept: Project) -> None:
        key = keras()
        path = spoil(key)

        envelope = kept.json("store", "verify", "keras")

        assert (envelope["status"], envelope["exit_code"], envelope["error"]["kind"]) == ("failed", 1, "VerifyError")
        assert envelope["data"]["damages"] == [
            {
                "entry": str(key),
                "package": "keras",
                "version": "3.15.1",
                "file": f"tree/{path}",
                "what": "changed",
                "environments": [],
            }
        ]
        assert (envelope["data"]["removed"], envelope["data"]["spares_removed"]) == ([str(key)], [])

    def test_environments_that_share_it_are_named(self, kept: Project, tmp_path: Path) -> None:
        """Which are those that have the same file, and no others."""
        path = next(row.path for row in rows_of(entry_of(keras())) if row.path.endswith(".pyc"))
        other = tmp_path / "other"
        shutil.copytree(kept.environment, other, symlinks=True)
        note_use(other, [keras()])
        mine, theirs = entry_of(keras()).tree / path, other / path
        if mine.stat().st_nlink == 1:
            pytest.skip("this file system clones")
        # The other one shares it, and the one of all tests does no longer
        content = mine.read_bytes()
        theirs.unlink()
        mine.rename(theirs)
        os.link(theirs, mine)
        (kept.environment / path).unlink()
        shutil.copy2(theirs, kept.environment / path)
        overwrite(theirs, content[:-1] + bytes([content[-1] ^ 1]))

        said = kept.refused("store", "verify")

        assert [line for line in said.splitlines() if "has the same file" in line] == [
            f"hint: {other} has the same file: kerasenv rebuild LOCKFILE {other} --force"
        ]

    def test_a_spare_alone(self, kept: Project) -> None:
        key = keras()
        (entry_of(key).spare / "more").touch()

        said = kept.refused("store", "verify")

        assert f"  {key}: spare/more: extra\n" in said
        assert f"  {key}: what lay ready for the next environment is gone, the rest is good\n" in said
        assert key.folder.is_dir()

    def test_a_package_that_it_does_not_have(self, kept: Project) -> None:
        said = kept.refused("store", "verify", "kears", code=2)

        assert said == "The store has nothing of 'kears'.\nhint: did you mean 'keras'?\n"


class TestGc:
    def test_nothing_to_do(self, kept: Project) -> None:
        done = kept.done("store", "gc")

        assert done.stdout == "0 entries removed, 0.0 MB freed; 7 entries remain.\n"

    def test_what_would_go_and_what_goes(self, kept: Project, tmp_path: Path) -> None:
        away = tmp_path / "away"
        kept.environment.rename(away)
        try:
            planned = kept.done("store", "gc", "--dry-run").stdout.splitlines()
            assert len(keys_there()) == 7
            done = kept.done("store", "gc").stdout.splitlines()
        finally:
            away.rename(kept.environment)

        assert planned[:7] == done[:7] == [f"  {one}" for one in sorted(one.strip() for one in done[:7])]
        assert planned[7].startswith("7 entries would be removed, ")
        assert planned[7].endswith(" would be freed; 0 entries would remain.")
        assert done[7].startswith("7 entries removed, ")
        assert done[7].endswith(" freed; 0 entries remain.")
        assert not keys_there()
        assert is_whole(kept.environment)

    def test_what_was_used_lately_stays(self, kept: Project, tmp_path: Path) -> None:
        away = tmp_path / "away"
        kept.environment.rename(away)
        try:
            assert "7 entries remain." in kept.done("store", "gc", "--older-than", "30").stdout
            long_ago = {"at": "2020-01-01T00:00:00+00:00"}
            for place in (store_folder() / "uses").iterdir():
                place.write_text(json.dumps(json.loads(place.read_text("utf-8")) | long_ago), encoding="utf-8")
            assert "7 entries removed" in kept.done("store", "gc", "--older-than=30d").stdout
        finally:
            away.rename(kept.environment)

    def test_what_programs_hear(self, kept: Project) -> None:
        data = kept.json("store", "gc", "--dry-run")["data"]

        assert list(data) == [field.name for field in fields(Tidied)]
        assert (data["done"], data["removed"], data["remaining"]) == (False, [], 7)

    @pytest.mark.parametrize("days", ["", "d", "30 days", "-1", "1.5", "1e3", "999999", "٣"])
    def test_what_is_no_number_of_days(self, made: Project, days: str) -> None:
        said = made.refused("store", "gc", f"--older-than={days}", code=2)

        assert said == f"--older-than is {days!r}, which is no number of days.\nhint: --older-than 30\n"


class TestClear:
    def test_all_goes_but_the_environments(self, kept: Project) -> None:
        before = files_in(kept.environment)

        said = kept.done("store", "clear").stdout.splitlines()

        assert said[-2].startswith("7 entries removed, ")
        assert said[-1] == "All environments are whole."
        assert not keys_there()
        assert files_in(kept.environment) == before
        kept.done("verify")

    def test_what_a_process_needs_stays(self, kept: Project) -> None:
        with other_process(NEEDS, str(keras())):
            said = kept.done("store", "clear").stdout

        assert f"  {keras()} stays: a running process needs it\n" in said
        assert "6 entries removed, " in said
        assert "; 1 entry remains.\n" in said

    def test_while_a_create_runs(self, kept: Project, index: LocalIndex, tmp_path: Path) -> None:
        """What it took is its own; the rest it installs."""
        shutil.rmtree(keras().folder)
        with (
            index.trouble("keras-*.whl", hold=True) as trouble,
            start_kerasenv(
                *("create", "tiny", tmp_path / "next", "--no-smoke"),
                cwd=kept.folder,
                env={"UV_CACHE_DIR": str(tmp_path / "uv")},
            ) as process,
        ):
            assert trouble.met.wait(120)
            assert "6 entries removed, " in kept.done("store", "clear").stdout
            trouble.release.set()
            _, said = process.communicate(timeout=120)

        assert process.returncode == 0, said
        assert "6 from the store" in said
        kept.done("verify", tmp_path / "next")


def test_the_verbs_work_where_the_store_is_switched_off(kept: Project) -> None:
    off: dict[str, Any] = {"env": {**os.environ, "KERASENV_STORE": "0"}}

    assert "switched off" in kept.done("store", "info", **off).stdout
    kept.done("store", "verify", **off)
    kept.done("store", "gc", **off)
    assert "7 entries removed" in kept.done("store", "clear", **off).stdout
