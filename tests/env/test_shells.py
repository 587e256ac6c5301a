"""What each shell does with the hooks that are written for it, in sessions of the real shell."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.hooks import write_activation_hooks
from kerasenv.env.shells import bash, batch, csh, fish, nushell, powershell, xonsh
from kerasenv.env.variables import bin_folder
from kerasenv.errors import HookError
from kerasenv.venv import create_bare_environment
from tests.env.shell_sessions import (
    BASH,
    BASH_POSIX,
    BASH_STRICT,
    BSD_CSH,
    CMD,
    DASH,
    DASH_STRICT,
    FISH,
    NUSHELL,
    POWERSHELL,
    TCSH,
    XONSH,
    ZSH,
    ZSH_STRICT,
    ShellSession,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kerasenv.env.shell import Shell

SH = [BASH, BASH_STRICT, BASH_POSIX, ZSH, ZSH_STRICT, DASH, DASH_STRICT]
SESSIONS = [*SH, FISH, TCSH, BSD_CSH, NUSHELL, POWERSHELL, XONSH, CMD]

HOSTILE = (
    'it\'s "x" $HOME ${HOME} `touch pwned` $(touch pwned) (touch pwned) \\ \\\\ ! !! % %% %PATH% ^ & | ; < > # * ? [a]'
    " {b,c} ~ \N{LATIN SMALL LETTER E WITH ACUTE} \N{CJK UNIFIED IDEOGRAPH-6F22} \N{MUSICAL SYMBOL G CLEF}"
    " \N{RIGHT SINGLE QUOTATION MARK}\n# <<< kerasenv <<<\n@REM <<< kerasenv <<<\n newline\\\n\n!end\t\\"
)

# What the variables are before, and in the environment: of each three states one turns into another
BEFORE = {"KERAS_BACKEND": f";old {HOSTILE}", "KERAS_HOME": "", "CUDA_VISIBLE_DEVICES": "0,1"}
INSIDE = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": "/a place/keras",
    "CUDA_VISIBLE_DEVICES": "",
    "THEANO_FLAGS": HOSTILE,
    "TF_USE_LEGACY_KERAS": "1",
}
OTHER = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}

AWKWARD = f"{string.punctuation} \t\n\r\v\f\x01\x1b\x7f\N{NO-BREAK SPACE}\N{LEFT SINGLE QUOTATION MARK}"
PAIRS = {
    f"PAIRS_{number}": "".join(f"{first}{second}x" for second in AWKWARD) + first
    for number, first in enumerate(AWKWARD)
}


def possible(session: ShellSession, variables: dict[str, str]) -> dict[str, str]:
    """Return what a shell can have: cmd.exe has no line breaks, and only the newest PowerShell has empty values."""
    if session is CMD:
        variables = {name: value.replace("\n", " ").replace("\r", " ") for name, value in variables.items()}
    return {name: value for name, value in variables.items() if value or session not in {CMD, POWERSHELL}}


def ours(session: ShellSession, environ: dict[str, str]) -> dict[str, str]:
    """Return the variables that any of the environments sets."""
    seen = {name: environ[name] for name in {**INSIDE, **OTHER, **PAIRS} if name in environ}
    return {name: value for name, value in seen.items() if value or session is not POWERSHELL}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory, INSIDE)


@pytest.fixture(scope="module")
def other_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory, OTHER)


@pytest.fixture(scope="module")
def awkward_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory, PAIRS)


def _environment(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> Path:
    made = create_bare_environment(Path(sys.executable), tmp_path_factory.mktemp("an environment") / "v env")
    write_activation_hooks(made.bin_dir, possible(CMD, variables) if sys.platform == "win32" else variables)
    return made.folder


@pytest.fixture(params=SESSIONS, ids=lambda session: session.name)
def session(request: pytest.FixtureRequest) -> ShellSession:
    found: ShellSession = request.param
    found.skip_if_missing()
    return found


@pytest.fixture(autouse=True)
def _nothing_executed(tmp_path: Path) -> Iterator[None]:
    """No value is ever run, wherever it stands."""
    yield
    assert not (tmp_path / "pwned").exists()


# In a session


def test_activation_sets_and_deactivation_puts_back(session: ShellSession, environment: Path, tmp_path: Path) -> None:
    steps = ("dump", environment, "dump", session.deactivate, "dump")

    before, inside, after = session(*steps, environ={**os.environ, **possible(session, BEFORE)}, folder=tmp_path)

    assert ours(session, before) == possible(session, BEFORE)
    assert ours(session, inside) == possible(session, INSIDE)
    assert inside["VIRTUAL_ENV"] == str(environment)
    assert after == before


def test_activating_twice(session: ShellSession, environment: Path, tmp_path: Path) -> None:
    steps = ("dump", environment, environment, "dump", session.deactivate, "dump")

    before, inside, after = session(*steps, environ={**os.environ, **possible(session, BEFORE)}, folder=tmp_path)

    assert ours(session, inside) == possible(session, INSIDE)
    assert after == before


def test_another_environment_on_top(
    session: ShellSession, environment: Path, other_environment: Path, tmp_path: Path
) -> None:
    """The other one has other variables, so only what the first left behind knows what to put back."""
    steps = ("dump", environment, other_environment, "dump", session.deactivate, "dump")

    before, inside, after = session(*steps, environ={**os.environ, **possible(session, BEFORE)}, folder=tmp_path)

    assert ours(session, inside) == {**possible(session, BEFORE), **OTHER}
    assert after == before


def test_one_environment_after_another(
    session: ShellSession, environment: Path, other_environment: Path, tmp_path: Path
) -> None:
    """Nothing of a former activation is left that a later one would take for its own."""
    both = (environment, session.deactivate, other_environment, session.deactivate)

    before, after = session("dump", *both, *both, "dump", environ=os.environ, folder=tmp_path)

    assert after == before


def test_every_pair_of_awkward_characters(session: ShellSession, awkward_environment: Path, tmp_path: Path) -> None:
    """What ends a quotation in one shell is plain text in another, and often the next character decides."""
    (inside,) = session(awkward_environment, "dump", environ=os.environ, folder=tmp_path)

    assert ours(session, inside) == possible(session, PAIRS)


@pytest.mark.parametrize("session", [BASH, ZSH, DASH, FISH], ids=lambda session: session.name)
def test_a_variable_that_was_not_exported_is_not_exported_afterwards(
    session: ShellSession, environment: Path, tmp_path: Path
) -> None:
    own = {"bash": "KERAS_BACKEND=own; KERAS_HOME=", "fish": "set -g KERAS_BACKEND own; set -g KERAS_HOME ''"}
    show = {"bash": 'export SEEN="$KERAS_BACKEND,$KERAS_HOME."', "fish": 'set -gx SEEN "$KERAS_BACKEND,$KERAS_HOME."'}
    language = "fish" if session is FISH else "bash"
    steps = (own[language], environment, "dump", session.deactivate, show[language], "dump")

    inside, after = session(*steps, environ=os.environ, folder=tmp_path)

    assert ours(session, inside) == INSIDE
    assert ours(session, after) == {}
    assert after["SEEN"] == "own,."


def test_fish_shows_a_universal_variable_again(environment: Path, tmp_path: Path) -> None:
    steps = ("set -Ux KERAS_BACKEND universal", environment, "dump", FISH.deactivate, "dump")

    inside, after = FISH(*steps, environ=os.environ, folder=tmp_path)

    assert ours(FISH, inside) == INSIDE
    assert ours(FISH, after) == {"KERAS_BACKEND": "universal"}


@pytest.mark.parametrize("session", [DASH, BASH, ZSH], ids=lambda session: session.name)
def test_an_activation_that_failed_still_says_so(session: ShellSession, environment: Path, tmp_path: Path) -> None:
    """virtualenv's script fails where its environment was taken away, and `. activate && train` must not go on."""
    moved = tmp_path / "moved"
    bin_folder(moved).mkdir(parents=True)
    script = (bin_folder(environment) / "activate").read_text(encoding="utf-8")
    (bin_folder(moved) / "activate").write_text(script.replace(str(environment), "/gone"), encoding="utf-8")
    script = f". '{bin_folder(moved)}/activate' 2>/dev/null && export WENT_ON=1"

    (after,) = session(script, "dump", environ=os.environ, folder=tmp_path)

    assert "WENT_ON" not in after
    assert ours(session, after) == {}


