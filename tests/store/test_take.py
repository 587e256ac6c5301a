"""What comes out of the store: whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasenv import process
from kerasenv.errors import ProgramError
from kerasenv.store import laying
from kerasenv.store.entry import FORMAT, About, Entry, Row, digests_of, is_inside, open_entry, rows_of, write_entry
from kerasenv.store.laying import lay
from kerasenv.store.place import Key, keys_there
from kerasenv.store.sources import Source
from kerasenv.store.take import Taken, discard, put, take
from tests.isolation import MACHINE
from tests.store.rig import Rig, check_store, state_of_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SITE = "lib/python3.11/site-packages"
KEY = Key(python="3.11-test-x", package="thing-1.0-0123456789abcdef")
SOURCE = Source(key=KEY, name="thing", file="thing-1.0-py3-none-any.whl", tags=None)
FILES = {f"{SITE}/thing/__init__.py": b"one = 1\n", f"{SITE}/thing/code.so": b"\0code", "top.txt": b"top\n"}


@pytest.fixture
def entry() -> Entry:
    """Return an entry of the store, as a keeper makes it."""
    return _make(FILES)


def _make(files: dict[str, bytes], key: Key = KEY) -> Entry:
    shutil.rmtree(key.folder, ignore_errors=True)
    rows = []
    for path, content in files.items():
        place = key.folder / "tree" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        state = place.stat()
        kind = "shared" if b"\0" in content else "text"
        rows.append(Row(path=path, kind=kind, size=state.st_size, mtime=state.st_mtime_ns))
    about = About(file="thing-1.0-py3-none-any.whl", site_packages=SITE, own={})
    write_entry(key.folder, about, rows, dict.fromkeys(files, "sha256=x"))
    made = open_entry(key)
    assert made is not None
    return made


def _contents(folder: Path) -> dict[str, bytes]:
    return {path: content for path, (_, content) in state_of_all(folder).items()}


# Out of the store


def test_what_is_there_is_laid(entry: Entry, tmp_path: Path) -> None:
    (taken,) = take([SOURCE], tmp_path)

    assert (taken.name, taken.folder.parent) == ("thing", tmp_path)
    assert _contents(taken.folder) == FILES
    assert _contents(entry.tree) == FILES
    assert {row.path for row in rows_of(entry)} == set(FILES)


def test_a_spare_is_moved(entry: Entry, tmp_path: Path) -> None:
    assert lay([(entry.key.folder, entry.spare)]) == [""]
    number = (entry.spare / "top.txt").stat().st_ino

    (taken,) = take([SOURCE], tmp_path)

    assert (taken.folder / "top.txt").stat().st_ino == number
    assert not entry.spare.exists()
    (again,) = take([SOURCE], tmp_path / "work")
    assert _contents(again.folder) == FILES


@pytest.mark.usefixtures("entry")
def test_switched_off_nothing_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASENV_STORE", "0")

    assert take([SOURCE], tmp_path) == []


@pytest.mark.parametrize("how", ["size", "time", "missing"])
def test_what_was_changed_is_thrown_away(
    entry: Entry, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr("kerasenv.progress.note", notes.append)
    code = entry.tree / SITE / "thing" / "code.so"
    state = code.stat()
    if how == "missing":
        code.unlink()
    else:
        code.write_bytes(b"\0CODE" if how == "time" else b"\0c")
        moved = 1 if how == "time" else 0
        os.utime(code, ns=(state.st_mtime_ns + moved, state.st_mtime_ns + moved))

    assert take([SOURCE], tmp_path) == []

    assert keys_there() == []
    assert notes == ["thing-1.0-0123456789abcdef was changed where the store keeps it: it is made anew."]
    discard(KEY)  # somebody else was before us


@pytest.mark.parametrize("how", ["empty", "missing", "older"])
def test_a_spare_that_was_changed_is_not_taken(entry: Entry, tmp_path: Path, how: str) -> None:
    """As after a loss of power, or when something tidies up single files."""
    assert lay([(entry.key.folder, entry.spare)]) == [""]
    text = entry.spare / "top.txt"
    state = text.stat()
    text.unlink()
    if how != "missing":
        text.write_bytes(b"" if how == "empty" else FILES["top.txt"])
        moved = state.st_mtime_ns - (how == "older")
        os.utime(text, ns=(moved, moved))

    (taken,) = take([SOURCE], tmp_path)

    assert _contents(taken.folder) == FILES
    assert not entry.spare.exists()


def test_a_spare_that_can_not_be_moved_says_nothing_of_the_tree(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies on another file system, or somebody else has just taken it."""
    assert lay([(entry.key.folder, entry.spare)]) == [""]
    (entry.tree / "top.txt").write_bytes(b"")
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "spare":
            raise OSError
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    notes: list[str] = []
    monkeypatch.setattr("kerasenv.progress.note", notes.append)

    assert take([SOURCE], tmp_path) == []
    assert keys_there() == []
    assert len(notes) == 1


