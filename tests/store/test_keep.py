"""What comes into the store, and what doesn't."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.inventory import digest_of, state_of
from kerasenv.venv import python_in
from tests.local_index import Sdist, Wheel
from tests.programs import CHECKOUT, KERASENV, find_python
from tests.store.rig import AnyWheel, Rig, check_store, new_index, state_of_all, varied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Rig]:
    """Return a life with an index that the test may change."""
    with new_index() as index:
        yield Rig.make(tmp_path, index)


def _kept(rig: Rig) -> list[str]:
    """Return the packages that the store has, without the digests."""
    return [path.name.rpartition("-")[0] for path in rig.entries]


def test_all_that_was_installed_is_kept_with_its_bytecode(rig: Rig) -> None:
    rig.make_and_keep("first")

    assert _kept(rig) == ["pip-26.0", "plain-1.0", "varied-1.0"]
    assert check_store(rig.store) > 20
    for entry in rig.entries:
        assert list((entry / "tree").rglob("*.pyc")) != []


def test_the_next_environment_comes_from_it_without_the_index(rig: Rig) -> None:
    first = rig.make_and_keep("first")
    rig.index.forget()

    second = rig.create("second", "--offline", UV_CACHE_DIR=str(rig.home / "another cache"))

    assert rig.index.downloads == []
    rig.verify(second)
    others = {".lock", "lib/python3.11/site-packages/__pycache__/_kerasenv.cpython-311.pyc"}  # uv's, and of no package
    assert state_of_all(first).keys() - others == state_of_all(second).keys() - others


def test_programs_run_in_their_own_environment(rig: Rig) -> None:
    rig.make_and_keep("first")
    second = rig.create("second")
    shutil.rmtree(rig.project / "first")

    for name in ("varied", "varied-tool"):
        assert rig.call(second / "bin" / name).strip() == str(second)
    for entry in rig.entries:
        for path in (entry / "tree").rglob("*"):
            assert path.is_dir() or b"project/first" not in path.read_bytes()


@pytest.mark.parametrize("name", ["with space", "größe", "a" * 120, "it's $HOME"])
def test_programs_run_wherever_the_environments_lie(rig: Rig, name: str) -> None:
    rig.make_and_keep(f"{name}/first")
    second = rig.create("second")
    third = rig.create(f"{name}/third")

    for environment in (second, third):
        rig.verify(environment)
        for program in ("varied", "varied-tool"):
            assert rig.call(environment / "bin" / program).strip() == str(environment)


def test_the_environment_that_filled_it_gets_the_bytecode_as_well(rig: Rig) -> None:
    first = rig.create("first")
    assert list(rig.site(first).rglob("varied/**/*.pyc")) == []

    rig.keep()

    before = {path: path.stat().st_mtime_ns for path in rig.site(first).rglob("*.pyc")}
    assert len([path for path in before if "varied" in str(path)]) == 7
    rig.say(first, "import varied.other, plain")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    rig.verify(first)


def test_an_environment_that_a_model_proves(rig: Rig) -> None:
    """Then Python has written bytecode already, which is kept like what is made here."""
    from tests.standard_index import write_profile

    write_profile(rig.project / "profiles")
    for name in ("first", "second", "third"):
        rig.done("create", "tiny", name, f"--python={find_python('3.11')}", PYTHONDONTWRITEBYTECODE="")
        rig.keep()

    assert "keras-3.15.1" in _kept(rig)
    check_store(rig.store)
    for name in ("first", "second", "third"):
        rig.verify(rig.project / name)
    before = state_of_all(rig.site(rig.project / "third"))
    rig.done("smoke", rig.project / "third", PYTHONDONTWRITEBYTECODE="")
    assert state_of_all(rig.site(rig.project / "third")) == before


def test_it_goes_on_when_the_command_is_done(rig: Rig) -> None:
    """The command starts it, and nobody listens: what it does is to be seen in the store."""
    finished = subprocess.run(
        [*KERASENV, *rig.words("first")],
        cwd=rig.project,
        env=rig.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert finished.returncode == 0, finished.stderr

    deadline = time.monotonic() + 120
    while len(list(rig.store.glob("entries/*/*/spare"))) < 3:
        assert time.monotonic() < deadline, _kept(rig)
        threading.Event().wait(0.05)

    assert check_store(rig.store) > 20


# What isn't kept


@pytest.mark.parametrize(
    "path", ["varied/__init__.py", "varied/native.so", "varied-1.0.dist-info/RECORD", "varied-1.0.dist-info/METADATA"]
)
@pytest.mark.parametrize("what", ["changed", "missing", "linked"])
def test_what_was_changed_before_the_keeper_came(rig: Rig, path: str, what: str) -> None:
    place = rig.site(rig.create("first")) / path
    content = place.read_bytes()
    place.unlink()
    if what == "changed":
        place.write_bytes(content + b"\n")
    elif what == "linked":
        away = rig.project / "away"
        away.write_bytes(content)
        place.symlink_to(away)

    rig.keep()

    assert "plain-1.0" in _kept(rig)
    # A link to the RECORD is read like the RECORD, but it is no file of the package's
    assert "varied-1.0" not in _kept(rig)
    second = rig.create("second")
    rig.verify(second)


def test_another_version_in_place_of_the_one_that_was_installed(rig: Rig) -> None:
    first = rig.create("first")
    rig.pip(first, "install", "--force-reinstall", "varied==2.0")

    rig.keep()

    assert _kept(rig) == ["pip-26.0", "plain-1.0"]


def test_the_same_version_from_another_place(own: Rig) -> None:
    """Whoever installs it from a file: direct_url.json tells so, and the RECORD is another one."""
    first = own.create("first")
    wheel = varied()
    file = own.project / wheel.filename
    file.write_bytes(wheel.build())
    own.pip(first, "install", "--force-reinstall", str(file))

    own.keep()

    assert _kept(own) == ["pip-26.0", "plain-1.0"]


def test_one_that_names_the_place_that_it_came_from(own: Rig) -> None:
    info = "told-1.0.dist-info"
    own.index.add(Wheel(name="told", version="1.0", files={"told.py": "", f"{info}/direct_url.json": "{}"}))
    _ask_for(own, "told", "plain")

    own.make_and_keep("first")

    assert "plain-1.0" in _kept(own)
    assert "told-1.0" not in _kept(own)


def test_one_that_says_of_itself_that_it_is_of_another_wheel(own: Rig) -> None:
    wheel = _Mistagged(name="told", version="1.0", files={"told.py": ""})
    own.index.add(wheel)
    _ask_for(own, "told", "plain")

    own.make_and_keep("first")

    assert "plain-1.0" in _kept(own)
    assert "told-1.0" not in _kept(own)


def test_what_pip_installed(rig: Rig) -> None:
    """Its programs begin with the path of the environment that they are for, and would run that one's Python."""
    first = rig.create("first")
    (info,) = rig.site(first).glob("varied-*.dist-info")
    (info / "INSTALLER").write_bytes(b"pip\n")
    record = info / "RECORD"
    rows = [row for row in record.read_text("utf-8").splitlines() if "/INSTALLER," not in row]
    rows.append(f"{info.name}/INSTALLER,{digest_of(info / 'INSTALLER', 'sha256')},4")
    record.write_text("\n".join([*rows, ""]), "utf-8")
    _renew_receipt(first, record)

    rig.keep()

    assert _kept(rig) == ["pip-26.0", "plain-1.0"]