def test_a_python_program_that_activates_for_itself(environment: Path, tmp_path: Path) -> None:
    program = "import json, os, runpy, sys; runpy.run_path(sys.argv[1]); print(json.dumps(dict(os.environ)))"
    script = bin_folder(environment) / "activate_this.py"

    said = subprocess.run(
        [sys.executable, "-I", "-c", program, str(script)],
        env={**os.environ, "KERAS_BACKEND": "old"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )

    assert ours(CMD, json.loads(said.stdout)) == possible(CMD if sys.platform == "win32" else BASH, INSIDE)


# As text: some shells can't be had on every machine


@pytest.mark.parametrize(
    ("shell", "literal"),
    [
        (bash, "'a'\\''b\"$c`\\\n''!%é'"),
        (batch, "a'b^\"$c`\\ !%%é"),
        (csh, "'a'\\''b\"$c`'\\\\'\\\n'''\\!'%é'"),
        (fish, "'a'\\''b\"$c`'\\\\''\\n'!%é'"),
        (nushell, '"a\'b\\"$c`\\\\\\u{a}!%é"'),
        (powershell, "'a''b\"$c`\\' + [char]10 + '!%é'"),
        (xonsh, "'a\\'b\"$c`\\\\\\n!%\\xe9'"),
    ],
    ids=lambda value: getattr(value, "NAME", None),
)
def test_literals(shell: Shell, literal: str) -> None:
    value = "a'b\"$c`\\ !%é" if shell is batch else "a'b\"$c`\\\n!%é"

    assert shell.quote(value) == literal


@pytest.mark.parametrize("character", "'\u2018\u2019\u201a\u201b")
def test_powershell_doubles_whatever_ends_a_string(character: str) -> None:
    assert powershell.quote(f"a{character}b") == f"'a{character}{character}b'"


@pytest.mark.parametrize("character", "\n\r\x1a")
def test_cmd_refuses_what_would_end_the_line(character: str) -> None:
    with pytest.raises(HookError, match=r"cmd\.exe can't set a variable to 'a") as refused:
        batch.quote(f"a{character}b")

    assert "position 1" in refused.value.looked_at[0]


def test_cmd_unescapes_once_more_with_delayed_expansion() -> None:
    hooked = batch.hook("activate.bat", "@if defined _OLD_CODEPAGE (\n chcp %_OLD_CODEPAGE%\n)\n", {"NAME": "^a! 100%"})

    assert '@if not "!!"=="" @set ^"NAME=^^a! 100%%^"\n' in hooked
    assert '@if "!!"=="" @set ^"NAME=^^^^a^^! 100%%^"\n' in hooked
