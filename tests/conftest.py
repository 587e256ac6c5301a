"""Every test gets a machine of its own: a home, caches, variables, an empty folder to stand in, and no network.

Only tests in tests/live may leave the machine, and they run only with --live.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import hypothesis
import pytest

from kerasenv import folders
from tests.isolation import MACHINE, move_in
from tests.isolation import NOWHERE as NOWHERE  # noqa: PLC0414  # a name of the test bed, like its fixtures
from tests.local_index import LocalIndex
from tests.programs import find_python, run_kerasenv
from tests.python_sources import archive_for_uv, conda_channel_of
from tests.standard_index import standard_index

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

LIVE = Path(__file__).resolve().parent / "live"

# A busy machine is no fault: without it, an example that takes long fails
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _session_machine(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[None]:
    """Isolate what is made once for several tests as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background, as by nohup: what the tests start must hear Ctrl-C all the same
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as monkeypatch:
        move_in(tmp_path_factory.mktemp("home"), monkeypatch, live=pytestconfig.getoption("--live"))
        yield
    folders._dirs.cache_clear()  # noqa: SLF001


@pytest.fixture(autouse=True)
def home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Give the test a home, which is returned, and let it stand in its empty `tmp_path`."""
    live = request.node.get_closest_marker("live") is not None
    home = tmp_path_factory.mktemp("home")
    move_in(home, monkeypatch, live=live)
    if live and "UV_CACHE_DIR" not in MACHINE:
        # Gigabytes: once for all live tests, whichever worker runs them
        session = tmp_path_factory.getbasetemp()
        session = session.parent if "PYTEST_XDIST_WORKER" in os.environ else session
        monkeypatch.setenv("UV_CACHE_DIR", str(session / "uv-cache"))
    monkeypatch.chdir(tmp_path)
    return home


# The index


@pytest.fixture(scope="session")
def _shared_index() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        standard_index(index)
        yield index


@pytest.fixture
def index(_shared_index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    """Serve the standard set, to which the variables point; it is shared, so nothing may be added or removed."""
    return _point_to(_shared_index, monkeypatch)


@pytest.fixture
def own_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    """Serve the standard set to this test alone, which may change it; the variables point to it."""
    with LocalIndex() as index:
        standard_index(index)
        yield _point_to(index, monkeypatch)


def _point_to(index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    for name, value in index.environ.items():
        monkeypatch.setenv(name, value)
    index.forget()
    return index


# Programs


class FindPython(Protocol):
    """What the fixture `python` gives."""

    def __call__(self, version: str) -> Path: ...


@pytest.fixture(scope="session")
def python() -> FindPython:
    """Return a function that finds a CPython such as '3.7', or skips the test."""
    return find_python


@pytest.fixture(scope="session")
def python37() -> Path:
    """Return a CPython 3.7, or skip the test."""
    return find_python("3.7")


class RunKerasenv(Protocol):
    """What the fixture `kerasenv_cli` gives: an exit code and output, whatever happened."""

    def __call__(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str = "",
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def kerasenv_cli() -> RunKerasenv:
    """Return what runs the command line in a process of its own."""
    return run_kerasenv


# Sources of Pythons


@pytest.fixture(scope="session")
def uv_source(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the variables that make uv download a CPython 3.8, and no other, from this machine."""
    return archive_for_uv(find_python("3.8"), tmp_path_factory.mktemp("uv-source"))


@pytest.fixture(scope="session")
def conda_source(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the variable that names a conda channel of this machine, which has a CPython 3.7 and nothing else."""
    return conda_channel_of(find_python("3.7"), tmp_path_factory.mktemp("channel"))


# Live tests


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="run the tests in tests/live too: minutes, gigabytes")


def pytest_report_header(config: pytest.Config) -> str:
    files = len(list(LIVE.rglob("test_*.py")))
    what = "run too" if config.getoption("--live") else "left out (--live runs them)"
    return f"live tests: {files} files in tests/live, {what}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies in tests/live, and leave it out unless it was asked for."""
    live = [item for item in items if item.path.is_relative_to(LIVE)]
    for item in live:
        item.add_marker(pytest.mark.live)
    if live and not config.getoption("--live"):
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]
