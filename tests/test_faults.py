"""Whatever goes wrong, and whenever: what was there before is still there and works, and the next create just works.

KERASENV_KILLS=50 tries more moments of a sudden death than the few that a usual run has time for.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kerasenv.folders import cache_folder
from tests.programs import CHECKOUT, start_kerasenv
from tests.project import (
    BROKEN_KERAS,
    NEWER_KERAS,
    Project,
    backend_of,
    is_whole,
    packages_in,
    packages_of,
    receipt_of,
    snapshot,
    work_folders,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.local_index import LocalIndex

KILLS = int(os.environ.get("KERASENV_KILLS", "12"))  # before the tests take all variables away

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has mounts of this kind")


@pytest.fixture
def project(tmp_path: Path, index: LocalIndex) -> Project:
    """Return a project with the profile `tiny`; the variables point to the shared index."""
    assert not index.requests
    return Project.make(tmp_path / "project")


def state(project: Project) -> str:
    """Return whether an environment is absent or whole, and make sure that it is nothing else."""
    if not project.environment.exists():
        return "absent"
    receipt_of(project.environment)
    assert is_whole(project.environment)
    return "whole"


def check_lock(project: Project) -> None:
    """Make sure that there is no lock or a whole one."""
    if project.lock.exists():
        assert packages_in(project.lock)["keras"]


# Sudden death


@posix
class TestKilled:
    @pytest.mark.parametrize("before", ["old", "none"])
    def test_at_random_moments(self, project: Project, before: str, request: pytest.FixtureRequest) -> None:
        """With kill -9, which nobody can prepare for: of kerasenv alone, or of all that it started as well.

        The moments are spread over the time that an undisturbed run takes here.
        """
        chance = random.Random(f"{before} {KILLS}")  # noqa: S311  # no secret, only the same moments every time
        count = KILLS // 2
        words = ["create", "tiny", *(["--force"] if before == "old" else [])]
        environ = {"TMPDIR": str(project.folder.parent)}
        project.done(*words)
        clear = _nothing if before == "old" else project.forget
        clear()
        started = time.monotonic()
        project.done(*words)
        duration = time.monotonic() - started
        seen = []
        for number in range(count):
            clear()
            moment = duration * (number + chance.random()) / count
            with start_kerasenv(*words, cwd=project.folder, env=environ, start_new_session=True) as process:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(moment)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL) if number % 2 else process.kill()
                with suppress(subprocess.TimeoutExpired):
                    # What kerasenv started may go on for a moment and hold the pipes
                    process.communicate(timeout=60)

            after = state(project)
            check_lock(project)
            done = project.done("create", "tiny")
            assert state(project) == "whole"
            assert "✓ Smoke test" in done.stderr
            assert not project.leftovers(), (number, moment)
            seen.append(f"{number}: {moment:.2f} s, {process.returncode}, {after}")
            assert after == "whole" or before == "none", seen
        request.node.add_report_section("call", "moments", "\n".join(seen))

    @pytest.mark.parametrize(
        ("event", "argument", "after"),
        [
            ("os.rename", "pylock.tiny.toml", ("3.15.1", "3.15.1")),  # before the lock is put in its place
            ("ctypes.dlsym", "renameat2", ("3.16.0", "3.15.1")),  # between the lock and the environment
            ("shutil.rmtree", "/.kerasenv-.venv-", ("3.16.0", "3.16.0")),  # before the old environment is removed
        ],
        ids=["before the lock", "before the environment", "before the end"],
    )
    @linux
    def test_in_the_middle_of_an_upgrade(
        self, tmp_path: Path, own_index: LocalIndex, event: str, argument: str, after: tuple[str, str]
    ) -> None:
        """Lock and environment can't be replaced in one step, but both are whole, and the same command goes on."""
        project = Project.make(tmp_path / "project")
        project.done("create", "tiny", "--no-smoke")
        own_index.add(NEWER_KERAS)
        code = (
            f"import os, runpy, signal, sys; sys.path[0] = {str(CHECKOUT)!r}\n"
            "def die(event, arguments):\n"
            f"    if event == {event!r} and any({argument!r} in str(one) for one in arguments):\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "sys.addaudithook(die)\n"
            "runpy.run_module('kerasenv', None, '__main__', True)"
        )
        words = [sys.executable, "-c", code, "create", "tiny", "--no-smoke", "--upgrade"]

        died = subprocess.run(
            words,
            cwd=project.folder,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            check=False,
            encoding="utf-8",
        )

        assert died.returncode == -signal.SIGKILL, died.stderr
        lock, environment = packages_in(project.lock)["keras"][0], packages_of(project.environment)["keras"]
        assert (lock, environment) == after
        assert project.leftovers()

        project.done("create", "tiny", "--no-smoke", "--upgrade")

        assert packages_in(project.lock)["keras"] == ["3.16.0"]
        assert packages_of(project.environment)["keras"] == "3.16.0"
        assert not project.leftovers()

    def test_an_installer_that_goes_on_alone(self, project: Project, index: LocalIndex) -> None:
        """It still writes to where it was told to while the next create is at work."""
        with (
            index.trouble("keras-*.whl", hold=True) as trouble,
            start_kerasenv("create", "tiny", cwd=project.folder, env={"TMPDIR": str(project.folder.parent)}) as process,
        ):
            assert trouble.met.wait(60)
            (work,) = work_folders(project.folder)
            process.kill()
            process.wait()
            with start_kerasenv("create", "tiny", cwd=project.folder) as next_one:
                _wait_until(lambda: bool(work_folders(project.folder) - {work}))
                trouble.release.set()
                _, stderr = next_one.communicate(timeout=60)
            process.communicate(timeout=60)

        assert next_one.returncode == 0, stderr
        assert not project.leftovers()
        assert state(project) == "whole"

    def test_leftovers_of_long_ago(self, project: Project) -> None:
        """A process was killed between two renames, where a system can't exchange folders in one step."""
        project.done("create", "tiny")
        work = project.folder / ".kerasenv-.venv-abcd_fgh"
        work.mkdir()
        project.environment.rename(work / "old")
        (work / "env").mkdir()
        (project.folder / ".kerasenv-.venv-12345678" / "env" / "bin").mkdir(parents=True)

        done = project.done("create", "tiny")

        assert "already there, made from this very lock" in done.stderr
        assert state(project) == "whole"
        assert not project.leftovers()


