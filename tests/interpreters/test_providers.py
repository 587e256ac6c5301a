"""Each provider with its real program and a source on this machine; only for conda there is a stand-in."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from kerasenv.errors import InterpreterError
from kerasenv.interpreters.find import inspect
from kerasenv.interpreters.providers import conda, pyenv, rattler, uv
from tests.isolation import MACHINE
from tests.python_sources import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kerasenv.interpreters.provider import Provider

posix = pytest.mark.skipif(sys.platform == "win32", reason="scripts are no programs on Windows")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where a Python is to be put: its folder isn't there yet."""
    return tmp_path / "pythons" / "one"


@pytest.fixture(autouse=True)
def _parent(place: Path) -> None:
    place.parent.mkdir()


def use(source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in source.items():
        monkeypatch.setenv(name, value)


def facts(python: Path) -> tuple[str, Path]:
    """Return the version of a Python and the folder that it takes for its own."""
    code = "import sys, json, ssl, ctypes; print(json.dumps([list(sys.version_info[:3]), sys.prefix]))"
    version, prefix = json.loads(subprocess.run([python, "-c", code], capture_output=True, check=True).stdout)
    return ".".join(map(str, version)), Path(prefix)


def refused(provider: Provider, version: str, place: Path) -> InterpreterError:
    with pytest.raises(InterpreterError) as caught:
        provider.install(Version(version), place)
    return caught.value


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder's files on the loopback interface."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def everything_below(home: Path) -> set[str]:
    """Return what a home holds besides caches."""
    return {path.name for path in home.iterdir() if path.name != ".cache"}


class TestUv:
    def test_it_gets_one(
        self, place: Path, home: Path, uv_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(uv_source, monkeypatch)

        python = uv.install(Version("3.8"), place)

        version, prefix = facts(python)
        assert version.startswith("3.8.")
        assert prefix.is_relative_to(place)
        assert not everything_below(home), "nothing in ~/.local/bin, no shell profile"

    def test_a_patch(self, place: Path, uv_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        use(uv_source, monkeypatch)

        assert refused(uv, "3.8.2", place).message == "uv could not get CPython 3.8.2."

    def test_an_archive_that_is_not_what_the_list_says(
        self, place: Path, tmp_path: Path, uv_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (listed,) = uv_source.values()
        table = json.loads(folder_of(listed).read_text("utf-8"))
        (entry,) = table.values()
        entry["sha256"] = "0" * 64
        (tmp_path / "list.json").write_text(json.dumps(table), "utf-8")
        monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", (tmp_path / "list.json").as_uri())

        error = refused(uv, "3.8", place)

        assert "Hash mismatch" in "\n".join(error.looked_at)
        assert not list(place.glob("cpython-*"))

    def test_what_it_does_not_have(self) -> None:
        assert uv.obstacle(Version("3.7")) == "it has no CPython older than 3.8"
        assert uv.obstacle(Version("2.7.18")) == "it has no CPython older than 3.8"
        assert uv.obstacle(Version("3.8")) is None
        assert uv.obstacle(Version("3.14")) is None


class TestRattler:
    @pytest.fixture(autouse=True)
    def _there(self) -> None:
        pytest.importorskip("rattler", reason="py-rattler is not installed; it is in the group of what tests need")

    def test_it_gets_one(
        self, place: Path, home: Path, conda_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(conda_source, monkeypatch)

        python = rattler.install(Version("3.7"), place)

        version, prefix = facts(python)
        assert version.startswith("3.7.")
        assert prefix == place
        assert not everything_below(home), "none of conda's own folders"
        assert sorted(path.name for path in (home / ".cache").iterdir()) == ["kerasenv"]

    def test_what_the_channel_does_not_have(
        self, place: Path, conda_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(conda_source, monkeypatch)

        error = refused(rattler, "3.6", place)

        assert error.message == "py-rattler could not get CPython 3.6."
        assert "python 3.6" in "\n".join(error.looked_at)

    @pytest.mark.parametrize("by_http", [False, True])
    def test_a_package_that_is_not_what_the_channel_says(
        self,
        place: Path,
        tmp_path: Path,
        conda_source: Mapping[str, str],
        monkeypatch: pytest.MonkeyPatch,
        *,
        by_http: bool,
    ) -> None:
        """Of a folder as well, whose files py-rattler itself takes as they are."""
        channel = tmp_path / "channel"
        shutil.copytree(folder_of(*conda_source.values()), channel)
        monkeypatch.setenv("KERASENV_CONDA_CHANNEL", channel.as_uri())
        (repodata,) = channel.glob("*-*/repodata.json")
        table = json.loads(repodata.read_text("utf-8"))
        (record,) = table["packages"].values()
        record["sha256"] = "0" * 64
        repodata.write_text(json.dumps(table), "utf-8")

        with served(channel) as address:
            if by_http:
                monkeypatch.setenv("KERASENV_CONDA_CHANNEL", address)
            error = refused(rattler, "3.7", place)

        assert "hash mismatch" in "\n".join(error.looked_at)
        assert not (place / "bin" / "python").exists()

    def test_a_channel_that_is_served(
        self, place: Path, conda_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As conda-forge is, but for the distance."""
        with served(folder_of(*conda_source.values())) as address:
            monkeypatch.setenv("KERASENV_CONDA_CHANNEL", address)
            python = rattler.install(Version("3.7"), place)

        assert facts(python)[0].startswith("3.7.")

    def test_a_password_of_the_channel_is_not_told(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERASENV_CONDA_CHANNEL", "http://me:secret@127.0.0.1:9/channel")

        error = refused(rattler, "3.7", place)

        assert "secret" not in "\n".join((error.message, *error.looked_at, rattler.promise(Version("3.7"))))


def test_rattler_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rattler", None)

    assert rattler.obstacle(Version("3.7")) == "it is not installed beside kerasenv"


@posix
class TestConda:
    """With a stand-in: the real ones are on no package index.

    It writes down what it was asked for and links a Python into the prefix.
    """

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the one folder on PATH."""
        folder = tmp_path / "bin"
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        return folder

    def stand_in(self, place: Path, *lines: str) -> Path:
        place.write_text("\n".join(("#!/bin/sh", f'printf "%s\\n" "$@" > {shlex.quote(str(place))}.asked', *lines, "")))
        place.chmod(0o755)
        return place

    def linking(self, place: Path, python: Path) -> Path:
        link = f'mkdir -p "$prefix/bin" && ln -s {shlex.quote(str(python))} "$prefix/bin/python"'
        keep = f"env | grep -E '^(CONDA|MAMBA)' > {shlex.quote(str(place))}.environ"
        return self.stand_in(place, "for word; do case $word in --prefix=*) prefix=${word#*=};; esac; done", link, keep)

    def test_it_gets_one(self, folder: Path, place: Path, home: Path, python37: Path) -> None:
        program = self.linking(folder / "conda", python37)

        python = conda.install(Version("3.7"), place)

        assert inspect(python, source="").minor == "3.7"
        assert program.with_name("conda.asked").read_text().splitlines() == [
            *("create", "--yes", f"--prefix={place}", "--override-channels", "--channel=conda-forge", "python=3.7"),
        ]
        settings = program.with_name("conda.environ").read_text().splitlines()
        assert f"CONDA_PKGS_DIRS={home / '.cache' / 'kerasenv' / 'conda-packages'}" in settings
        assert {"CONDA_REGISTER_ENVS=false", "MAMBA_REGISTER_ENVS=false"} <= set(settings)

    def test_from_another_channel(
        self, folder: Path, place: Path, python37: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KERASENV_CONDA_CHANNEL", "file:///mirror")
        program = self.linking(folder / "conda", python37)

        conda.install(Version("3.7.16"), place)

        asked = program.with_name("conda.asked").read_text().splitlines()
        assert asked[-2:] == ["--channel=file:///mirror", "python=3.7.16"]
        assert conda.promise(Version("3.7")) == "downloads 20 to 80 MB from file:///mirror"

    def test_the_quickest_is_taken(self, folder: Path, place: Path) -> None:
        self.stand_in(folder / "conda", "exit 1")
        self.stand_in(folder / "mamba", "exit 1")
        assert refused(conda, "3.7", place).message.startswith(f"{folder / 'mamba'} could not get")
        self.stand_in(folder / "micromamba", "echo no such package >&2; exit 1")

        error = refused(conda, "3.7", place)

        assert error.message == f"{folder / 'micromamba'} could not get CPython 3.7."
        assert error.looked_at == ("no such package",)

    def test_one_that_only_the_shell_knows(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert conda.obstacle(Version("3.7")) == "none of micromamba, mamba, conda is on PATH"
        monkeypatch.setenv("MAMBA_EXE", str(self.stand_in(tmp_path / "micromamba")))

        assert conda.obstacle(Version("3.7")) is None
        assert list(folder.iterdir()) == []


@posix
class TestPyenv:
    """With the real pyenv, whose recipe for the version is replaced by one that copies: compiling takes minutes."""

    @pytest.fixture
    def recipes(self, tmp_path: Path, uv_source: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
        """Let pyenv know a single version, which is returned."""
        program = shutil.which("pyenv", path=MACHINE.get("PATH"))
        if program is None:
            pytest.skip("there is no pyenv on this machine")
        monkeypatch.setenv("PATH", f"{Path(program).parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
        (archive,) = folder_of(*uv_source.values()).parent.glob("*.tar.gz")
        version = archive.name.removeprefix("cpython-").removesuffix(".tar.gz")
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "python.tar.gz").symlink_to(archive)
        recipes = tmp_path / "root" / "share" / "python-build"
        recipes.mkdir(parents=True)
        # The address is never asked, since its file is in the cache already
        (recipes / version).write_text('install_package "python" "http://127.0.0.1:9/python.tar.gz" copy\n')
        monkeypatch.setenv("PYTHON_BUILD_ROOT", str(tmp_path / "root"))
        monkeypatch.setenv("PYTHON_BUILD_CACHE_PATH", str(tmp_path / "cache"))
        return version

    @pytest.mark.parametrize("minor", [True, False])
    def test_it_builds_one(self, recipes: str, place: Path, home: Path, *, minor: bool) -> None:
        python = pyenv.install(Version("3.8" if minor else recipes), place)

        assert facts(python) == (recipes, place / "versions" / recipes)
        assert not everything_below(home), "nothing in the user's own pyenv"

    @pytest.mark.usefixtures("recipes")
    def test_what_it_does_not_know(self, place: Path) -> None:
        error = refused(pyenv, "3.98", place)

        assert error.message == "pyenv could not build CPython 3.98."
        assert "definition not found: 3.98" in "\n".join(error.looked_at)

    @pytest.mark.usefixtures("recipes")
    def test_what_is_switched_on_for_the_user_is_not_asked(
        self, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYENV_VERSION", "nonsense")
        (tmp_path / ".python-version").write_text("nonsense\n")

        assert facts(pyenv.install(Version("3.8"), place))[0].startswith("3.8.")

    def test_there_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        assert pyenv.obstacle(Version("3.7")) == "it is not on PATH"
        assert "minutes" in pyenv.promise(Version("3.7"))
