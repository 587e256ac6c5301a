from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.resources import probe
from kerasenv.store.bytecode import bytecode_of, compile_in, is_for_good, is_valid
from tests.programs import find_python
from tests.store.rig import DEEP, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_index import LocalIndex

PYTHONS = ("3.6", "3.8", "3.11", "3.13")
EPOCH = {"SOURCE_DATE_EPOCH": "315532800"}
MODULES = ("varied", "varied.other", "varied.größe", DEEP.replace("/", ".") + ".deep", "plain", "ns.one", "ns.two")
IMPORT = f"import importlib; list(map(importlib.import_module, {MODULES!r}))"
# What an import finds of a module's bytecode, by Python's own means
FOUND = """
import glob, importlib.util, importlib._bootstrap_external as own, json, marshal, os, sys
told = {}
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        source = os.path.join(folder, name)
        if not name.endswith(".py"):
            continue
        try:
            with open(source, "rb") as stream:
                compile(stream.read(), source, "exec")
        except (SyntaxError, ValueError):
            told[source] = "no Python"
            continue
        state = os.stat(source)
        try:
            with open(importlib.util.cache_from_source(source), "rb") as stream:
                data = stream.read()
            if sys.version_info < (3, 7):
                own._validate_bytecode_header(data, {"mtime": int(state.st_mtime), "size": state.st_size}, name, source)
                marshal.loads(data[12:])
            else:
                assert own._classify_pyc(data, name, {}) == 0
                own._validate_timestamp_pyc(data, int(state.st_mtime), state.st_size, name, {})
                marshal.loads(data[16:])
        except Exception as error:
            told[source] = repr(error)
        else:
            told[source] = "valid"
print(json.dumps(told))
"""


@pytest.mark.parametrize("variables", [{}, EPOCH, {"PYTHONDONTWRITEBYTECODE": "1"}], ids=["", "epoch", "dont-write"])
@pytest.mark.parametrize("minor", PYTHONS)
def test_what_comes_from_the_store_is_never_compiled(
    tmp_path: Path, varied_index: LocalIndex, minor: str, variables: dict[str, str]
) -> None:
    find_python(minor)
    rig = Rig.make(tmp_path, varied_index, minor=minor, requirements=["varied==1.0", "plain", "ns-one", "ns-two"])
    rig.extra |= variables
    first = rig.make_and_keep("first")
    second = rig.create("second")
    third = rig.create("third")
    made = {path.name for path in rig.entries}
    assert any(name.startswith("varied-1.0-") for name in made)

    for environment in (first, second, third):
        rig.verify(environment)
        site = rig.site(environment)
        found = json.loads(rig.say(environment, _with_argument(FOUND, site / "varied"), PYTHONIOENCODING="utf-8"))
        assert found.pop(str(site / "varied" / "template.py")) == "no Python"
        assert len(found) == 7
        assert set(found.values()) == {"valid"}
    for environment in (second, third):
        before = _bytecode(rig.site(environment))
        rig.say(environment, IMPORT, PYTHONDONTWRITEBYTECODE="")
        after = _bytecode(rig.site(environment))
        # Only of what came from uv anew, and of what kerasenv wrote itself
        written = {path for path, state in after.items() if before.get(path) != state}
        assert {path for path in written if "varied" in path or "plain" in path} == set()


def _with_argument(code: str, argument: Path) -> str:
    return f"import sys; sys.argv = ['', {str(argument)!r}]\n{code}"


def _bytecode(site: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(site)): (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in site.rglob("*.pyc")
    }


@pytest.mark.parametrize("minor", PYTHONS)
def test_tracebacks_name_the_file_that_is_there(tmp_path: Path, varied_index: LocalIndex, minor: str) -> None:
    find_python(minor)
    rig = Rig.make(tmp_path, varied_index, minor=minor)
    rig.make_and_keep("first")
    second = rig.create("second")

    told = rig.say(second, "import varied; print(varied.main.__code__.co_filename, varied.__cached__)")

    site = rig.site(second)
    cached = site / "varied" / "__pycache__" / f"__init__.cpython-{minor.replace('.', '')}.pyc"
    assert told == f"{site / 'varied' / '__init__.py'} {cached}"


# The name


@pytest.mark.parametrize("name", ["module.py", "__init__.py", "with.dots-1.2.py", "with space.py", "größe.py"])
def test_bytecode_is_named_as_python_names_it(tmp_path: Path, name: str) -> None:
    expected = importlib.util.cache_from_source(str(tmp_path / "deep" / name))

    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert str(tmp_path / bytecode_of(f"deep/{name}", minor)) == expected


# Valid or not


def _compile(source: Path, mode: str) -> None:
    subprocess.run(
        [find_python("3.11"), "-m", "compileall", "-q", "-f", "--invalidation-mode", mode, source], check=True
    )


