"""What the interpreter of an environment does when it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.hooks import write_startup
from kerasenv.venv import BareEnvironment, create_bare_environment

if TYPE_CHECKING:
    from tests.conftest import FindPython

VARIABLES = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": "/a place/keras",
    "THEANO_FLAGS": 'it\'s = "x"\n\\ \N{CJK UNIFIED IDEOGRAPH-6F22}',
    "CUDA_VISIBLE_DEVICES": "",
}
if sys.platform == "win32":
    del VARIABLES["CUDA_VISIBLE_DEVICES"]  # Windows has no empty variables

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    return _environment(tmp_path_factory, VARIABLES)


@pytest.fixture(scope="module")
def plain_environment(tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    return _environment(tmp_path_factory, {})


def _environment(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> BareEnvironment:
    made = create_bare_environment(Path(sys.executable), tmp_path_factory.mktemp("an environment") / "v env")
    if variables:
        write_startup(made.site_packages, variables)
    return made


def shown(*command: str | Path, **environ: str) -> dict[str, str]:
    """Return those of our variables that a program shows, which says nothing else."""
    finished = subprocess.run(
        list(command), env={**os.environ, **environ}, capture_output=True, check=False, encoding="utf-8"
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    seen = json.loads(finished.stdout)
    return {name: seen[name] for name in VARIABLES if name in seen}


@pytest.mark.parametrize("options", [(), ("-I",), ("-E",), ("-s",)], ids=" ".join)
def test_the_interpreter_has_the_variables(environment: BareEnvironment, options: tuple[str, ...]) -> None:
    assert shown(environment.python, *options, "-c", SHOW) == VARIABLES


def test_what_the_process_was_given_stays(environment: BareEnvironment) -> None:
    given = {"KERAS_BACKEND": "jax", "KERAS_HOME": ""} if sys.platform != "win32" else {"KERAS_BACKEND": "jax"}

    assert shown(environment.python, "-c", SHOW, **given) == {**VARIABLES, **given}


def test_children_inherit_them(environment: BareEnvironment) -> None:
    """Not only os.environ knows them: they are variables of the process."""
    child = f"import subprocess, sys; subprocess.check_call([{sys.executable!r}, '-IS', '-c', {SHOW!r}])"

    assert shown(environment.python, "-c", child) == VARIABLES


def test_it_can_be_switched_off(environment: BareEnvironment) -> None:
    assert shown(environment.python, "-c", SHOW, KERASENV_STARTUP="0") == {}


def test_without_site_nothing_is_started(environment: BareEnvironment) -> None:
    assert shown(environment.python, "-S", "-c", SHOW) == {}


def test_nothing_else_is_imported(environment: BareEnvironment, plain_environment: BareEnvironment) -> None:
    """It runs at every start, so what it costs is its own few lines."""
    modules = [
        subprocess.check_output([made.python, "-c", "import sys; print('\\n'.join(sys.modules))"], encoding="utf-8")
        for made in (environment, plain_environment)
    ]

    assert set(modules[0].split()) - set(modules[1].split()) == {"_kerasenv"}


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\0",
        b"KERAS_BACKEND",
        b"KERAS_BACKEND\0tensor",
        b"KERAS_BACKEND\0tensorflow\0KERAS_HOME\0",
        b"\0tensorflow\0",
        b"A=B\0tensorflow\0",
    ],
    ids=repr,
)
def test_a_damaged_file_is_passed_over_in_silence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | None
) -> None:
    environment = _environment(tmp_path_factory, VARIABLES)
    data = environment.site_packages / "_kerasenv.env"
    if content is None:
        data.unlink()
    else:
        data.write_bytes(content)

    assert shown(environment.python, "-c", SHOW) == {}


def test_another_environments_interpreter_is_left_alone(
    environment: BareEnvironment, plain_environment: BareEnvironment
) -> None:
    site_packages = str(environment.site_packages)
    read_pth_files = f"import site; site.addsitedir({site_packages!r}); {SHOW}"

    assert shown(plain_environment.python, "-c", f"import _kerasenv; {SHOW}", PYTHONPATH=site_packages) == {}
    assert shown(plain_environment.python, "-c", read_pth_files) == {}


def test_an_environment_has_its_own_variables_where_another_comes_first(
    environment: BareEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = _environment(tmp_path_factory, {"KERAS_BACKEND": "jax"})

    assert shown(own.python, "-c", SHOW, PYTHONPATH=str(environment.site_packages)) == {"KERAS_BACKEND": "jax"}


def test_an_environment_that_is_started_by_a_relative_path(environment: BareEnvironment, tmp_path: Path) -> None:
    assert shown(os.path.relpath(environment.python, tmp_path), "-c", SHOW) == VARIABLES


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_an_environment_that_is_started_through_a_link(environment: BareEnvironment, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(environment.folder)

    assert shown(link / environment.python.relative_to(environment.folder), "-c", SHOW) == VARIABLES


# Not every Python can have an environment made by this virtualenv, so a folder plays its part
START = """
import sys
sys.prefix = sys.argv[1]
import os, site, subprocess
site.addsitedir(os.path.join(sys.prefix, "site-packages"))
sys.exit(subprocess.call(sys.argv[2:]))
"""


@pytest.mark.parametrize("version", ["2.7", *(f"3.{minor}" for minor in range(6, 15))])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_every_python(python: FindPython, tmp_path: Path, version: str, locale: str) -> None:
    (tmp_path / "site-packages").mkdir()
    write_startup(tmp_path / "site-packages", VARIABLES)
    show = (sys.executable, "-IS", "-c", SHOW)

    assert shown(python(version), "-ESc", START, tmp_path, *show, LC_ALL=locale) == VARIABLES