class _Mistagged(Wheel):
    """A wheel whose file name says something else than the WHEEL in it."""

    @property
    def filename(self) -> str:
        return f"{self.stem}-py3-none-any.whl"


def test_one_whose_record_leads_outside(own: Rig) -> None:
    """An installer that writes there is none of ours, but nothing of it may lie in other environments."""
    _ask_for(own, "plain")
    first = own.create("first")
    record = own.site(first) / "plain-1.0.dist-info" / "RECORD"
    (own.project / "outside").write_bytes(b"mine")
    record.write_text(record.read_text("utf-8") + "../../../../outside,,\n", "utf-8")
    _renew_receipt(first, record)

    own.keep()

    assert "plain-1.0" not in _kept(own)


@pytest.mark.parametrize("row", ["../../../../outside,,", "/etc/hostname,,", "a\0b,,", '"",,', "..,,", "plain,,"])
def test_rows_that_are_no_files(own: Rig, row: str) -> None:
    _ask_for(own, "plain", "ns-one")
    first = own.create("first")
    record = own.site(first) / "plain-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text("utf-8") + row + "\n", "utf-8")
    _renew_receipt(first, record)

    own.keep()

    assert "plain-1.0" not in _kept(own)
    assert "ns-one-1.0" in _kept(own)  # the others are kept all the same
    assert list((own.store / "work").glob("*-*")) == []


