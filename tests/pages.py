"""The pages of the documentation, and what they tell a reader to type.

A page says of each block of commands what becomes of it, in a comment before it, which no reader sees:

    <!-- run -->              it is run, by the tests of the pages and by those with the real index
    <!-- run: fails -->       the same, and its last command must fail
    <!-- run: live output --> the same; what the page shows of its output comes with the real index alone
    <!-- run: live -->        it is run with the real index alone
    <!-- not run: why -->     it is never run
    <!-- file: NAME -->       the block is written to a file
    <!-- part of: NAME -->    the block stands in a file of the checkout
    <!-- prepare ... -->      commands that readers need not see

All of a page is run in one shell, from top to bottom. A block shows output after its commands: each line must come, in
this order; between them there may be others. Numbers may differ, and the sign for an omission stands for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.programs import CHECKOUT, KERASENV

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DOCS = CHECKOUT / "docs"
TUTORIAL = DOCS / "tutorial.md"
HOW_TO = tuple(sorted((DOCS / "how-to").glob("*.md")))

_FENCED = re.compile(
    r"(?:^(?P<in>[ ]*)<!-- (?P<mark>[^\n]*?) -->\n)?^(?P<by>[ ]*)```(?P<language>\S*)\n(?P<body>.*?)^(?P=by)```$"
    r"|^<!-- prepare\n(?P<hidden>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)
_NUMBER = re.compile(r"\d+(?:[.-]\d+)*")
_PIECES = re.compile(r"(\d+(?:[.-]\d+)*|…)")
_PROMPT = "$ "


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block of a page, or commands that it hides; `mark` is 'run', say, and `about` what follows a colon."""

    mark: str
    about: str
    language: str
    lines: tuple[str, ...]
    line: int
    """Where it begins in the page."""

    def commands(self, *, live: bool = True) -> Iterator[Command]:
        """Yield the commands, each with the output that the page shows, if it is to come."""
        shown = live or self.about != "live output"
        starts = [number for number, line in enumerate(self.lines) if line.startswith(_PROMPT)]
        for start, end in zip(starts, [*starts, len(self.lines)][1:], strict=True):
            fails = self.about == "fails" and start == starts[-1]
            words = self.lines[start].removeprefix(_PROMPT)
            yield Command(words=words, output=self.lines[start + 1 : end] if shown else (), fails=fails)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What a reader types, and what is shown to come of it."""

    words: str
    output: Sequence[str] = ()
    fails: bool = False

    def missing(self, said: str) -> str | None:
        """Return the first line of output that a page shows and that did not come."""
        came = iter(said.splitlines())
        return next(
            (line for line in self.output if not any(_pattern(line).fullmatch(_plain(one)) for one in came)), None
        )


def _plain(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> re.Pattern[str]:
    pieces = _PIECES.split(_plain(line))
    said = [".*" if one == "…" else _NUMBER.pattern if _NUMBER.fullmatch(one) else re.escape(one) for one in pieces]
    return re.compile("".join(said))


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text("utf-8")
    return [_block(found, text) for found in _FENCED.finditer(text)]


def _block(found: re.Match[str], text: str) -> Block:
    line = text.count("\n", 0, found.start()) + 1
    if found["hidden"] is not None:
        lines = tuple(_PROMPT + one for one in found["hidden"].splitlines())
        return Block(mark="run", about="", language="console", lines=lines, line=line)
    mark, _, about = (found["mark"] or "").partition(": ")
    lines = tuple(one.removeprefix(found["by"]) for one in found["body"].splitlines())
    return Block(mark=mark, about=about, language=found["language"], lines=lines, line=line)


def run_page(page: Path, folder: Path, *, live: bool = False, environ: Mapping[str, str] | None = None) -> None:
    """Do all that a page tells a reader, in a folder, and see that it comes out as the page says."""
    bash = shutil.which("bash")
    if sys.platform == "win32" or bash is None:
        pytest.skip("the pages are written for bash, which this machine doesn't have")
    if shutil.which("git") is None:
        pytest.skip("the pages use git, which this machine doesn't have")
    commands: list[Command] = []
    script = ["shopt -s expand_aliases", f"cd {shlex.quote(str(folder))}"]
    for block in blocks_of(page):
        if block.mark == "file":
            script += _writing(block)
        elif block.mark == "run" and (live or block.about != "live"):
            for command in block.commands(live=live):
                script += _running(command, len(commands))
                commands.append(command)
    own = folder / ".reader"
    _write_program(own / "kerasenv", KERASENV)
    (own / "page.sh").write_text("\n".join([*script, ""]), encoding="utf-8")
    log = own / "said.txt"
    with log.open("w", encoding="utf-8") as output:
        subprocess.run(
            [bash, "--noprofile", "--norc", str(own / "page.sh")],
            env={**os.environ, **_GIT, "PATH": f"{own}{os.pathsep}{os.environ['PATH']}", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=3600,
            check=False,
        )
    _judge(commands, log.read_text("utf-8", "replace"), page)


# Somebody who commits, and nothing of what git was told on this machine
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Ada"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ada@example.org"),
}


def _write_program(place: Path, words: Sequence[str]) -> None:
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    place.chmod(0o755)


def _writing(block: Block) -> list[str]:
    name = shlex.quote(block.about)
    return [f'mkdir -p "$(dirname {name})"', f"cat > {name} <<'END OF THE BLOCK'", *block.lines, "END OF THE BLOCK"]


def _running(command: Command, number: int) -> list[str]:
    expected = "-eq" if command.fails else "-ne"
    return [
        f"printf '\\n@@@ {number}\\n'",
        command.words,
        "status=$?",
        "printf '\\n@@@ status %s\\n' $status",
        f"[ $status {expected} 0 ] && exit",
    ]


def _judge(commands: Sequence[Command], said: str, page: Path) -> None:
    for number, command in enumerate(commands):
        _, begun, rest = said.partition(f"\n@@@ {number}\n")
        output, ended, status = rest.partition("\n@@@ status ")
        assert begun, f"{page.name}: '{command.words}' was never run"
        assert ended, f"{page.name}: '{command.words}' ended the shell: {output}"
        failed = status.partition("\n")[0] != "0"
        assert failed == command.fails, (
            f"{page.name}: '{command.words}' {'failed' if failed else 'succeeded'}: {output}"
        )
        missing = command.missing(output)
        assert missing is None, f"{page.name}: '{command.words}' did not say '{missing}' but: {output}"
