from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.folders import cache_folder
from kerasenv.scratch import scratch
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

STAY = """
import sys, time
sys.path[0] = sys.argv[1]
from kerasenv.scratch import scratch
with scratch("other") as folder:
    (folder / "file").write_text("x")
    print(folder, flush=True)
    time.sleep(600)
"""


def there() -> list[str]:
    """Return the folders and their locks."""
    return sorted(path.name for path in (cache_folder() / "work").iterdir() if path.name != "guard")


def test_it_is_empty_and_gone_afterwards() -> None:
    with scratch("mine") as folder:
        assert folder.parent == cache_folder() / "work"
        assert list(folder.iterdir()) == []
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x", "utf-8")

    assert there() == []


def test_it_lies_where_it_is_wanted(tmp_path: Path) -> None:
    with scratch("mine", tmp_path / "deep" / "er") as folder:
        assert folder.parent == tmp_path / "deep" / "er"

    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["guard"]
    assert not (cache_folder() / "work").exists()


def test_it_is_gone_after_an_error() -> None:
    with pytest.raises(ValueError, match="mine"), scratch("mine"):
        raise ValueError("mine")

    assert there() == []


def test_two_at_once_have_their_own() -> None:
    with scratch("mine") as one, scratch("mine") as other:
        assert one != other
        assert one.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_what_a_killed_process_left_is_cleared_away_and_nothing_of_one_that_lives() -> None:
    with _staying() as killed, _staying() as living:
        names = [_folder_of(process) for process in (killed, living)]
        killed.send_signal(signal.SIGKILL)
        killed.wait(60)
        assert len(there()) == 4

        with scratch("mine"):
            pass

        assert there() == [names[1], f"{names[1]}.lock"]
        living.kill()


def _staying() -> subprocess.Popen[str]:
    words = [sys.executable, "-c", STAY, str(CHECKOUT)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8")


def _folder_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip().rpartition("/")[2]


def test_a_cache_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kerasenv import folders
    from kerasenv.errors import KerasenvError

    (tmp_path / "file").write_text("x", "utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folders._dirs.cache_clear()  # noqa: SLF001  # a home is for life, except here

    with pytest.raises(KerasenvError, match="can't be written to"), scratch("mine"):
        pass
