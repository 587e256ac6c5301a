"""Shells that are really started: each writes down, from a process that it starts, which variables are exported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.variables import bin_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

_DUMP = """\
import io, json, os, sys
with io.open(sys.argv[1], "a", encoding="utf-8") as log:
    log.write(json.dumps(dict(os.environ)) + "\\n")
"""
# What shells keep for themselves, and count up
_OF_THE_SHELL = {"_", "SHLVL", "PWD", "OLDPWD", "DIRS_STACK", "CMD_DURATION_MS", "LAST_EXIT_CODE", "FILE_PWD"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ShellSession:
    """One shell, and its words for what a person does in it."""

    name: str
    command: tuple[str, ...]
    """What runs a script; the path of the script is its last word."""
    script: str
    """The activation script that is meant for it."""
    source: str
    """How to source a script {path}."""
    run: str = "{words}"
    """How to start a program, given its quoted {words}."""
    deactivate: str = "deactivate"
    quote: str = "'"
    module: str | None = None
    """What must be importable, for a shell that is a Python package."""
    suffix: str = ""
    encoding: str = "utf-8"

    def __call__(self, *steps: str | Path, environ: Mapping[str, str], folder: Path) -> list[dict[str, str]]:
        """Run the steps in one session and return what was exported at each "dump".

        A path stands for the activation of the environment there; any other word is for the shell as it is.
        """
        self.skip_if_missing()
        dump, log = folder / "dump.py", folder / "log.jsonl"
        dump.write_text(_DUMP, encoding="utf-8")
        log.unlink(missing_ok=True)
        script = folder / f"session{self.suffix}"
        lines = [self._line(step, sys.executable, "-IS", str(dump), str(log)) for step in steps]
        script.write_text("\n".join([*lines, ""]), encoding=self.encoding)
        finished = subprocess.run(
            [*self.command, str(script)],
            env={**environ, "VIRTUAL_ENV_DISABLE_PROMPT": "1"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )
        said = (finished.returncode, finished.stdout, finished.stderr)
        assert said == (0, "", ""), said
        with log.open(encoding="utf-8") as dumps:
            return [_clean(json.loads(line)) for line in dumps]

    def skip_if_missing(self) -> None:
        """Skip the test that needs this shell on a machine that doesn't have it."""
        if self.module is not None and find_spec(self.module) is None:
            pytest.skip(f"{self.module} is not installed beside pytest")
        if shutil.which(self.command[0]) is None:
            pytest.skip(f"{self.command[0]} is not on PATH")

    def _line(self, step: str | Path, *dump: str) -> str:
        if isinstance(step, Path):
            return self.source.format(path=self._quoted(str(bin_folder(step) / self.script)))
        return self.run.format(words=" ".join(map(self._quoted, dump))) if step == "dump" else step

    def _quoted(self, word: str) -> str:
        """Quote a word; the paths of the tests hold spaces, but nothing that ends a quotation."""
        assert self.quote not in word
        return f"{self.quote}{word}{self.quote}"


def _clean(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _OF_THE_SHELL}


_SH = {"script": "activate", "source": ". {path}", "suffix": ".sh"}
_CSH = {"script": "activate.csh", "source": "source {path}", "suffix": ".csh"}

BASH = ShellSession(name="bash", command=("bash", "--noprofile", "--norc"), **_SH)
BASH_STRICT = ShellSession(name="bash -eu", command=("bash", "--noprofile", "--norc", "-eu"), **_SH)
BASH_POSIX = ShellSession(name="bash --posix", command=("bash", "--noprofile", "--norc", "--posix"), **_SH)
ZSH = ShellSession(name="zsh", command=("zsh", "-f"), **_SH)
ZSH_STRICT = ShellSession(name="zsh -eu", command=("zsh", "-f", "-eu", "-o", "warn_create_global"), **_SH)
DASH = ShellSession(name="dash", command=("dash",), **_SH)
DASH_STRICT = ShellSession(name="dash -eu", command=("dash", "-eu"), **_SH)
FISH = ShellSession(
    name="fish", command=("fish", "--no-config"), script="activate.fish", source="source {path}", suffix=".fish"
)
TCSH = ShellSession(name="tcsh", command=("tcsh", "-f"), **_CSH)
BSD_CSH = ShellSession(name="bsd-csh", command=("bsd-csh", "-f"), **_CSH)
NUSHELL = ShellSession(
    name="nushell",
    command=("nu", "--no-config-file"),
    script="activate.nu",
    source="overlay use {path}",
    run="^{words}",
    suffix=".nu",
)
POWERSHELL = ShellSession(
    name="PowerShell",
    command=("pwsh", "-NoProfile", "-NonInteractive", "-File"),
    script="activate.ps1",
    source=". {path}",
    run="& {words}",
    suffix=".ps1",
    encoding="utf-8-sig",
)
XONSH = ShellSession(
    name="xonsh",
    command=(sys.executable, "-m", "xonsh", "--no-rc"),
    module="xonsh",
    script="activate.xsh",
    source="source {path}",
    run="$[{words}]",
    suffix=".xsh",
)
CMD = ShellSession(
    name="cmd.exe",
    command=("cmd.exe", "/d", "/c"),
    script="activate.bat",
    source="@call {path}",
    run="@{words}",
    deactivate="@call deactivate",
    quote='"',
    suffix=".bat",
)