def _nothing() -> None:
    pass


def _wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


# Two at once


def test_two_at_once_in_one_place(project: Project, index: LocalIndex) -> None:
    """One makes it; the other says so, and touches nothing."""
    with (
        index.trouble("keras-*.whl", hold=True) as trouble,
        start_kerasenv("create", "tiny", cwd=project.folder) as first,
    ):
        assert trouble.met.wait(60)
        error = project.refused("create", "tiny")
        removed = project.refused("remove")
        trouble.release.set()
        _, stderr = first.communicate(timeout=60)

    assert f"Another kerasenv is at work on {project.environment}." in error
    assert "Another kerasenv is at work" in removed
    assert first.returncode == 0, stderr
    assert state(project) == "whole"


def test_two_at_once_in_two_places(project: Project) -> None:
    """They share a lock, which both write."""
    with (
        start_kerasenv("create", "tiny", "one", cwd=project.folder) as one,
        start_kerasenv("create", "tiny", "two", cwd=project.folder) as two,
    ):
        errors = [process.communicate(timeout=120)[1] for process in (one, two)]

    assert (one.returncode, two.returncode) == (0, 0), errors
    assert is_whole(project.folder / "one")
    assert is_whole(project.folder / "two")
    check_lock(project)
    assert not project.leftovers()


# The index


class TestIndex:
    @pytest.mark.parametrize(
        ("pattern", "trouble", "said"),
        [
            ("keras", {"status": 404}, "keras"),
            ("keras", {"status": 500}, "500"),
            ("keras", {"cut_after": 20}, "keras"),
            ("keras-3.15.1-*.whl", {"status": 404}, "404"),
            ("keras-3.15.1-*.whl", {"status": 503}, "503"),
            ("keras-3.15.1-*.whl", {"cut_after": 100}, "keras"),
            ("keras-3.15.1-*.whl", {"body": b"no wheel at all"}, "keras"),
        ],
        ids=lambda value: str(value).replace("/", ""),
    )
    def test_what_an_index_does_wrong(
        self, tmp_path: Path, own_index: LocalIndex, pattern: str, trouble: dict[str, Any], said: str
    ) -> None:
        project = Project.make(tmp_path / "project")
        with own_index.trouble(pattern, **trouble):
            error = project.refused("create", "tiny")

        assert said in error
        assert [path.name for path in project.folder.iterdir()] == ["profiles"]

    def test_an_index_that_is_not_there(self, project: Project, index: LocalIndex) -> None:
        nowhere = "http://127.0.0.1:9/simple/"

        fresh = project.refused("create", "tiny", "--index-url", nowhere)
        project.done("create", "tiny", "--no-smoke")
        before = snapshot(project.folder)
        again = project.refused("create", "tiny", "--upgrade", "--index-url", nowhere)

        for error in (fresh, again):
            assert "--index-url" in error
            assert "127.0.0.1:9" in error
        assert snapshot(project.folder) == before
        assert index.requests

    def test_a_file_that_was_exchanged_after_locking(self, tmp_path: Path, own_index: LocalIndex) -> None:
        """The old environment stays, and the file's name is told."""
        project = Project.make(tmp_path / "project")
        project.done("create", "tiny")
        before = snapshot(project.folder)
        shutil.rmtree(os.environ["UV_CACHE_DIR"])

        with own_index.trouble("h5py-*.whl", body=b"PK\x03\x04 something else"):
            error = project.refused("create", "tiny", "--force")

        assert "h5py" in error
        assert snapshot(project.folder) == before


# The model


