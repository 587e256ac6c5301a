"""A command starts fast because it imports what it needs and nothing else: that is looked at, and not the seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kerasenv.cli.app import VERBS
from tests.programs import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

# What runs a command line as the program does, and says at its end what was imported meanwhile
RUN = f"""
import sys
sys.path[0] = {str(CHECKOUT)!r}
sys.argv[0] = "kerasenv"
from kerasenv.__main__ import main
try:
    main()
finally:
    import json
    sys.stdout.flush()
    print("\\n" + json.dumps(sorted(sys.modules)))
"""

# Each takes 15 to 150 ms
TYPER = {"typer", "pydantic", "kerasenv.cli.full"}
RICH = {"rich"}
NETWORK = {"requests", "http.server", "http.client", "ssl", "kerasenv.index", "kerasenv.index_view"}
BUILDING = {"virtualenv", "filelock", "uv", "kerasenv.engines", "kerasenv.env", "kerasenv.workflow"}
BUNDLES = {"zipfile", "kerasenv.bundle"}
# What makes a lock, and what only few need: a Python that is missing, something of the system, a folder to exchange
LOCKING = {
    "kerasenv.engines.uv_resolve",
    "kerasenv.lock.new",
    "kerasenv.lock.pins",
    "kerasenv.lock.resolve",
    "kerasenv.profiles.evidence",
    "kerasenv.requirements_file",
    "kerasenv.resolution",
}
RARE = {"ctypes", "kerasenv.interpreters.provide", "kerasenv.system.look", "kerasenv.system.packages"}
SMOKE = {"kerasenv.smoke.prove", "kerasenv.smoke.run", "kerasenv.smoke.meanings"}
ALL = TYPER | RICH | NETWORK | BUILDING | BUNDLES


def imported_by(*words: str, cwd: Path) -> set[str]:
    """Return the modules that a command line imports, which must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], cwd=cwd, capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    assert "kerasenv" in modules
    return set(modules)


def test_the_version_imports_nothing_but_itself(tmp_path: Path) -> None:
    modules = imported_by("--version", cwd=tmp_path)

    assert {name for name in modules if name.startswith("kerasenv")} == {"kerasenv", "kerasenv.__main__"}
    assert sorted(modules & {*ALL, "dataclasses", "pathlib", "packaging", "typing"}) == []


@pytest.mark.parametrize("options", ["", "--json", "-q", "-v"])
def test_the_list_imports_no_more_than_profiles_need(tmp_path: Path, options: str) -> None:
    modules = imported_by("list", *options.split(), cwd=tmp_path)

    assert sorted(modules & {*ALL, "kerasenv.process", "difflib"}) == []


def test_what_a_profile_is_needs_neither_typer_nor_network(tmp_path: Path) -> None:
    modules = imported_by("show", "tf2-modern", cwd=tmp_path)

    assert sorted(modules & (TYPER | RICH | NETWORK | BUNDLES | {"virtualenv"})) == []


@pytest.mark.parametrize("verb", ["create", "rebuild"])
def test_making_again_what_is_there_needs_neither_typer_nor_network(made: Project, verb: str) -> None:
    words = {"create": ["create", "tiny", "--no-smoke"], "rebuild": ["rebuild", "--no-smoke"]}[verb]

    modules = imported_by(*words, cwd=made.folder)

    unneeded = TYPER | RICH | NETWORK | {"virtualenv", "kerasenv.engines.pip_tools", "kerasenv.bundle.unpack"}
    assert sorted(modules & (unneeded | LOCKING | RARE | SMOKE)) == []


@pytest.mark.parametrize("verb", ["create", "rebuild"])
def test_making_another_from_the_lock_that_is_there_needs_nothing_that_makes_locks(
    made: Project, verb: str, tmp_path: Path
) -> None:
    words = {"create": ["create", "tiny"], "rebuild": ["rebuild", "pylock.tiny.toml"]}[verb]

    modules = imported_by(*words, str(tmp_path / "env"), "--no-smoke", cwd=made.folder)

    assert "kerasenv.engines.uv_install" in modules
    assert sorted(modules & (LOCKING | RARE | SMOKE | {"uv"})) == []


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_imports_no_other_verb(verb: str, tmp_path: Path) -> None:
    modules = imported_by(*verb.split(), "--help", cwd=tmp_path)

    own = VERBS[verb].partition(".")[0]
    others = {f"kerasenv.cli.{where.partition('.')[0]}" for where in VERBS.values()} - {f"kerasenv.cli.{own}"}
    # Two verbs take from another what they share: the lock of a folder
    allowed = {"kerasenv.cli.rebuild"} if verb in {"bundle", "export"} else set()
    assert modules & others <= allowed
    assert sorted(modules & {"requests", "virtualenv", "http.server"}) == []