def test_text_that_was_cut_off(entry: Entry, tmp_path: Path) -> None:
    (entry.tree / "top.txt").write_bytes(b"")

    assert take([SOURCE], tmp_path) == []
    assert keys_there() == []


def test_a_path_that_ends_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where lines end differs from program to program."""
    odd = tmp_path / "a\x0bb\u2028c"
    monkeypatch.setattr("kerasenv.store.place.cache_folder", lambda: odd)
    entry = _make(FILES)
    (entry.tree / "top.txt").write_bytes(b"")

    assert take([SOURCE], tmp_path / "work") == []


def test_a_link_stays_what_it_is(tmp_path: Path) -> None:
    entry = _make(FILES)
    (entry.tree / "link").symlink_to("top.txt")
    (entry.tree / "to folder").symlink_to("lib")
    rows = [*rows_of(entry), *(Row(path=name, kind="link", size=7, mtime=0) for name in ("link", "to folder"))]
    write_entry(KEY.folder, entry.about, rows, {})

    assert lay([(entry.key.folder, tmp_path / "new")]) == [""]

    assert os.readlink(tmp_path / "new" / "link") == "top.txt"  # noqa: PTH115
    assert os.readlink(tmp_path / "new" / "to folder") == "lib"  # noqa: PTH115


# Into an environment


def _taken(folder: Path, entry: Entry, files: dict[str, bytes]) -> Taken:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return Taken(name="thing", entry=entry, folder=folder)


def test_what_is_there_already_stays(entry: Entry, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    _taken(environment, entry, {f"{SITE}/thing/__init__.py": b"mine", "bin/python": b"python"})
    taken = _taken(tmp_path / "taken", entry, {**FILES, "bin/tool": b"tool"})

    put(taken, environment)

    assert _contents(environment) == {
        **FILES,
        f"{SITE}/thing/__init__.py": b"mine",
        "bin/python": b"python",
        "bin/tool": b"tool",
    }


@pytest.mark.parametrize("there", [{}, {"ns/__pycache__/mine.cpython-311.pyc": b"mine"}])
def test_no_bytecode_comes_without_its_source(entry: Entry, tmp_path: Path, there: dict[str, bytes]) -> None:
    """Another package has a module of that name, and perhaps its size and its time."""
    environment = tmp_path / "env"
    own = {"ns/__init__.py": b"mine", "ns/with.dots.py": b"mine", **there}
    _taken(environment, entry, own)
    bytecode = {f"ns/__pycache__/{name}.cpython-311.pyc": b"code" for name in ("__init__", "with.dots", "two", "with")}
    sources = {f"ns/{name}.py": b"theirs" for name in ("__init__", "with.dots", "two", "with")}
    taken = _taken(tmp_path / "taken", entry, sources | bytecode)

    put(taken, environment)

    theirs = {path for path, content in _contents(environment).items() if content != b"mine"}
    assert theirs == {
        "ns/two.py",
        "ns/with.py",
        "ns/__pycache__/two.cpython-311.pyc",
        "ns/__pycache__/with.cpython-311.pyc",
    }
    assert {path: _contents(environment)[path] for path in own} == own


# What isn't as a keeper writes it


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("lib/a.py", True),
        ("a", True),
        ("a/..b/c", True),
        ("größe/with space", True),
        ("...", True),
        ("", False),
        (".", False),
        ("..", False),
        ("../a", False),
        ("a/../../b", False),
        ("a/..", False),
        ("/etc/passwd", False),
        ("//a", False),
        ("a//b", False),
        ("./a", False),
        ("a/", False),
        ("a\0b", False),
        ("a\ud800b", False),
    ],
)
def test_paths_that_lead_away(path: str, *, inside: bool) -> None:
    assert is_inside(path) is inside


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["../../../../escaped", "..", ".", "", "/etc", "a\0b", "a/b", "\ud800", "__init__.py", "new"])
FOLDERS = st.sampled_from(["..", "../..", "/", "", f"{SITE}/thing", "a\0", ".", "lib/../..", "lib"])
ROWS = st.dictionaries(
    FOLDERS | st.text(max_size=5),
    st.lists(
        st.tuples(NAMES | ANY, st.sampled_from(["shared", "text", "link", "other"]) | ANY, ANY, ANY) | ANY, max_size=3
    )
    | ANY,
    max_size=3,
)
TEXTS = (
    st.binary(max_size=20)
    | ANY.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"", b"{", b"[" * 100_000, b"\xff\xfe", b"{" * 100_000, b'{"a":' * 50_000])
)
several = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@several
@given(content=ROWS.map(lambda rows: json.dumps(rows).encode()) | TEXTS)
def test_hostile_rows(home: Path, content: bytes) -> None:
    entry = _make(FILES)
    (KEY.folder / "files.jsonl").write_bytes(content)
    with tempfile.TemporaryDirectory(dir=home) as work:
        around = set(Path(home).iterdir())

        taken = take([SOURCE], Path(work) / "deep" / "er")

        assert {path.name for path in Path(work).iterdir()} <= {"deep"}
        assert {path.name for path in (Path(work) / "deep").glob("*")} <= {"er"}
        assert set(Path(home).iterdir()) == around
        names = {path.name for path in (Path(work) / "deep").glob("er/*")}
        assert names <= {KEY.package}
        assert bool(taken) or not names
    if taken:
        rows_of(entry)  # what was taken can be read


@pytest.mark.parametrize("kind", ["text", "shared"])
@pytest.mark.parametrize("path", ["../outside/file", "top/../../outside/file"])
def test_nothing_is_laid_outside(tmp_path: Path, path: str, kind: str) -> None:
    """The file is there, with size and time: only its path is wrong."""
    entry = _make(FILES)
    (entry.tree / "top").mkdir()
    outside = KEY.folder / "outside" / "file"
    outside.parent.mkdir()
    outside.write_bytes(b"\0")
    row = Row(path=path, kind=kind, size=1, mtime=outside.stat().st_mtime_ns)
    write_entry(KEY.folder, entry.about, [*rows_of(entry), row], {})

    assert take([SOURCE], tmp_path / "work" / "deep") == []

    assert list(tmp_path.rglob("outside")) == []
    assert keys_there() == []


@several
@given(content=TEXTS | st.fixed_dictionaries({}, optional=dict.fromkeys(About.__slots__, ANY)).map(json.dumps))
def test_hostile_entries(content: bytes | str) -> None:
    _make(FILES)
    (KEY.folder / "entry.json").write_bytes(content if isinstance(content, bytes) else content.encode())

    found = open_entry(KEY)

    assert found is None or found.about.own == dict(found.about.own)


@pytest.mark.parametrize("name", ["own", "site_packages", "file", "format", "other"])
@pytest.mark.parametrize("value", [None, [], 1.5, {"a": 1}, [["a", "b"]], True, "text", {}])
def test_values_of_another_kind(name: str, value: Any) -> None:
    _make(FILES)
    table = json.loads((KEY.folder / "entry.json").read_text("utf-8"))
    (KEY.folder / "entry.json").write_text(json.dumps(table | {name: value}), "utf-8")

    fits = (name in {"site_packages", "file"} and value == "text") or (name == "own" and value == {})
    assert (open_entry(KEY) is not None) is fits


@several
@given(content=TEXTS)
def test_hostile_digests(content: bytes) -> None:
    entry = _make(FILES)
    (KEY.folder / "digests.json").write_bytes(content)
    try:
        found = digests_of(entry)
    except (OSError, ValueError):
        return
    assert all(isinstance(text, str) for row in found.items() for text in row)


def test_of_another_format_it_is_not_there() -> None:
    _make(FILES)
    about = KEY.folder / "entry.json"
    about.write_text(about.read_text("utf-8").replace(f'"format":{FORMAT}', f'"format":{FORMAT + 1}'), "utf-8")

    assert open_entry(KEY) is None


def test_half_an_entry_is_not_there() -> None:
    _make(FILES)
    shutil.rmtree(KEY.folder / "tree")

    assert open_entry(KEY) is None


# From end to end


def _damage(file: Path, content: bytes = b"damaged") -> None:
    """Write into a file where it stands, as the superuser can, and whoever permits it to himself."""
    if not os.access(file, os.W_OK):
        file.chmod(0o644)
    with file.open("r+b") as stream:
        stream.seek(20)
        stream.write(content)


@pytest.mark.parametrize("name", ["native.so", "weights.npy", "include/varied.h"])
def test_who_writes_into_what_is_shared_is_noticed(rig: Rig, name: str) -> None:
    rig.make_and_keep("first")
    second = rig.make_and_keep("second")
    _damage(rig.site(second) / "varied" / name)

    told = rig.done(*rig.words("third"))

    assert "varied-1.0-" in told
    assert "was changed where the store keeps it: it is made anew." in " ".join(told.split())
    third = rig.project / "third"
    rig.verify(third)
    rig.keep()
    assert check_store(rig.store) > 20
    rig.verify(rig.create("fourth"))
    assert "was changed" not in rig.done(*rig.words("fifth"))


def test_bytecode_that_was_changed_is_noticed(rig: Rig) -> None:
    rig.make_and_keep("first")
    second = rig.make_and_keep("second")
    _damage(next((rig.site(second) / "varied" / "__pycache__").glob("other.*.pyc")))

    rig.create("third")
    rig.keep()

    check_store(rig.store)
    for name in ("third", "fourth"):
        environment = rig.project / name if name == "third" else rig.create(name)
        rig.verify(environment)
        assert rig.say(environment, "import varied.other; print(varied.other.VERSION)") == "1.0"


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Return a folder on another file system."""
    place = MACHINE.get("KERASENV_TEST_OTHER_FOLDER", "/dev/shm")  # noqa: S108
    if not os.access(place, os.W_OK) or os.stat(place).st_dev == os.stat(tempfile.gettempdir()).st_dev:  # noqa: PTH116
        pytest.skip("there is no other file system: KERASENV_TEST_OTHER_FOLDER can name a folder there")
    folder = Path(tempfile.mkdtemp(dir=place, prefix="kerasenv-test-"))
    yield folder
    shutil.rmtree(folder)