def _renew_receipt(environment: Path, file: Path) -> None:
    """Let the receipt say that a file was so when the environment was made."""
    receipt = environment / "kerasenv.json"
    table = json.loads(receipt.read_text("utf-8"))
    table["files"][file.relative_to(environment).as_posix()] = state_of(file)
    receipt.write_text(json.dumps(table), "utf-8")


def _ask_for(rig: Rig, *names: str) -> None:
    from tests.standard_index import write_profile

    tools = [{"requirement": "tiny-build<2", "because": "something must be built", "seen": "here"}]
    write_profile(rig.project / "profiles", requires_python=">=3.6", requirements=list(names), build_constraints=tools)


# What is kept all the same


def test_what_was_built_here(own: Rig) -> None:
    own.index.add(Sdist(name="built", version="1.0", files={"built/__init__.py": "BUILT = 1\n"}))
    _ask_for(own, "built")
    own.make_and_keep("first")
    assert "built-1.0" in _kept(own)
    own.index.forget()

    second = own.create("second", "--offline", UV_CACHE_DIR=str(own.home / "another cache"))

    own.verify(second)
    assert own.say(second, "import built; print(built.BUILT)") == "1"


def test_bytecode_that_a_publisher_ships(own: Rig) -> None:
    """It is of other times: Python writes it anew, and that is no change of the package."""
    stale = (3495).to_bytes(2, "little") + b"\r\n" + bytes(4) + b"\1\2\3\4" + b"\5\0\0\0" + b"N"
    own.index.add(
        AnyWheel(
            name="shipped",
            version="1.0",
            files={"shipped/__init__.py": "SHIPPED = 1\n", "shipped/unused.py": "UNUSED = 1\n"},
            raw={
                "shipped/__pycache__/__init__.cpython-311.pyc": stale,
                "shipped/__pycache__/unused.cpython-311.pyc": stale,
                "shipped/__pycache__/unused.cpython-36.pyc": stale,
            },
        )
    )
    _ask_for(own, "shipped")
    first = own.create("first")
    assert own.say(first, "import shipped; print(shipped.SHIPPED)") == "1"  # which writes bytecode

    own.keep()

    assert "shipped-1.0" in _kept(own)
    check_store(own.store)
    second = own.create("second")
    own.verify(second)
    before = state_of_all(second)
    assert own.say(second, "import shipped.unused; print(shipped.SHIPPED, shipped.unused.UNUSED)") == "1 1"
    written = {path for path, state in state_of_all(second).items() if before.get(path) != state}
    assert {path for path in written if "shipped" in path} == set()


