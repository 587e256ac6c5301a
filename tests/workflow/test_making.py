"""What a verb does from end to end, called as a library: values in, values out."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from kerasenv import progress
from kerasenv.engine import Index
from kerasenv.engines.uv import UvEngine
from kerasenv.env.environment import open_environment
from kerasenv.errors import EnvironmentFolderError, LockError, SmokeError
from kerasenv.smoke.prove import prove
from kerasenv.store.laying import lay
from kerasenv.store.place import keys_there
from kerasenv.store.take import discard, discard_spare
from kerasenv.workflow import keep
from kerasenv.workflow.create import create
from kerasenv.workflow.plan import Making
from kerasenv.workflow.rebuild import rebuild
from kerasenv.workflow.smoke import smoke
from tests.project import NEWER_KERAS, backend_of, packages_of
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kerasenv.engine import InstallRequest
    from kerasenv.progress import Step
    from kerasenv.smoke.run import SmokeResult
    from kerasenv.store.take import Taken
    from tests.local_index import LocalIndex


class Steps:
    """Remembers the steps and what came out of them."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.notes: list[str] = []

    def begin(self, step: Step) -> None: ...
    def passing(self, line: str) -> None: ...
    def substep(self, line: str) -> None: ...
    def detail(self, line: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def end(self, step: Step) -> None:
        assert step.failed or (step.result and step.source) or step.title == "Smoke test"
        self.ended.append(f"{step.title}{' failed' if step.failed else ''}")


@pytest.fixture
def making(tmp_path: Path, index: LocalIndex) -> Making:
    """Return how `tiny` is made here."""
    write_profile(tmp_path / "profiles")
    return Making(folder=tmp_path / ".venv", cwd=tmp_path, index=Index(url=index.url, source="the test"))


def test_create_and_rebuild_and_smoke(making: Making, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed on the way."""
    steps = Steps()
    with progress.listening(steps):
        made = create("tiny", making)
        again = create("tiny", making)
        (tmp_path / "elsewhere").mkdir()
        rebuilt = rebuild(made.lock, replace(making, folder=tmp_path / "elsewhere" / "env", cwd=tmp_path / "elsewhere"))
        environment, result = smoke(rebuilt.environment.folder)

    assert again.environment == open_environment(tmp_path / ".venv")
    assert (made.lock, made.lock_is_new, made.packages, made.changes) == (tmp_path / "pylock.tiny.toml", True, 7, ())
    assert (again.lock_is_new, again.packages) == (False, 7)
    assert (rebuilt.lock_is_new, rebuilt.packages) == (False, 7)
    for one in (made, again, rebuilt):
        assert one.smoke is not None
        assert one.smoke.passed
    assert result.passed
    assert environment.receipt.smoke is not None
    assert packages_of(rebuilt.environment.folder) == packages_of(made.environment.folder)
    making_steps = ["Environment", "Hooks", "Packages", "Smoke test"]
    assert steps.ended == [
        *("Profile", "Python", "Lock", *making_steps),
        *("Profile", "Python", "Lock", "Environment", "Smoke test"),
        *("Lock", "Python", *making_steps),
        "Smoke test",
    ]
    assert steps.notes == []
    assert capfd.readouterr() == ("", "")


def test_an_upgrade_says_what_changed(making: Making, own_index: LocalIndex) -> None:
    making = replace(making, index=Index(url=own_index.url, source="the test"))
    create("tiny", making)
    own_index.add(NEWER_KERAS)

    made = create("tiny", making, upgrade=True, extra=(Requirement("pandas"),))

    assert [str(change) for change in made.changes] == ["~ keras 3.15.1 -> 3.16.0", "+ pandas 2.0"]
    assert made.lock_is_new
    assert packages_of(making.folder)["pandas"] == "2.0"


def test_the_python_of_an_environment_stays(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python37: Path
) -> None:
    """Even if another one would be found first by now."""
    write_profile(tmp_path / "profiles", requires_python=">=3.6", requirements=["keras==2.3.1", "h5py<3"])
    create("tiny", replace(making, python=str(python37), smoke=False))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))

    again = create("tiny", replace(making, smoke=False))

    assert again.environment.receipt.python_version.startswith("3.7.")


def test_what_fails_is_told_as_an_error_and_leaves_nothing(making: Making, tmp_path: Path) -> None:
    write_profile(tmp_path / "profiles", requirements=["keras"], backend="jax")
    steps = Steps()

    with progress.listening(steps), pytest.raises(SmokeError, match="failed at step 'import'"):
        create("tiny", making)

    assert steps.ended[-1] == "Smoke test failed"
    assert [path.name for path in tmp_path.iterdir()] == ["profiles"]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no thread can be interrupted there")
def test_an_interruption_waits_for_those_who_still_write(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written behind the back of whoever clears away would stay."""
    write_profile(tmp_path / "profiles", requirements=["keras"])
    create("tiny", replace(making, smoke=False))
    before = sorted(path.name for path in tmp_path.iterdir())
    main, written = threading.get_ident(), threading.Event()

    def waits() -> bool:
        calls = traceback.extract_stack(sys._current_frames()[main])  # noqa: SLF001
        return bool({"result", "shutdown"} & {call.name for call in calls})

    def write_on(_sources: object, work: Path, _expect: object) -> list[Taken]:
        while not waits():
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.5)
        (work / "late").mkdir(parents=True, exist_ok=True)
        written.set()
        return []

    monkeypatch.setattr("kerasenv.store.take.take", write_on)

    with pytest.raises(KeyboardInterrupt):
        create("tiny", replace(making, folder=tmp_path / "second", smoke=False))

    assert written.wait(60)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_was_compiled_goes_with_a_model_that_fails(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be what made it fail, and nobody could be rid of it otherwise."""

    def keep_both(environment: Path) -> None:
        (environment / "theano").mkdir(exist_ok=True)
        (environment / "theano" / "mod.so").write_bytes(b"\0")
        keep.main(environment, time.time_ns())

    def fail(*words: Any) -> SmokeResult:
        return replace(prove(*words), passed=False, failed_step="train", error="it hangs")

    def kept() -> int:
        return sum("compiled" in key.package for key in keys_there())

    monkeypatch.setenv("KERASENV_STORE", "1")
    monkeypatch.setattr("kerasenv.workflow.make.keep_afterwards", keep_both)
    write_profile(tmp_path / "profiles", environment={"THEANO_FLAGS": "base_compiledir={env}/theano"})
    create("tiny", making)
    assert kept() == 1
    monkeypatch.setattr("kerasenv.workflow.make.keep_afterwards", lambda _: None)
    second = create("tiny", replace(making, folder=tmp_path / "second"))
    assert (second.environment.folder / "theano" / "mod.so").exists()
    assert kept() == 1
    others = len(keys_there()) - 1
    monkeypatch.setattr("kerasenv.smoke.prove.prove", fail)
    steps = Steps()

    with progress.listening(steps), pytest.raises(SmokeError, match="it hangs"):
        create("tiny", replace(making, folder=tmp_path / "third"))

    assert (kept(), len(keys_there())) == (0, others)
    assert steps.notes == ["It had what was compiled for an earlier environment. The next one compiles that anew."]
    with progress.listening(steps), pytest.raises(SmokeError, match="it hangs"):
        create("tiny", replace(making, folder=tmp_path / "third"))
    assert len(steps.notes) == 1  # there was none


@pytest.fixture
def installed(making: Making, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Have all but two packages in the store, and no spares; return what an engine is asked for from now on."""
    asked: list[set[str]] = []
    install = UvEngine.install

    def remember(self: UvEngine, request: InstallRequest) -> None:
        asked.append({package.name for package in request.lock.packages})
        install(self, request)

    monkeypatch.setenv("KERASENV_STORE", "1")
    monkeypatch.setattr("kerasenv.workflow.make.keep_afterwards", lambda folder: keep.main(folder, time.time_ns()))
    create("tiny", replace(making, smoke=False))
    for key in keys_there():
        (discard if key.package.startswith(("keras", "numpy")) else discard_spare)(key)
    monkeypatch.setattr("kerasenv.workflow.make.keep_afterwards", lambda _: None)
    monkeypatch.setattr(UvEngine, "install", remember)
    return asked


def test_what_is_missing_is_installed_while_the_rest_is_laid(
    making: Making, tmp_path: Path, installed: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[int] = []

    def lay_when_the_engine_is_at_work(todo: Sequence[tuple[Path, Path]]) -> list[str]:
        end = time.monotonic() + 60
        while not installed and time.monotonic() < end:
            time.sleep(0.01)
        laid.append(len(installed))
        return lay(todo)

    monkeypatch.setattr("kerasenv.store.take.lay", lay_when_the_engine_is_at_work)
    second = create("tiny", replace(making, folder=tmp_path / "second"))

    assert laid == [1]
    assert installed == [{"keras", "numpy"}]
    assert packages_of(tmp_path / "second") == packages_of(tmp_path / ".venv")
    assert second.smoke is not None
    assert second.smoke.passed


def test_what_can_not_be_laid_is_installed_after_all(
    making: Making, tmp_path: Path, installed: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(todo: Sequence[tuple[Path, Path]]) -> list[str]:
        (broken,) = [number for number, (entry, _) in enumerate(todo) if entry.name.startswith("h5py")]
        return ["it is gone" if number == broken else lay([job])[0] for number, job in enumerate(todo)]

    monkeypatch.setattr("kerasenv.store.take.lay", fail)
    create("tiny", replace(making, folder=tmp_path / "second"))

    assert installed == [{"keras", "numpy"}, {"h5py", "keras", "numpy"}]
    assert packages_of(tmp_path / "second") == packages_of(tmp_path / ".venv")


def test_a_hook_is_what_tells_two_environments_apart(making: Making, tmp_path: Path) -> None:
    create("tiny", making)

    with pytest.raises(EnvironmentFolderError, match="already holds another environment"):
        create("tiny", replace(making, startup_hook=False))

    assert backend_of(tmp_path / ".venv") == "tensorflow"


def test_a_lock_that_names_no_profile(making: Making, tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "somebody"\npackages = []\n')

    with pytest.raises(LockError, match="its name gives no profile"):
        rebuild(tmp_path / "pylock.toml", making)