def test_from_another_file_system_it_is_copied(rig: Rig, elsewhere: Path) -> None:
    first = rig.make_and_keep(str(elsewhere / "first"))
    rig.index.forget()
    second = rig.make_and_keep(str(elsewhere / "second"))
    third = rig.make_and_keep("third")

    assert rig.index.downloads == []
    for environment in (first, second, third):
        rig.verify(environment)
        assert rig.call(environment / "bin" / "varied").strip() == str(environment)
    assert {path.stat().st_nlink for path in second.rglob("*") if path.is_file() and not path.is_symlink()} == {1}
    before = state_of_all(rig.store), state_of_all(first), state_of_all(third)
    for path in second.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o200:
            with path.open("ab") as stream:
                stream.write(b"mine")
    assert (state_of_all(rig.store), state_of_all(first), state_of_all(third)) == before
    check_store(rig.store)


def test_a_store_on_another_file_system(rig: Rig, elsewhere: Path) -> None:
    """Nothing can be moved between it and the rest of the cache."""
    rig.store.parent.mkdir(parents=True)
    rig.store.symlink_to(elsewhere, target_is_directory=True)
    rig.make_and_keep("first")
    assert check_store(rig.store) > 20
    assert all((entry / "spare").is_dir() for entry in rig.entries)
    rig.index.forget()
    rig.verify(rig.make_and_keep("second"))
    assert rig.index.downloads == []

    (native,) = rig.store.glob("entries/*/varied-*/tree/**/native.so")
    _damage(native)
    assert rig.run("store", "verify").returncode == 1
    assert not native.exists()
    rig.make_and_keep("third")
    assert native.exists()
    _damage(native)
    shutil.rmtree(native.parents[5] / "spare")
    rig.create("fourth")
    assert not native.exists()
    rig.done("store", "clear")

    assert rig.entries == []
    assert [path.name for path in (elsewhere / "work").iterdir()] == ["guard"]


