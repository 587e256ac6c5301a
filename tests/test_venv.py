from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.errors import EnvironmentFolderError
from kerasenv.venv import create_bare_environment, python_in

if TYPE_CHECKING:
    from tests.conftest import FindPython

SAY_PATH = "import sys; print(sys.prefix); print([entry for entry in sys.path if 'site-packages' in entry])"


def start(python: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-c", SAY_PATH], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.12"])
def test_every_python_starts_without_a_word_and_finds_no_packages(
    version: str, python: FindPython, tmp_path: Path
) -> None:
    """The patch that virtualenv puts into site-packages is a syntax error before 3.8, told at every start."""
    environment = create_bare_environment(python(version), tmp_path / "env")

    answer = start(environment.python)

    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [str(tmp_path / "env"), str([str(environment.site_packages)])]
    assert not list(environment.site_packages.glob("*.dist-info"))


def test_it_says_where_things_are(tmp_path: Path) -> None:
    environment = create_bare_environment(Path(sys.executable), tmp_path / "env")

    assert environment.folder == tmp_path / "env"
    assert environment.python == python_in(tmp_path / "env")
    assert environment.python.parent == environment.bin_dir
    assert (environment.bin_dir / "activate").is_file()


def test_it_is_relocatable(tmp_path: Path) -> None:
    """uv writes entry points without the folder's path if pyvenv.cfg says so."""
    create_bare_environment(Path(sys.executable), tmp_path / "env")

    assert "relocatable = true" in (tmp_path / "env" / "pyvenv.cfg").read_text("utf-8").splitlines()


def test_the_users_own_settings_of_virtualenv_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("VIRTUALENV_SYSTEM_SITE_PACKAGES", "1")
    monkeypatch.setenv("VIRTUALENV_PYTHON", "no-such-python")
    (home / "virtualenv.ini").write_text("[virtualenv]\nactivators = bash\nno-such-option = 1\n")
    monkeypatch.setenv("VIRTUALENV_CONFIG_FILE", str(home / "virtualenv.ini"))

    environment = create_bare_environment(Path(sys.executable), tmp_path / "env")

    assert "include-system-site-packages = false" in (tmp_path / "env" / "pyvenv.cfg").read_text("utf-8")
    assert (environment.bin_dir / "activate.fish").is_file()


def test_nothing_is_written_beside_it(tmp_path: Path) -> None:
    """In a folder with a pyproject.toml, virtualenv would leave a file named .venv that points to the environment."""
    (tmp_path / "pyproject.toml").touch()

    create_bare_environment(Path(sys.executable), tmp_path / "staging")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "staging"]


def test_an_interpreter_that_is_none_is_a_clear_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EnvironmentFolderError, match="can't make an environment in") as caught:
        create_bare_environment(tmp_path / "no-python", tmp_path / "env")

    assert caught.value.looked_at == (f"interpreter {tmp_path / 'no-python'}",)
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """virtualenv refuses as a command line program: it prints its usage and exits."""
    (tmp_path / "env").touch()

    with pytest.raises(EnvironmentFolderError, match="already exists and is not a directory"):
        create_bare_environment(Path(sys.executable), tmp_path / "env")

    assert capfd.readouterr() == ("", "")