def test_it_is_valid_for_its_own_source_alone(tmp_path: Path) -> None:
    (tmp_path / "pkg" / "__pycache__").mkdir(parents=True)
    source = tmp_path / "pkg" / "module.py"
    source.write_text("one = 1\n", "utf-8")
    compile_in(tmp_path, ["pkg/module.py"], find_python("3.11"), "3.11")
    bytecode = tmp_path / bytecode_of("pkg/module.py", "3.11")
    state = source.stat()
    assert is_valid(bytecode, state, "3.11")
    assert not is_for_good(bytecode, "3.11")

    source.write_text("one = 1 \n", "utf-8")
    os.utime(source, ns=(state.st_mtime_ns, state.st_mtime_ns))
    assert not is_valid(bytecode, source.stat(), "3.11")  # another size
    source.write_text("one = 2\n", "utf-8")
    os.utime(source, ns=(state.st_mtime_ns, state.st_mtime_ns - 10**9))
    assert not is_valid(bytecode, source.stat(), "3.11")  # another second

    for mode in ("checked-hash", "unchecked-hash"):
        _compile(source, mode)
        assert not is_valid(bytecode, source.stat(), "3.11")
        assert is_for_good(bytecode, "3.11")


@given(data=st.binary(max_size=64), size=st.integers(0, 2**40), time=st.integers(-(2**33), 2**34))
@pytest.mark.parametrize("minor", ["3.6", "3.7", "3.14"])
def test_whatever_stands_there_no_error_comes(
    tmp_path_factory: pytest.TempPathFactory, minor: str, data: bytes, size: int, time: int
) -> None:
    bytecode = tmp_path_factory.getbasetemp() / "any.pyc"
    bytecode.write_bytes(data)
    state = os.stat_result((0o100644, 0, 0, 1, 0, 0, size, 0, time, 0))

    header = data[:12] if minor == "3.6" else data[:16]
    fields = header[4:]
    expected = (b"" if minor == "3.6" else bytes(4)) + b"".join(
        (number & 0xFFFFFFFF).to_bytes(4, "little") for number in (time, size)
    )
    assert is_valid(bytecode, state, minor) is (fields == expected and len(header) == (12 if minor == "3.6" else 16))
    is_for_good(bytecode, minor)


def test_what_is_not_there_is_not_valid(tmp_path: Path) -> None:
    assert not is_valid(tmp_path / "none.pyc", tmp_path.stat(), "3.11")
    assert not is_valid(tmp_path, tmp_path.stat(), "3.11")
    assert not is_for_good(tmp_path / "none.pyc", "3.11")


# The probe


@pytest.mark.parametrize("variables", [{}, EPOCH], ids=["", "epoch"])
@pytest.mark.parametrize("minor", PYTHONS)
def test_the_probe_compiles_what_can_be(tmp_path: Path, minor: str, variables: dict[str, str]) -> None:
    sources = {
        "good.py": "x = 1\n",
        "nested.py": "y = " + "(" * 50 + "1" + ")" * 50 + "\n",
        "größe.py": "größe = 1\n",
        "bad.py": "def (\n",
        "null.py": "a = '\0'\n",
        "latin.py": "x = '\xe9'\n",
        "warns.py": "assert (1, 'always')\nx = '\\d' is 1\n",
    }
    (tmp_path / "made").mkdir()
    rows = []
    for name, content in sources.items():
        (tmp_path / name).write_bytes(content.encode("latin-1" if name == "latin.py" else "utf-8"))
        rows.append([str(tmp_path / name), str(tmp_path / "made" / f"{name}c"), f"lib/{name}"])
    rows.append([str(tmp_path / "missing.py"), str(tmp_path / "made" / "missing.pyc"), "lib/missing.py"])

    finished = subprocess.run(
        [find_python(minor), "-I", "-S", "-B", probe("bytecode")],
        input=json.dumps(rows).encode(),
        capture_output=True,
        check=True,
        env={**os.environ, **variables},
    )

    assert (finished.stdout, finished.stderr) == (b"", b"")
    good = ("good.py", "größe.py", "nested.py", "warns.py")
    # Of a null byte, Pythons think differently
    assert {path.name for path in (tmp_path / "made").iterdir()} - {"null.pyc"} == {f"{name}c" for name in good}
    for name in good:
        assert is_valid(tmp_path / "made" / f"{name}c", (tmp_path / name).stat(), minor)
        assert f"lib/{name}".encode() in (tmp_path / "made" / f"{name}c").read_bytes()


def test_no_code_of_the_package_runs(tmp_path: Path) -> None:
    (tmp_path / "pkg" / "__pycache__").mkdir(parents=True)
    for name in ("json.py", "py_compile.py", "sitecustomize.py", "__init__.py"):
        (tmp_path / "pkg" / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")

    compile_in(
        tmp_path, [f"pkg/{name}" for name in ("json.py", "py_compile.py", "__init__.py")], find_python("3.11"), "3.11"
    )

    assert len(list((tmp_path / "pkg" / "__pycache__").iterdir())) == 3
    assert not (tmp_path / "ran").exists()