def test_a_spare_that_was_changed_goes_wherever_the_environments_lie(entry: Entry, elsewhere: Path) -> None:
    assert lay([(entry.key.folder, entry.spare)]) == [""]
    (entry.spare / "top.txt").unlink()

    (taken,) = take([SOURCE], elsewhere)

    assert _contents(taken.folder) == FILES
    assert not entry.spare.exists()
    assert [path.name for path in elsewhere.iterdir()] == [KEY.package]


def _file_in_its_place(rig: Rig) -> None:
    rig.store.parent.mkdir(parents=True)
    rig.store.write_bytes(b"mine")


def _file_for_entries(rig: Rig) -> None:
    rig.store.mkdir(parents=True)
    (rig.store / "entries").write_bytes(b"mine")


def _folder_for_the_guard(rig: Rig) -> None:
    (rig.store / "guard").mkdir(parents=True)


def _file_for_running(rig: Rig) -> None:
    rig.store.mkdir(parents=True)
    (rig.store / "running").write_bytes(b"mine")


def _forbidden(rig: Rig) -> None:
    rig.store.mkdir(parents=True)
    rig.store.chmod(0o500)


@pytest.mark.parametrize(
    "spoil", [_file_in_its_place, _file_for_entries, _folder_for_the_guard, _file_for_running, _forbidden]
)
def test_a_store_that_can_not_be_used_is_nobodys_trouble(rig: Rig, spoil: Callable[[Rig], None]) -> None:
    spoil(rig)

    first = rig.create("first")

    rig.verify(first)
    for line in (rig.home / "keepers").read_text("utf-8").splitlines():
        with rig.start_keeper(Path(json.loads(line)[3])) as keeper:
            keeper.communicate()
    rig.verify(rig.create("second"))
    if rig.store.is_dir():
        rig.store.chmod(0o700)


