"""What is made without virtualenv is what virtualenv would have made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kerasenv import venv
from kerasenv.errors import EnvironmentFolderError
from kerasenv.folders import cache_folder
from kerasenv.venv import create_bare_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import FindPython

posix = pytest.mark.skipif(os.name != "posix", reason="on Windows a path is never plain: virtualenv makes them all")
HERE = Path(sys.executable)
# Names that environments have, words that stand in the scripts, and what some language takes for something else
PROMPTS = [".venv", "env", "keras-2.3_py37", "bin", "VIRTUAL_ENV", "prompt", "if", "0", "1e3", "true", "x--", "null."]
Content = dict[str, tuple[int, str | bytes]]


def contents(folder: Path) -> Content:
    """Return mode and content of everything in a folder."""
    found: Content = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            what: str | bytes = str(path.readlink())
        else:
            what = b"" if path.is_dir() else path.read_bytes()
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, what)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the folders in which virtualenv was asked to make something."""
    folders: list[Path] = []
    asking = venv.let_virtualenv_make

    def ask(interpreter: Path, folder: Path, prompt: str) -> dict[str, Path]:
        folders.append(folder)
        return asking(interpreter, folder, prompt)

    monkeypatch.setattr(venv, "let_virtualenv_make", ask)
    return folders


def templates() -> list[Path]:
    return sorted((cache_folder() / "environments").glob("*"))


