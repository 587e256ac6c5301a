"""Which files hooks are written to, and what becomes of those files."""

from __future__ import annotations

import pkgutil
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from kerasenv.env import shells
from kerasenv.env.hooks import SHELLS, write_activation_hooks, write_startup
from kerasenv.errors import HookError
from kerasenv.venv import create_bare_environment

VARIABLES = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": "/a place/keras"}
HOSTILE = {"NAME": "a\n# <<< kerasenv <<<\n# >>> kerasenv >>>\r\n@REM <<< kerasenv <<<"}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all scripts of this virtualenv, those too that it writes on other systems only."""
    folder = create_bare_environment(Path(sys.executable), tmp_path_factory.mktemp("bare") / "env").bin_dir
    elsewhere = {"batch": ("activate.bat", "deactivate.bat"), "cshell": ("activate.csh", "deactivate.csh")}
    for package, scripts in elsewhere.items():
        for script in scripts:
            content = files(f"virtualenv.activation.{package}").joinpath(script).read_bytes().replace(b"\r\n", b"\n")
            (folder / script).write_bytes(content.replace(b"\n", b"\r\n") if package == "batch" else content)
    return folder


@pytest.fixture
def bin_dir(pristine: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for script in pristine.glob("*activate*"):
        shutil.copy2(script, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_module_of_a_shell_is_used() -> None:
    assert {f"{shells.__name__}.{module.name}" for module in pkgutil.iter_modules(shells.__path__)} == {
        getattr(shell, "__name__", None) for shell in SHELLS
    }


def test_every_script_of_virtualenv_is_hooked(bin_dir: Path) -> None:
    hooked = write_activation_hooks(bin_dir, VARIABLES)

    assert {path.name for path in hooked.written} == set(contents(bin_dir))
    assert {path.name for path in hooked.written} == {script for shell in SHELLS for script in shell.SCRIPTS}
    assert hooked.unknown == ()
    assert all(b">>> kerasenv >>>" in content for content in contents(bin_dir).values())


@pytest.mark.parametrize("former", [VARIABLES, HOSTILE], ids=["plain", "hostile"])
def test_hooks_replace_those_that_were_written_before(bin_dir: Path, former: dict[str, str]) -> None:
    """A value that looks like the end of a block is no such end."""
    for script in bin_dir.glob("*.bat"):
        script.unlink()  # cmd.exe has no line breaks
    write_activation_hooks(bin_dir, VARIABLES)
    once = contents(bin_dir)
    write_activation_hooks(bin_dir, former)

    write_activation_hooks(bin_dir, VARIABLES)

    assert contents(bin_dir) == once


def test_no_variables_leave_the_scripts_as_virtualenv_wrote_them(bin_dir: Path) -> None:
    untouched = contents(bin_dir)
    write_activation_hooks(bin_dir, VARIABLES)

    write_activation_hooks(bin_dir, {})

    assert contents(bin_dir) == untouched


def test_line_ends_and_encoding_stay(bin_dir: Path) -> None:
    write_activation_hooks(bin_dir, {"NAME": "\N{CJK UNIFIED IDEOGRAPH-6F22}"})

    for name, content in contents(bin_dir).items():
        crlf = name.endswith(".bat")
        assert content.count(b"\r\n") == (content.count(b"\n") if crlf else 0), name
        assert content.startswith(b"\xef\xbb\xbf") == name.endswith(".ps1"), name
        assert "NAME" in content.decode("utf-8-sig") or name.startswith("deactivate")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_permissions_stay(bin_dir: Path) -> None:
    (bin_dir / "activate").chmod(0o750)

    write_activation_hooks(bin_dir, VARIABLES)

    assert (bin_dir / "activate").stat().st_mode & 0o777 == 0o750


def test_scripts_of_other_shells_are_reported(bin_dir: Path) -> None:
    """activate-global-python-argcomplete is a program that argcomplete installs, and none of them."""
    for name in ("activate.elv", "deactivate.elv", "activate-global-python-argcomplete", "activate_data.json"):
        (bin_dir / name).write_text("", encoding="utf-8")

    hooked = write_activation_hooks(bin_dir, VARIABLES)

    assert hooked.unknown == (bin_dir / "activate.elv", bin_dir / "deactivate.elv")


def test_a_script_that_is_built_differently_is_refused_and_nothing_changed(bin_dir: Path) -> None:
    (bin_dir / "activate.fish").write_text("set -gx VIRTUAL_ENV /nowhere\n", encoding="utf-8")
    untouched = contents(bin_dir)

    with pytest.raises(HookError, match="not built as") as refused:
        write_activation_hooks(bin_dir, VARIABLES)

    assert refused.value.looked_at[0] == str(bin_dir / "activate.fish")
    assert contents(bin_dir) == untouched


def test_scripts_without_their_counterpart_are_refused(bin_dir: Path) -> None:
    """Releases of virtualenv before 21.8 write no deactivate.csh."""
    (bin_dir / "deactivate.csh").unlink()
    untouched = contents(bin_dir)

    with pytest.raises(HookError, match="for csh and tcsh are incomplete") as refused:
        write_activation_hooks(bin_dir, VARIABLES)

    assert refused.value.looked_at == (f"{bin_dir} has activate.csh of activate.csh, deactivate.csh",)
    assert contents(bin_dir) == untouched


def test_a_value_that_a_shell_cannot_hold_is_refused(bin_dir: Path) -> None:
    with pytest.raises(HookError, match=r"cmd\.exe can't set a variable to 'a\\nb'") as refused:
        write_activation_hooks(bin_dir, {"NAME": "a\nb"})

    assert refused.value.looked_at[0] == str(bin_dir / "activate.bat")


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A B", "A=B", "A;touch pwned", "\N{LATIN CAPITAL LETTER A WITH GRAVE}"]
)
def test_a_name_that_some_shell_does_not_take_is_refused(bin_dir: Path, name: str) -> None:
    with pytest.raises(HookError, match="can't be the name of a variable"):
        write_activation_hooks(bin_dir, {name: "value"})
    with pytest.raises(HookError, match="can't be the name of a variable"):
        write_startup(bin_dir, {name: "value"})


@pytest.mark.parametrize(("value", "why"), [("a\0b", "null character"), ("a\udcffb", "not text")])
def test_a_value_that_is_no_text_is_refused(bin_dir: Path, value: str, why: str) -> None:
    with pytest.raises(HookError, match=why):
        write_activation_hooks(bin_dir, {"NAME": value})
    with pytest.raises(HookError, match=why):
        write_startup(bin_dir, {"NAME": value})


def test_startup_is_three_files_of_which_the_one_that_python_reads_comes_last(tmp_path: Path) -> None:
    written = write_startup(tmp_path, VARIABLES)

    assert [path.name for path in written] == ["_kerasenv.env", "_kerasenv.py", "_kerasenv.pth"]
    assert contents(tmp_path) == {
        "_kerasenv.env": b"KERAS_BACKEND\0tensorflow\0KERAS_HOME\0/a place/keras\0",
        "_kerasenv.py": files("kerasenv.probes").joinpath("startup.py").read_bytes(),
        "_kerasenv.pth": b"import _kerasenv\n",
    }


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(HookError, match=r"_kerasenv\.env can't be written: No such file"):
        write_startup(tmp_path / "missing", VARIABLES)
