"""The documentation says what is true: its commands run, its links lead somewhere, what it names is there."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import tomli
import typer
from packaging.pylock import Pylock
from packaging.version import Version

from kerasenv import errors
from kerasenv.cli.app import GROUPS, VERBS, load
from kerasenv.cli.full import app_with
from kerasenv.folders import config_folder
from kerasenv.lock.gaps import Gap
from kerasenv.lock.lockfile import Promise, dump_lock
from kerasenv.profiles.search import find_profile
from kerasenv.resources import shipped_profiles
from tests.pages import DOCS, HOW_TO, TUTORIAL, blocks_of, run_page
from tests.programs import CHECKOUT
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunKerasenv
    from tests.local_index import LocalIndex

TOP = tuple(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
PAGES = tuple(path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts)
ALL = (*TOP, *PAGES)


def name_of(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


def each(pages: tuple[Path, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=name_of)


# What a reader is told to type


@each((TUTORIAL, *HOW_TO))
def test_what_a_page_tells_to_type_does_what_it_says(page: Path, tmp_path: Path, index: LocalIndex) -> None:
    """With tiny packages, and a profile of the user's own in the place of the shipped one."""
    assert not index.requests
    shipped = find_profile("tf2-modern", cwd=shipped_profiles())
    write_profile(config_folder() / "profiles", "tf2-modern", summary=shipped.summary, era=shipped.era)
    folder = tmp_path / "reader"
    folder.mkdir()

    run_page(page, folder)


@each((TUTORIAL, *HOW_TO))
def test_every_block_of_commands_is_run_or_says_why_not(page: Path) -> None:
    silent = [
        block.line
        for block in blocks_of(page)
        if block.language == "console" and not (block.mark == "run" or (block.mark == "not run" and block.about))
    ]

    assert not silent


@each(PAGES)
def test_what_is_quoted_from_a_file_stands_there(page: Path) -> None:
    for block in blocks_of(page):
        if block.mark == "part of":
            assert "\n".join(block.lines) in (CHECKOUT / block.about).read_text("utf-8")


def test_the_second_line_of_the_readme_is_what_ci_runs() -> None:
    """Of two lines to paste, the first makes an environment and the second runs the tests."""
    lines = [line for line in (CHECKOUT / "README.md").read_text("utf-8").splitlines() if line.startswith("python3 ")]
    ci = (CHECKOUT / ".ci" / "run").read_text("utf-8").splitlines()

    assert [line.split()[-1].rpartition("/")[2] for line in lines] == ["tf2-modern", "nox"]
    assert lines[1] == ci[-1]


# What is named


@cache
def verbs() -> dict[str, set[str]]:
    """Return the options of every verb; those that need none stand under an empty name."""
    group: Any = typer.main.get_command(app_with({name: load(name) for name in VERBS}, GROUPS))
    commands = {"": [group]} | {
        name: [command, *getattr(command, "commands", {}).values()] for name, command in group.commands.items()
    }
    return {
        name: {
            spelling
            for command in several
            for one in command.get_params(command.context_class(command))
            for spelling in one.opts
        }
        for name, several in commands.items()
    }


def spans(page: Path) -> Iterator[str]:
    """Yield what stands in backticks within a page's text."""
    text = re.sub(r"^[ ]*```.*?^[ ]*```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(found[1].replace("\\|", "|").split()) for found in re.finditer(r"`([^`]+)`", text))


def command_lines(page: Path) -> Iterator[str]:
    """Yield every command line of kerasenv in a page, in its text and in its blocks."""
    said = list(spans(page))
    for block in blocks_of(page):
        if block.language == "console":
            said += [command.words for command in block.commands()] or block.lines
    said += [line for line in page.read_text("utf-8").splitlines() if line.startswith("    kerasenv ")]
    for words in said:
        found = re.search(r"(?:^|[ /])kerasenv( .*)?$", words)
        if found and not words.startswith(("#", "python -m pip")):
            yield (found[1] or "").strip()


@each(ALL)
def test_every_verb_and_option_is_one_of_the_command_line(page: Path) -> None:
    unknown = []
    for line in command_lines(page):
        words = shlex.split(line.partition(" -- ")[0])
        verb = words[0] if words and not words[0].startswith("-") else ""
        if verb == "VERB":
            continue
        known = verbs().get(verb)
        options = [word.partition("=")[0] for word in words if word.startswith("-") and word != "--"]
        if known is None or not known.issuperset(options):
            unknown.append(f"kerasenv {line}")
    every = set().union(*verbs().values())
    unknown += [span for span in spans(page) if span.startswith("--") and span.split()[0] not in every]

    assert not unknown


@each(ALL)
def test_every_file_of_the_project_that_is_named_is_there(page: Path) -> None:
    ours = re.compile(r"(?:kerasenv|profiles|tests|tools|docs|\.ci)/[\w./-]*")
    readers = {block.about for page in PAGES for block in blocks_of(page) if block.mark == "file"}
    named = {span for span in spans(page) if ours.fullmatch(span)} - readers

    assert not [name for name in named if not (CHECKOUT / name).exists()]


@each(ALL)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = page.parent / path if path else page
        if not place.is_file() or (anchor and anchor not in anchors(place)):
            broken.append(target)

    assert not broken


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_first() -> None:
    listed = {f"{line}.md" for block in blocks_of(DOCS / "index.md") for line in block.lines}

    assert {page.relative_to(DOCS).as_posix() for page in PAGES} - {"index.md"} <= listed


# What is described


def tables(kind: str) -> list[tuple[str, list[str]]]:
    """Return the tables that a comment says are of a kind: what they describe, and their first column."""
    found = []
    for page in PAGES:
        for about, rows in re.findall(
            rf"^<!-- {kind}: (\S+) -->\n((?:\|.*\n)+)", page.read_text("utf-8"), re.MULTILINE
        ):
            found.append((about, re.findall(r"^\| `([\w-]+)`", rows, re.MULTILINE)))
    assert found
    return found


@pytest.mark.parametrize(
    ("name", "described"), tables("fields"), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_key_of_a_result_is_described(name: str, described: list[str]) -> None:
    module, _, kind = name.rpartition(".")
    result = getattr(importlib.import_module(module), kind)

    assert described == [field.name for field in fields(result)]


def test_every_key_of_the_envelope_is_described(kerasenv_cli: RunKerasenv) -> None:
    answer = json.loads(kerasenv_cli("show", "nothing", "--json").stdout)

    described = dict(tables("keys"))
    assert described["envelope"] == list(answer)
    assert described["error"] == list(answer["error"])


def test_every_kind_of_error_is_described() -> None:
    page = (DOCS / "reference" / "json.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| `kind` |"))

    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert set(re.findall(r"`(\w+)`", row)) - {"kind"} == kinds


def test_every_key_of_our_table_in_a_lock_is_described() -> None:
    profile = find_profile("theano-legacy", cwd=shipped_profiles())
    empty = Pylock(lock_version=Version("1.0"), created_by="test", packages=[])
    promise = replace(
        Promise.of(profile, variant="cpu", extra=("pandas",)),
        only_binary=True,
        as_of=date(2020, 6, 1),
        gaps=(Gap(package="pandas 1.0.4", platform="macos-arm64", pythons=("3.7",)),),
    )
    table = tomli.loads(dump_lock(empty, promise).decode())["tool"]["kerasenv"]

    assert dict(tables("keys"))["tool.kerasenv"] == list(table)


def test_what_is_generated_is_what_is_committed() -> None:
    finished = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "reference.py", "--check"], capture_output=True, text=True, check=False
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