def test_bytecode_that_holds_for_good_stays(own: Rig, tmp_path: Path) -> None:
    """Python doesn't ask what source it is of, so it is what runs."""
    source = tmp_path / "__init__.py"
    source.write_text("SHIPPED = 'by bytecode'\n", "utf-8")
    subprocess.run(
        [find_python("3.11"), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", source], check=True
    )
    bytecode = next(tmp_path.glob("__pycache__/*.pyc")).read_bytes()
    own.index.add(
        AnyWheel(
            name="shipped",
            version="1.0",
            files={"shipped/__init__.py": "SHIPPED = 'by source'\n"},
            raw={"shipped/__pycache__/__init__.cpython-311.pyc": bytecode},
        )
    )
    _ask_for(own, "shipped")

    first = own.make_and_keep("first")
    second = own.create("second")

    assert "shipped-1.0" in _kept(own)
    check_store(own.store)
    for environment in (first, second):
        assert own.say(environment, "import shipped; print(shipped.SHIPPED)") == "by bytecode"


def test_two_packages_with_one_file(own: Rig) -> None:
    """They have the same name, the same size, and perhaps the same time: bytecode of one is none of the other."""
    _ask_for(own, "ns-one", "ns-two")
    own.make_and_keep("first")
    kept = [name for name in _kept(own) if name.startswith("ns-")]
    assert len(kept) == 1
    own.make_and_keep("second")
    third = own.create("third")

    for environment in (own.project / "second", third):
        own.verify(environment)
        source = (own.site(environment) / "ns" / "__init__.py").read_text("utf-8").partition("=")[2].strip()
        told = own.say(environment, "import ns, ns.one, ns.two; print(ns.WHO, ns.one.ONE, ns.two.TWO)")
        assert told == f"{source} 1 2"


# It does nobody any harm


def test_one_that_is_killed_leaves_only_whole_entries(rig: Rig) -> None:
    first = rig.create("first")
    rig.keep()
    started = time.monotonic()
    shutil.rmtree(rig.store)
    with rig.start_keeper(first) as keeper:
        keeper.communicate()
    whole = time.monotonic() - started
    moments = 14
    for moment in range(moments):
        if moment % 4 == 0:
            shutil.rmtree(rig.store, ignore_errors=True)  # it may have been killed before there was one
        keeper = rig.start_keeper(first)
        try:
            keeper.wait(whole * (0.3 + 0.7 * moment / moments))
        except subprocess.TimeoutExpired:
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.communicate()
        if rig.store.exists():
            check_store(rig.store)
            for entry in rig.entries:
                assert {path.name for path in entry.iterdir()} - {"spare"} == {
                    "digests.json",
                    "entry.json",
                    "files.jsonl",
                    "tree",
                }
                spare = entry / "spare"
                if spare.exists():
                    files = {path: content for path, (_, content) in state_of_all(entry / "tree").items()}
                    assert {path: content for path, (_, content) in state_of_all(spare).items()} == files
        rig.verify(first)
        assert rig.say(first, "import varied.other, plain; print(varied.VERSION)", PYTHONDONTWRITEBYTECODE="1") == "1.0"

    with rig.start_keeper(first) as keeper:
        assert keeper.communicate()[1] == ""
    assert _kept(rig) == ["pip-26.0", "plain-1.0", "varied-1.0"]
    shutil.rmtree(rig.store)  # it has something to do once more, and so clears away what others left
    with rig.start_keeper(first) as keeper:
        assert keeper.communicate()[1] == ""
    assert [path.name for path in (rig.store / "work").iterdir()] == ["guard"]
    second = rig.create("second")
    rig.verify(second)


def test_what_it_lends_is_never_half_there(rig: Rig) -> None:
    """Another program may import it at any moment, and the disk can be full."""
    first = rig.make_and_keep("first")
    bytecode = next(rig.site(first).glob("varied/__pycache__/other.*.pyc"))
    bytecode.unlink()
    code = """
import sys; sys.path[0] = sys.argv[1]
from kerasenv.store import sharing
sharing._CLONING = {}
def refuse(*_, **__): raise OSError(18, "another file system")
sharing.os.link = refuse
write = sharing.os.write
def half(new, content):
    write(new, content[:20])
    import os, signal; os.kill(os.getpid(), signal.SIGKILL)
sharing.os.write = half
from kerasenv.store.keep import _lend
_lend(*sys.argv[2:])
"""
    stored = next(rig.store.glob("entries/*/varied-*/tree/**/other.*.pyc"))
    killed = subprocess.run([sys.executable, "-c", code, CHECKOUT, stored, bytecode], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert rig.say(first, "import varied.other; print(varied.other.VERSION)") == "1.0"
    rig.verify(first)


def test_it_is_gone_when_the_environment_is(rig: Rig) -> None:
    first = rig.create("first")
    shutil.rmtree(first)

    with rig.start_keeper(first) as keeper:
        keeper.communicate()

    assert rig.entries == []


def test_bytecode_that_was_written_later_is_not_taken(rig: Rig) -> None:
    """Nobody knows what it was made from."""
    first = rig.create("first")
    source = rig.site(first) / "plain.py"
    state = source.stat()
    original = source.read_bytes()
    source.write_bytes(b"PLAIN = 9\n")
    os.utime(source, ns=(state.st_mtime_ns, state.st_mtime_ns))
    rig.say(first, "import plain", PYTHONDONTWRITEBYTECODE="")
    source.write_bytes(original)
    os.utime(source, ns=(state.st_mtime_ns, state.st_mtime_ns))
    assert rig.say(first, "import plain; print(plain.PLAIN)") == "9"  # as Python has it

    rig.keep()

    second = rig.create("second")
    assert rig.say(second, "import plain; print(plain.PLAIN)") == "1"


def test_switched_off_nothing_is_written(rig: Rig) -> None:
    first = rig.create("first", KERASENV_STORE="0")
    rig.keep()

    assert not rig.store.exists()
    assert not (rig.home / "keepers").exists()
    rig.verify(first)
    assert python_in(first).exists()
