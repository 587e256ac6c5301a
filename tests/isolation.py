"""What a test may know of the machine it runs on: hardly anything, and no network beyond the loopback interface."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from kerasenv import folders

MACHINE = dict(os.environ)
"""The variables of whoever started the tests."""

KEPT = re.compile(  # what any program needs to start
    r"PATH|LANG|LC_\w+|TZ|TERM|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH|DYLD_\w+|USER|LOGNAME|USERNAME|SYSTEMROOT|SYSTEMDRIVE"
    r"|WINDIR|COMSPEC|PATHEXT|(COMMON)?PROGRAM\w+(\(X86\))?|ALLUSERSPROFILE|PROCESSOR_\w+|NUMBER_OF_PROCESSORS|OS",
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
        "KERASENV_STORE": "0",  # it works on when a command is done; its own tests switch it on
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


def move_in(home: Path, monkeypatch: pytest.MonkeyPatch, *, live: bool) -> None:
    """Let `home` be all there is, until the patches are undone; only a live life leaves the machine."""
    environ = private_environ(home, live=live)
    for name in os.environ:
        if name not in environ and not UNTOUCHED.fullmatch(name):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_guard, "closed", not live)
    folders._dirs.cache_clear()  # noqa: SLF001  # a home is for life, except here


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
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    return address.is_loopback or address.is_unspecified


_guard = _Guard()
sys.addaudithook(_guard)