def test_a_failing_model_leaves_the_old_environment_and_lock(tmp_path: Path, own_index: LocalIndex) -> None:
    project = Project.make(tmp_path / "project")
    project.done("create", "tiny")
    before = snapshot(project.folder)
    own_index.add(BROKEN_KERAS)

    error = project.refused("create", "tiny", "--upgrade", "--force")

    assert "The model of tiny failed at step 'import': " in error
    assert "this Keras is broken" in error
    assert snapshot(project.folder) == before
    assert backend_of(project.environment) == "tensorflow"


def test_a_failing_model_leaves_nothing_where_nothing_was(tmp_path: Path, own_index: LocalIndex) -> None:
    project = Project.make(tmp_path / "project")
    own_index.add(BROKEN_KERAS)

    project.refused("create", "tiny", "new/.venv")

    assert [path.name for path in project.folder.iterdir()] == ["profiles"]


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_model_that_never_ends_ends_with_kerasenv(
    tmp_path: Path, own_index: LocalIndex, number: signal.Signals
) -> None:
    """Nothing goes on in the background, and nothing is left."""
    project = Project.make(tmp_path / "project")
    began = tmp_path / "began"
    code = f"import os, time\nopen({str(began)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    own_index.add(replace(BROKEN_KERAS, files={**BROKEN_KERAS.files, "keras/__init__.py": code}))

    with start_kerasenv("create", "tiny", cwd=project.folder) as process:
        _wait_until(lambda: began.exists() and began.read_text() != "")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert f"Interrupted by {number.name}" in stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(began.read_text()), 0)
    assert [path.name for path in project.folder.iterdir()] == ["profiles"]


# The disk


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a small disk of its own at a folder, or skip the test."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount here")
    words = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, check=False, encoding="utf-8")
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@linux
class TestDisk:
    @pytest.mark.parametrize("kilobytes", [64, 160, 260])
    def test_a_full_one(self, tmp_path: Path, index: LocalIndex, kilobytes: int) -> None:
        """At several places of the work, depending on how much there is room for."""
        assert not index.requests
        with mounted(tmp_path / "disk", f"size={kilobytes}k") as disk:
            project = Project.make(disk / "project")
            error = project.refused("create", "tiny")

            assert "o space left" in error or "disk is full" in error
            assert [path.name for path in project.folder.iterdir()] == ["profiles"]

    def test_a_full_one_keeps_what_was_there(self, tmp_path: Path, index: LocalIndex) -> None:
        assert not index.requests
        with mounted(tmp_path / "disk", "size=64m") as disk:
            project = Project.make(disk / "project")
            project.done("create", "tiny")
            before = snapshot(project.folder)
            room = shutil.disk_usage(disk).free
            (disk / "ballast").write_bytes(bytes(room - 200_000))

            error = project.refused("create", "tiny", "--force")

            assert "o space left" in error or "disk is full" in error
            assert snapshot(project.folder) == before
            (disk / "ballast").unlink()
            project.done("create", "tiny", "--force")

    def test_no_room_for_the_lock(self, tmp_path: Path, index: LocalIndex) -> None:
        """The environment is elsewhere, and must not come without its lock."""
        assert not index.requests
        with mounted(tmp_path / "disk", "size=16k") as disk:
            project = Project.make(disk / "project")
            (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free))

            error = project.refused("create", "tiny", tmp_path / "env")

            assert "pylock.tiny.toml can't be written: No space left on device" in error
            assert not (tmp_path / "env").exists()
            assert not project.leftovers()

    def test_a_read_only_one(self, tmp_path: Path, index: LocalIndex) -> None:
        assert not index.requests
        with mounted(tmp_path / "disk", "size=1m") as disk:
            project = Project.make(disk / "project")
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

            inside = project.refused("create", "tiny", "--lock", tmp_path / "pylock.tiny.toml")
            before = len(index.downloads)
            lock = project.refused("create", "tiny", tmp_path / "env")

            assert str(project.folder) in inside
            assert "read-only" in inside.lower()
            assert "read-only" in lock
            assert len(index.downloads) == before
            assert not (tmp_path / "env").exists()
            assert not (tmp_path / "pylock.tiny.toml").exists()


def test_a_cache_folder_that_is_a_file(project: Project) -> None:
    cache_folder().parent.mkdir(parents=True)
    cache_folder().touch()

    error = project.refused("create", "tiny")

    assert str(cache_folder()) in error
    assert [path.name for path in project.folder.iterdir()] == ["profiles"]


def test_a_place_that_is_taken_at_the_last_moment(project: Project, index: LocalIndex) -> None:
    """The lock is written before the environment is put in place; without the one there is not the other."""
    with (
        index.trouble("keras-*.whl", hold=True) as trouble,
        start_kerasenv("create", "tiny", "--no-smoke", cwd=project.folder) as process,
    ):
        assert trouble.met.wait(60)
        project.environment.mkdir()
        (project.environment / "mine.txt").touch()
        trouble.release.set()
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "kerasenv didn't make it: it is left as it is" in stderr
    assert [path.name for path in project.environment.iterdir()] == ["mine.txt"]
    assert not project.lock.exists()
    assert not project.leftovers()
