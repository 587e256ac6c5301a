"""The store with real packages: what one environment does to itself, another one never sees."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from kerasenv.store.place import keeping, keys_there, store_folder
from kerasenv.workflow.keep import main as keep
from tests.programs import PYENV_ROOT, run_kerasenv

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("keras3-numpy", "tf1-legacy-standalone")


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(PYENV_ROOT))
    monkeypatch.setenv("KERASENV_STORE", "1")


def made(name: str, folder: Path, *words: str) -> tuple[str, str]:
    """Make an environment and wait for what goes on afterwards; return where its packages came from."""
    done = run_kerasenv("create", name, folder, *words, cwd=folder.parent, timeout=1800)
    assert done.returncode == 0, done.stderr
    with keeping():
        pass
    # The process may not have begun: what it does is then done here, and it finds nothing to do
    receipt = folder / "kerasenv.json"
    keep(folder, receipt.stat().st_mtime_ns)
    (packages,) = (line for line in done.stderr.splitlines() if line.startswith("✓ Packages"))
    return packages, done.stderr


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_environment_out_of_the_store(name: str, tmp_path: Path) -> None:
    first, second, third = (tmp_path / folder for folder in ("first", "second", "third"))

    assert "[store]" not in made(name, first)[0]
    assert "[store]" in made(name, second)[0]
    assert "[store]" in made(name, third, "--no-smoke")[0]

    before = contents(third), contents(store_folder() / "entries")
    assert keys_there()
    ruin(second)
    assert (contents(third), contents(store_folder() / "entries")) == before
    for folder in (first, third):
        verified = run_kerasenv("verify", folder, cwd=tmp_path)
        assert verified.returncode == 0, verified.stderr
    smoked = run_kerasenv("smoke", third, "--json", "--quiet", cwd=tmp_path, timeout=600)
    assert json.loads(smoked.stdout)["data"]["passed"] is True
    assert run_kerasenv("verify", second, cwd=tmp_path).returncode == 1


def ruin(environment: Path) -> None:
    """Do to an environment what people do, and worse."""
    site = next(environment.glob("lib/python*/site-packages"))
    for module in list(site.glob("numpy/*.py"))[:5]:
        with module.open("a", encoding="utf-8") as stream:
            stream.write("\n# edited in place\n")
    python = environment / "bin" / "python"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    code = "import numpy, compileall, sys; compileall.compile_dir(numpy.__path__[0], quiet=2, force=True)"
    subprocess.run([python, "-c", code], check=True, env=environ, stdin=subprocess.DEVNULL)
    subprocess.run([python, "-m", "ensurepip", "--default-pip"], check=True, env=environ, capture_output=True)
    subprocess.run([python, "-m", "pip", "uninstall", "--yes", "h5py"], check=True, env=environ, capture_output=True)
    for path in list(site.glob("keras/**/*.py"))[:20]:
        path.unlink()