@posix
@pytest.mark.parametrize("version", ["3.6", "3.8", "3.10", "3.12"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_it_is_what_virtualenv_makes(
    version: str, prompt: str, python: FindPython, tmp_path: Path, asked: list[Path]
) -> None:
    folder = tmp_path / "env"
    places = venv.let_virtualenv_make(python(version), folder, prompt)
    expected = contents(folder)
    del asked[:]
    for _ in range(2):  # while the template is learned, and from then on
        shutil.rmtree(folder)

        made = create_bare_environment(python(version), folder, prompt=prompt)

        assert made == venv.BareEnvironment(folder=folder, **places)
        assert contents(folder) == expected
    assert asked == [folder]


@posix
@pytest.mark.parametrize("prompt", ["it's $HOME", "an env", "env;id", "-env", "..", "änv", "%PATH%"])
def test_a_prompt_that_shells_quote_is_left_to_virtualenv(prompt: str, tmp_path: Path, asked: list[Path]) -> None:
    create_bare_environment(HERE, tmp_path / "plain")
    del asked[:]

    create_bare_environment(HERE, tmp_path / "env", prompt=prompt)

    assert asked == [tmp_path / "env"]
    assert json.dumps(prompt, ensure_ascii=False) in (tmp_path / "env" / "pyvenv.cfg").read_text("utf-8")


@posix
def test_elsewhere_it_speaks_of_its_own_place(tmp_path: Path, asked: list[Path]) -> None:
    first, second = tmp_path / "env", tmp_path / "another" / "place" / "other"
    create_bare_environment(HERE, first)
    second.parent.mkdir(parents=True)
    environment = create_bare_environment(HERE, second)

    assert asked == [first]
    assert not [path for path, (_, content) in contents(second).items() if str(first) in str(content)]
    assert str(second) in (second / "bin" / "activate").read_text("utf-8")
    words: list[str | Path] = [environment.python, "-c", "import sys; print(sys.prefix)"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"{second}\n"
    shell: list[str | Path] = ["sh", "-c", '. "$0" && echo "$VIRTUAL_ENV"', second / "bin" / "activate"]
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == f"{second}\n"


@pytest.mark.parametrize("name", ["an env", "env's", "env;id", "änv", "$env"])
def test_a_path_that_shells_quote_is_left_to_virtualenv(name: str, tmp_path: Path, asked: list[Path]) -> None:
    create_bare_environment(HERE, tmp_path / "plain")
    create_bare_environment(HERE, tmp_path / name)
    create_bare_environment(HERE, tmp_path / name / "inside")

    assert [tmp_path / name, tmp_path / name / "inside"] == asked[1:]


def test_of_a_path_that_shells_quote_nothing_is_written_down(tmp_path: Path) -> None:
    create_bare_environment(HERE, tmp_path / "an env")

    assert templates() == []


@posix
def test_what_only_the_first_one_was_called_stands_in_no_other(tmp_path: Path, asked: list[Path]) -> None:
    create_bare_environment(HERE, tmp_path / "first", prompt="one-of-a-kind")
    create_bare_environment(HERE, tmp_path / "second", prompt="two")

    assert asked == [tmp_path / "first"]
    assert '"two"' in (tmp_path / "second" / "pyvenv.cfg").read_text("utf-8")
    assert not [path for path, (_, content) in contents(tmp_path / "second").items() if "of-a-kind" in str(content)]


@posix
def test_another_interpreter_in_the_same_place_is_another_environment(
    python: FindPython, tmp_path: Path, asked: list[Path]
) -> None:
    """Programs of several versions can have one size and, out of an image, one time."""
    link = tmp_path / "python3"
    link.symlink_to(python("3.10"))
    create_bare_environment(link, tmp_path / "first")
    link.unlink()
    link.symlink_to(python("3.12"))
    create_bare_environment(link, tmp_path / "second")

    assert asked == [tmp_path / "first", tmp_path / "second"]


def test_an_interpreter_that_is_gone_is_told_by_virtualenv(tmp_path: Path, asked: list[Path]) -> None:
    with pytest.raises(EnvironmentFolderError, match="can't make an environment"):
        create_bare_environment(tmp_path / "none", tmp_path / "env")

    assert asked == [tmp_path / "env"]


def spoil(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def write(file: Path) -> None:
        template = json.loads(file.read_text("utf-8"))
        change(template)
        file.write_text(json.dumps(template), encoding="utf-8")

    return write


def test_without_a_prompt_its_name_is_one(tmp_path: Path) -> None:
    for name in ("first", "second"):
        create_bare_environment(HERE, tmp_path / name)

    activate = venv.python_in(tmp_path / "second").with_name("activate").read_text("utf-8")
    assert "second" in activate
    assert "first" not in activate


@posix
@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text("[" * 100_000),
        spoil(lambda template: template.clear()),
        spoil(lambda template: template.update(places=[])),
        spoil(lambda template: template.update(places={"python": 1})),
        spoil(lambda template: template.update(folders=["not/there"])),
        spoil(lambda template: template.update(folders=1)),
        spoil(lambda template: template.pop("links")),
        spoil(lambda template: template["links"].update({"bin/more": None})),
        spoil(lambda template: template["files"].update({"bin/activate": 5})),
        spoil(lambda template: template["files"].update({"bin": "a folder"})),
        spoil(lambda template: template["asked"].append("more")),
    ],
)
def test_a_damaged_template_is_made_anew(harm: Callable[[Path], object], tmp_path: Path, asked: list[Path]) -> None:
    create_bare_environment(HERE, tmp_path / "first", prompt="env")
    (template,) = templates()
    sound = template.read_text("utf-8")
    harm(template)

    create_bare_environment(HERE, tmp_path / "second", prompt="env")

    assert asked == [tmp_path / "first", tmp_path / "second"]
    assert contents(tmp_path / "second").keys() == contents(tmp_path / "first").keys()
    assert json.loads(template.read_text("utf-8")) == json.loads(sound)
    assert templates() == [template]


@posix
def test_what_is_there_already_is_never_touched(tmp_path: Path, asked: list[Path]) -> None:
    create_bare_environment(HERE, tmp_path / "first")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years", encoding="utf-8")
    (template,) = templates()
    for content in (template.read_text("utf-8"), "no template"):
        template.write_text(content, encoding="utf-8")
        create_bare_environment(HERE, tmp_path / "mine")  # virtualenv works in folders that are there

    assert (tmp_path / "mine" / "thesis.txt").read_text("utf-8") == "years"
    assert asked == [tmp_path / "first", tmp_path / "mine", tmp_path / "mine"]
    assert "thesis" not in template.read_text("utf-8")


def test_a_cache_that_holds_nothing_is_no_failure(tmp_path: Path, asked: list[Path]) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "environments").write_text("in the way", encoding="utf-8")

    for name in ("first", "second"):
        assert create_bare_environment(HERE, tmp_path / name).python.exists()

    assert asked == [tmp_path / "first", tmp_path / "second"]


@posix
def test_what_is_no_text_is_left_to_virtualenv(
    tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where links can't be made, as in a build for the App Store, the interpreter itself is copied."""
    asking = venv.let_virtualenv_make

    def copying(interpreter: Path, folder: Path, prompt: str) -> dict[str, Path]:
        places = asking(interpreter, folder, prompt)
        places["python"].unlink()
        shutil.copy(interpreter, places["python"])
        return places

    monkeypatch.setattr(venv, "let_virtualenv_make", copying)
    made = create_bare_environment(HERE, tmp_path / "env")

    assert not made.python.is_symlink()
    assert asked == [tmp_path / "env"] * 2  # to learn from, and as it is
    assert templates() == []
    assert '"env"' in (tmp_path / "env" / "pyvenv.cfg").read_text("utf-8")