READ_ONLY = """
import ctypes, os, sys
system = ctypes.CDLL(None, use_errno=True)
place = sys.argv[1].encode()
for flags in (0x1000, 0x1000 | 0x20 | 1):  # bind; bind again, read-only
    if system.mount(place, place, None, flags, None):
        sys.exit(77)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is a mount of Linux")
@pytest.mark.parametrize("full", [False, True])
def test_a_store_that_can_only_be_read(rig: Rig, *, full: bool) -> None:
    if full:
        rig.make_and_keep("first")
    rig.store.mkdir(parents=True, exist_ok=True)
    unshared = ["unshare", "--mount", sys.executable, "-c", READ_ONLY, str(rig.store)]
    if not shutil.which("unshare") or subprocess.run([*unshared, "/bin/true"], check=False).returncode:
        pytest.skip("nobody here may mount anything")

    before = state_of_all(rig.store)
    finished = subprocess.run(
        [*unshared, *_kerasenv(), *rig.words("second")],
        cwd=rig.project,
        env=rig.environ,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )

    assert finished.returncode == 0, finished.stderr
    assert state_of_all(rig.store) == before
    rig.verify(rig.project / "second")


def _kerasenv() -> list[str]:
    from tests.store.rig import RUN

    return [sys.executable, "-c", RUN]


# File by file, in one process or two

MANY = {f"lib/folder{number}/{name}": content for number in range(7) for name, content in FILES.items()} | FILES


@pytest.fixture(params=["one process", "two processes"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    two = request.param == "two processes"
    monkeypatch.setattr(laying, "_WORTH_A_PROCESS", 0 if two else sys.maxsize)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.usefixtures("processes")
def test_every_entry_is_laid(tmp_path: Path) -> None:
    one, other = _make(MANY), _make(FILES, Key(python=KEY.python, package="other-1.0-0123456789abcdef"))

    assert lay([(one.key.folder, tmp_path / "one"), (other.key.folder, tmp_path / "other")]) == ["", ""]

    assert _contents(tmp_path / "one") == MANY
    assert _contents(tmp_path / "other") == FILES


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("place", range(len(MANY)))
def test_one_that_lacks_a_file_says_so_and_the_others_are_laid(tmp_path: Path, place: int) -> None:
    whole, lacking = _make(FILES, Key(python=KEY.python, package="other-1.0-0123456789abcdef")), _make(MANY)
    lost = sorted(MANY)[place]
    (lacking.tree / lost).unlink()

    problem, none = lay([(lacking.key.folder, tmp_path / "lacking"), (whole.key.folder, tmp_path / "whole")])

    assert "FileNotFoundError" in problem
    assert lost in problem
    assert none == ""
    assert _contents(tmp_path / "whole") == FILES


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("lie", ["../out", "..", "lib/../../out", "/out"])
def test_whatever_a_table_says_nothing_is_laid_outside(tmp_path: Path, lie: str) -> None:
    entry = _make(MANY)
    table = json.loads((KEY.folder / "files.jsonl").read_text("utf-8"))
    for folder, name in ((lie, "file"), ("lib", lie)):
        wrong = {**table, folder: [*table.get(folder, []), [name, "text", 1, 1]]}
        (KEY.folder / "files.jsonl").write_text(json.dumps(wrong), encoding="utf-8")

        (problem,) = lay([(entry.key.folder, tmp_path / "deep" / name.replace("/", "-"))])

        assert "outside" in problem
        assert not list(tmp_path.rglob("out")), "nothing is where the lie leads"


def test_without_a_second_process_all_is_done_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_words: object, **_options: object) -> NoReturn:
        raise ProgramError("no more processes")

    monkeypatch.setattr(laying, "_WORTH_A_PROCESS", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(process, "run", fails)

    assert lay([(_make(MANY).key.folder, tmp_path / "new")]) == [""]

    assert _contents(tmp_path / "new") == MANY
