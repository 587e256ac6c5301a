"""No test touches the machine it runs on: its home, its settings, its network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.folders import cache_folder, config_folder, data_folder
from kerasenv.uv import uv_command, uv_environ
from tests.isolation import MACHINE, NOWHERE, private_environ

if TYPE_CHECKING:
    from tests.conftest import FindPython, RunKerasenv
    from tests.local_index import LocalIndex

ELSEWHERE = "198.51.100.1"  # an address that is reserved for documentation (RFC 5737)


def test_a_test_has_a_home_of_its_own(home: Path, tmp_path: Path) -> None:
    assert Path.home() == home
    assert Path.cwd() == tmp_path
    assert not list(home.iterdir())
    assert not list(tmp_path.iterdir())
    for folder in (cache_folder(), config_folder(), data_folder()):
        assert folder.is_relative_to(home)


def test_what_the_user_set_is_gone() -> None:
    """Even what nobody thought of: what is kept is a list, what goes is all else."""
    assert {"PATH", "HOME"} <= os.environ.keys()
    assert os.environ["KERASENV_STORE"] == "0"  # set by the test bed
    for name in os.environ.keys() - {"KERASENV_STORE"}:
        assert not name.startswith(("KERAS", "TF_", "THEANO", "VIRTUAL_ENV", "CONDA", "PYTHON")), name
    assert not {"CI", "NO_COLOR", "FORCE_COLOR", "PIP_FIND_LINKS", "PIP_CERT", "PYENV_VERSION"} & os.environ.keys()


def test_a_live_test_keeps_how_the_machine_reaches_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "https_proxy", "KERAS_BACKEND", "PIP_FIND_LINKS"):
        monkeypatch.setitem(MACHINE, name, "of the machine")

    live = private_environ(tmp_path, live=True)
    hermetic = private_environ(tmp_path)

    assert live["SSL_CERT_FILE"] == live["https_proxy"] == "of the machine"
    assert live["HOME"] == hermetic["HOME"] == str(tmp_path)
    assert not {"KERAS_BACKEND", "PIP_FIND_LINKS"} & live.keys()
    assert not {"KERAS_BACKEND", "PIP_FIND_LINKS", "SSL_CERT_FILE"} & hermetic.keys()
    assert hermetic["https_proxy"] == NOWHERE


def test_the_network_is_closed() -> None:
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match="tests/live"):
        client.connect((ELSEWHERE, 80))


@pytest.mark.parametrize("host", [ELSEWHERE, "example.org", "[2001:db8::1]"])
def test_the_network_is_closed_to_libraries(host: str) -> None:
    """Without the proxy, which would be closed as well."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(pytest.fail.Exception, match="tests/live"):
        opener.open(f"http://{host}/")


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("localhost", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_programs_find_the_network_closed(tmp_path: Path) -> None:
    install = ["install", "--quiet", "--target", str(tmp_path / "site"), "keras"]
    programs = {
        "python": [sys.executable, "-c", f"import urllib.request; urllib.request.urlopen('http://{ELSEWHERE}/')"],
        "pip": [sys.executable, "-m", "pip", *install],
        "uv": [*uv_command(), "pip", *install],
        "uv elsewhere": [*uv_command(), "pip", *install, "--default-index", f"http://{ELSEWHERE}/simple/"],
    }
    for name, words in programs.items():
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode != 0, name
        assert "refused" in done.stderr or "No matching distribution" in done.stderr, name


def test_uv_as_kerasenv_calls_it_stays_here(index: LocalIndex) -> None:
    """It drops many of uv's variables; a proxy that is closed remains."""
    words = [*uv_command(), "pip", "install", "--default-index", f"http://{ELSEWHERE}/", "--target", "site", "keras"]

    done = subprocess.run(words, env=uv_environ(), capture_output=True, text=True, check=False)

    assert "refused" in done.stderr
    assert not index.requests


def test_the_command_line_runs_isolated(kerasenv_cli: RunKerasenv, home: Path, tmp_path: Path) -> None:
    done = kerasenv_cli("--version", env={"HOME": str(home), "XDG_CACHE_HOME": None})

    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_a_python_is_what_it_was_asked_for(python: FindPython) -> None:
    minor = "{}.{}".format(*sys.version_info)
    done = subprocess.run([python(minor), "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith(f"Python {minor}.")


def test_a_python_that_is_missing_skips(python: FindPython) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"no CPython 1\.5"):
        python("1.5")
