"""Every test gets a machine of its own: a home, caches, variables, an empty folder to stand in, and no network.

Only tests in tests/live may leave the machine, and they run only with --live.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from kerasenv import folders
from tests.local_index import LocalIndex
from tests.standard_index import standard_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TESTS = Path(__file__).resolve().parent
CHECKOUT = TESTS.parent
LIVE = TESTS / "live"

MACHINE = dict(os.environ)
"""The variables of whoever started the tests."""

KEPT = re.compile(  # what any program needs to start
    r"PATH|LANG|LC_\w+|TZ|TERM|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH|DYLD_\w+|USER|LOGNAME|USERNAME|SYSTEMROOT|SYSTEMDRIVE"
    r"|WINDIR|COMSPEC|PATHEXT|PROGRAM\w+|COMMONPROGRAM\w+|PROCESSOR_\w+|NUMBER_OF_PROCESSORS|OS",
    re.IGNORECASE,
)
KEPT_LIVE = re.compile(  # how this machine reaches an index, and where it keeps what it got
    r"\w+_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|PIP_CERT|PIP_INDEX_URL|UV_DEFAULT_INDEX|UV_CACHE_DIR"
    r"|UV_NATIVE_TLS|UV_SYSTEM_CERTS",
    re.IGNORECASE,
)
UNTOUCHED = re.compile(r"(PYTEST|COV|COVERAGE)_\w+")  # what the tests' own tools tell each other

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody has listened there for decades
NO_NETWORK = {
    **dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy"), NOWHERE),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost,::1"),
    "PIP_INDEX_URL": f"{NOWHERE}/simple/",
    "UV_DEFAULT_INDEX": f"{NOWHERE}/simple/",
    "UV_PYTHON_DOWNLOADS": "never",
    # What isn't there won't be there a second later
    "PIP_RETRIES": "0",
    "UV_HTTP_RETRIES": "0",
}


def private_environ(home: Path, *, live: bool = False) -> dict[str, str]:
    """Return the variables for a life in `home`."""
    kept = {name: value for name, value in MACHINE.items() if KEPT.fullmatch(name)}
    outside = {name: value for name, value in MACHINE.items() if KEPT_LIVE.fullmatch(name)} if live else NO_NETWORK
    path = kept.get("PATH", os.defpath).split(os.pathsep)
    cache, config, data = home / ".cache", home / ".config", home / ".local" / "share"
    private = {
        # pyenv's shims would choose an interpreter by files of the real home
        "PATH": os.pathsep.join(folder for folder in path if Path(folder).name != "shims"),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CACHE_HOME": str(cache),
        "XDG_CONFIG_HOME": str(config),
        "XDG_DATA_HOME": str(data),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "APPDATA": str(config),
        "LOCALAPPDATA": str(data),
        # platformdirs asks Windows itself, unless it is told
        "WIN_PD_OVERRIDE_APPDATA": str(config),
        "WIN_PD_OVERRIDE_LOCAL_APPDATA": str(data),
        "PIP_CACHE_DIR": str(cache / "pip"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(cache / "uv"),
        "UV_NO_CONFIG": "1",
    }
    return kept | private | outside


def _move_in(home: Path, monkeypatch: pytest.MonkeyPatch, *, live: bool) -> None:
    environ = private_environ(home, live=live)
    for name in os.environ:
        if name not in environ and not UNTOUCHED.fullmatch(name):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_guard, "closed", not live)
    folders._dirs.cache_clear()  # noqa: SLF001  # a home is for life, except here


@pytest.fixture(scope="session", autouse=True)
def _session_machine(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[None]:
    """Isolate what is made once for several tests as well."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _move_in(tmp_path_factory.mktemp("home"), monkeypatch, live=pytestconfig.getoption("--live"))
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
    _move_in(home, monkeypatch, live=live)
    if live and "UV_CACHE_DIR" not in MACHINE:
        # Gigabytes: once for all live tests and their workers
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp().parent / "uv-cache"))
    monkeypatch.chdir(tmp_path)
    return home


# The network


class _Guard:
    """Refuses connections and look-ups that leave this machine, as Python itself reports them."""

    closed = False
    asks_for = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
    looks_up = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event in self.asks_for and self.closed:
            address = args[1]
            host = address[0] if isinstance(address, tuple) else None  # sockets of other families have no host
        elif event in self.looks_up and self.closed:
            host = args[0]
        else:
            return
        if host and not _is_loopback(host.decode() if isinstance(host, bytes) else str(host)):
            pytest.fail(f"This test wanted to reach {host}: only tests in tests/live may leave the machine.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


_guard = _Guard()
sys.addaudithook(_guard)


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
    """Return the newest CPython of a minor version on this machine, or skip the test."""

    def __call__(self, version: str) -> Path: ...


@pytest.fixture(scope="session")
def python() -> FindPython:
    """Return a function that finds a CPython such as '3.7', or skips the test."""

    def find(version: str) -> Path:
        found = _find_python(version)
        if found is None:
            pytest.skip(f"there is no CPython {version} on this machine, neither of pyenv nor on PATH")
        return found

    return find


@pytest.fixture(scope="session")
def python37(python: FindPython) -> Path:
    """Return a CPython 3.7, or skip the test."""
    return python("3.7")


def _find_python(version: str) -> Path | None:
    root = Path(MACHINE.get("PYENV_ROOT") or Path(MACHINE.get("HOME") or MACHINE.get("USERPROFILE", "")) / ".pyenv")
    name = "python.exe" if sys.platform == "win32" else "bin/python"
    versions = root / ("pyenv-win/versions" if sys.platform == "win32" else "versions")
    patches = [folder for folder in versions.glob(f"{version}.*") if folder.name.removeprefix(f"{version}.").isdigit()]
    for folder in sorted(patches, key=lambda folder: int(folder.suffix[1:]), reverse=True):
        if (folder / name).is_file():
            return folder / name
    on_path = shutil.which(f"python{version}")
    return Path(on_path) if on_path else None


class RunKerasenv(Protocol):
    """Run `python -m kerasenv` of this checkout as a user would."""

    def __call__(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]: ...


# `-m kerasenv` without PYTHONPATH, which would reach every program that kerasenv starts
KERASENV = (
    sys.executable,
    "-c",
    f"import runpy, sys; sys.path[0] = {str(CHECKOUT)!r}; runpy.run_module('kerasenv', None, '__main__', True)",
)


@pytest.fixture
def kerasenv_cli() -> RunKerasenv:
    """Return a function that runs the command line in a process of its own; None in `env` takes a variable away."""

    def run(
        *args: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in (os.environ | (env or {})).items() if value is not None}
        return subprocess.run(
            [*KERASENV, *map(str, args)],
            cwd=cwd,
            env=environ,
            input=stdin or "",
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    return run


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
