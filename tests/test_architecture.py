"""Imports run downhill, few have the key to the outside, and every module stands by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "kerasenv"

# From the ground up; who stands on a floor may import what stands there or below. The longest name that fits counts.
FLOORS = (
    "errors",
    "folders outcome platforms process progress resources scratch sizes tables uv venv venv_template",
    "interpreters.interpreter interpreters.serving smoke.plan system.need",
    "resolution",
    "engine",
    "download index index_view login requirements_file",
    "creators engines interpreters profiles system",
    "lock",
    "env exporter exporters",
    "store",
    "bundle smoke",
    "workflow",
    "report",
    "cli",
    "__main__",
)

# What only some may import
KEYS = {
    "subprocess": {"process"},
    "rich": {"cli", "report"},
    "typer": {"cli"},
}
FACE = {"cli", "report"}
DRAWERS = {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}


def find_modules() -> dict[str, ast.Module]:
    """Return every module below kerasenv by its dotted name, 'env.create', without the probes: nobody imports these."""
    trees = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name and parts[0] != "probes":
            trees[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


MODULES = find_modules()


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the dotted names of all that a module imports anywhere, even for type checking alone."""
    found = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What comes from a package may be a module of it
            found |= {
                submodule if submodule.removeprefix("kerasenv.") in MODULES else node.module
                for submodule in (f"{node.module}.{alias.name}" for alias in node.names)
            }
    return frozenset(found)


def own_imports_of(module: str) -> list[str]:
    """Return the modules of kerasenv among these."""
    names = (name.removeprefix("kerasenv.") for name in sorted(imports_of(module)) if name.startswith("kerasenv."))
    return [name for name in names if name in MODULES]


def is_within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def floor_of(module: str) -> int | None:
    """Return the floor of the longest name that fits."""
    fitting = [
        (len(name), floor) for floor, line in enumerate(FLOORS) for name in line.split() if is_within(module, name)
    ]
    return max(fitting)[1] if fitting else None


def test_every_module_stands_on_a_floor() -> None:
    homeless = [module for module in MODULES if floor_of(module) is None]

    assert not homeless


def test_every_name_on_a_floor_is_a_module() -> None:
    missing = [name for line in FLOORS for name in line.split() if name not in MODULES]

    assert not missing


def test_imports_run_downhill() -> None:
    uphill = [
        f"{module} imports {name}"
        for module in MODULES
        for name in own_imports_of(module)
        if (floor_of(name) or 0) > (floor_of(module) or 0)
    ]

    assert not uphill


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports for type checking count: a circle of words is a circle of thoughts."""
    finished: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in finished:
            for name in own_imports_of(module):
                walk(name, (*path, module))
            finished.add(module)

    for module in MODULES:
        walk(module, ())


@pytest.mark.parametrize("key", KEYS)
def test_few_have_the_key_to_the_outside(key: str) -> None:
    importers = [module for module in MODULES if any(is_within(name, key) for name in imports_of(module))]

    strangers = [module for module in importers if not any(is_within(module, owner) for owner in KEYS[key])]

    assert not strangers


def test_only_the_face_prints_and_exits() -> None:
    words = {"print", "input", "exit", "quit", "sys.exit", "SystemExit"}
    spoken = [
        f"{module} calls {call}"
        for module, tree in MODULES.items()
        if not any(is_within(module, face) for face in FACE)
        for call in (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
        if call in words
    ]

    assert not spoken


def test_no_drawer_for_everything() -> None:
    assert not [module for module in MODULES if DRAWERS.intersection(module.split("."))]


# Purging the package between imports is as good as a new process for each, but for the seconds
IMPORT_ALONE = """
import importlib, sys

for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kerasenv"]:
        del sys.modules[name]
    try:
        importlib.import_module(f"kerasenv.{module}")
    except BaseException as error:
        print(f"{module}: {type(error).__name__}: {error}")
"""


def test_every_module_imports_alone() -> None:
    """Whoever imports a module first decides the order; every order has to do."""
    words = [sys.executable, "-W", "error", "-c", IMPORT_ALONE, *MODULES]
    done = subprocess.run(words, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)

    assert not done.stdout
