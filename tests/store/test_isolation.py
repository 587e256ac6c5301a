"""What is done in one environment changes no other, nor the store, nor what uv keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kerasenv.venv import python_in
from tests.store.rig import DEEP, Rig, check_store, state_of_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local_index import LocalIndex

READ_ON = """
import importlib, pathlib, sys
import varied
place = pathlib.Path(varied.__file__).parent
print("reads", flush=True)
rounds = 0
while True:
    for name in [name for name in sys.modules if name.startswith("varied") or name == "plain"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    varied, other, plain = map(importlib.import_module, ("varied", "varied.other", "plain"))
    assert (varied.VERSION, other.VERSION, plain.PLAIN) == ("1.0", "1.0", 1)
    assert (place / "data.txt").read_bytes() == b"text\\n"
    assert (place / "native.so").read_bytes()[6:9] == b"1.0"
    rounds += 1
    print(rounds, flush=True)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lives:
    """Environments that share what the store has: the one that filled it, another one, and one more to be changed."""

    rig: Rig
    first: Path
    other: Path

    def all_but(self) -> dict[str, dict[str, tuple[int, bytes]]]:
        """Return all that must stay as it is."""
        unpacked = state_of_all(Path(self.rig.environ["UV_CACHE_DIR"]))
        unpacked = {path: state for path, state in unpacked.items() if path.startswith("archive")}
        assert any(path.endswith("varied/native.so") for path in unpacked)
        entries = {
            f"{entry.name}/{path}": state
            for entry in self.rig.entries
            for path, state in state_of_all(entry / "tree").items()
        }
        return {
            "first": state_of_all(self.first),
            "other": state_of_all(self.other),
            "store": entries,
            "uv": unpacked,
        }


@pytest.fixture(scope="session")
def lives(tmp_path_factory: pytest.TempPathFactory, varied_index: LocalIndex) -> Lives:
    rig = Rig.make(tmp_path_factory.mktemp("lives"), varied_index)
    first = rig.make_and_keep("first")
    other = rig.make_and_keep("other")
    for environment in (first, other):
        rig.say(environment, "import varied.other, plain")
    return Lives(rig=rig, first=first, other=other)


@pytest.fixture
def changed(lives: Lives) -> Iterator[Path]:
    """Return an environment from the store that a test may change; whatever it does, nothing else changes.

    Meanwhile another one is read and imported from, without end.
    """
    environment = lives.rig.make_and_keep("changed")
    shared = lives.rig.site(environment) / "varied" / "native.so"
    assert shared.samefile(lives.rig.site(lives.other) / "varied" / "native.so"), "nothing is shared: nothing is tried"
    before = lives.all_but()
    with subprocess.Popen(
        [python_in(lives.other), "-B", "-c", READ_ON],
        env=lives.rig.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reads\n"
        try:
            yield environment
            mark = [reader.stdout.readline() for _ in range(3)][-1]
            assert mark.strip().isdigit(), reader.stderr and reader.stderr.read()
        finally:
            reader.kill()
    after = lives.all_but()
    assert {path: after["uv"].get(path) for path in before["uv"]} == before["uv"]  # there may be more
    assert {what: after[what] for what in ("first", "other")} == {what: before[what] for what in ("first", "other")}
    assert after["store"] == before["store"]
    assert check_store(lives.rig.store) > 20
    lives.rig.verify(lives.first)
    lives.rig.verify(lives.other)
    shutil.rmtree(environment)


def _append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"# mine\n")


@pytest.mark.parametrize(
    "path",
    [
        "varied/__init__.py",
        "varied/empty.py",
        "varied/data.txt",
        "varied/empty.txt",
        "varied/größe.py",
        f"{DEEP}/deep.py",
        "varied-1.0.dist-info/METADATA",
        "varied-1.0.dist-info/RECORD",
        "varied-1.0.dist-info/WHEEL",
    ],
)
def test_text_is_written_into_where_it_stands(lives: Lives, changed: Path, path: str) -> None:
    _append(lives.rig.site(changed) / path)


@pytest.mark.parametrize("path", ["bin/varied", "bin/varied-tool", "top.txt", "share/varied/readme.txt"])
def test_what_lies_elsewhere_is_written_into(changed: Path, path: str) -> None:
    _append(changed / path)


def test_every_file_that_may_be_written_into_is(changed: Path) -> None:
    """What nobody forbids anybody to write into, an editor can write into."""
    written = 0
    for folder, _, names in os.walk(changed):
        for name in names:
            place = os.path.join(folder, name)  # noqa: PTH118  # of everything
            if not os.path.islink(place) and os.lstat(place).st_mode & 0o222:  # noqa: PTH114
                with open(place, "ab") as stream:  # noqa: PTH123
                    stream.write(b"# mine\n")
                written += 1
    assert written > 20


def test_a_module_is_edited_and_imported(lives: Lives, changed: Path) -> None:
    module = lives.rig.site(changed) / "varied" / "__init__.py"
    module.write_text('VERSION = "0.0"\n', "utf-8")

    assert lives.rig.say(changed, "import varied; print(varied.VERSION)") == "0.0"


@pytest.mark.parametrize(
    "words", [("-f",), ("-f", "--invalidation-mode", "checked-hash"), ("-f", "-o", "0", "-o", "2")]
)
def test_everything_is_compiled_anew(lives: Lives, changed: Path, words: tuple[str, ...]) -> None:
    finished = subprocess.run(
        [python_in(changed), "-m", "compileall", "-q", *words, lives.rig.site(changed)],
        env=lives.rig.environ,
        check=False,
        capture_output=True,
    )

    assert b"template.py" in finished.stdout, finished.stderr  # no Python can compile it


def test_pip_installs_another_version(lives: Lives, changed: Path) -> None:
    lives.rig.pip(changed, "install", "--force-reinstall", "varied==2.0")

    assert lives.rig.say(changed, "import varied.other; print(varied.other.VERSION)") == "2.0"


def test_pip_installs_the_same_again(lives: Lives, changed: Path) -> None:
    lives.rig.pip(changed, "install", "--force-reinstall", "varied==1.0")

    assert lives.rig.say(changed, "import varied.other; print(varied.other.VERSION)") == "1.0"


def test_pip_uninstalls(lives: Lives, changed: Path) -> None:
    lives.rig.pip(changed, "uninstall", "-y", "varied", "plain")

    left = sorted(path.name for path in lives.rig.site(changed).rglob("*varied*")) + sorted(changed.rglob("top.txt"))
    assert left == []


@pytest.mark.parametrize("words", [(), ("--reinstall",), ("--compile-bytecode",), ("--link-mode", "copy")])
def test_uv_installs_another_version(lives: Lives, changed: Path, words: tuple[str, ...]) -> None:
    lives.rig.uv(changed, "install", *words, "varied==2.0")

    assert lives.rig.say(changed, "import varied.other; print(varied.other.VERSION)") == "2.0"


def test_uv_installs_the_same_again(lives: Lives, changed: Path) -> None:
    lives.rig.uv(changed, "install", "--reinstall", "varied==1.0", "plain")

    assert lives.rig.say(changed, "import varied.other; print(varied.other.VERSION)") == "1.0"


def test_uv_uninstalls(lives: Lives, changed: Path) -> None:
    lives.rig.uv(changed, "uninstall", "varied", "plain")

    assert not (lives.rig.site(changed) / "varied").exists()


def test_kerasenv_makes_it_anew(lives: Lives, changed: Path) -> None:
    _append(lives.rig.site(changed) / "varied" / "data.txt")

    lives.rig.make_and_keep("changed", "--force")

    lives.rig.verify(changed)


def test_kerasenv_sync_mends_it(lives: Lives, changed: Path) -> None:
    _append(lives.rig.site(changed) / "varied" / "data.txt")
    lives.rig.pip(changed, "uninstall", "-y", "plain")

    lives.rig.done("sync", changed, "--no-smoke")
    lives.rig.keep()

    lives.rig.verify(changed)


@pytest.mark.parametrize("how", ["rmtree", "remove"])
def test_it_is_deleted(lives: Lives, changed: Path, how: str) -> None:
    if how == "rmtree":
        shutil.rmtree(changed)
    else:
        lives.rig.done("remove", changed)

    lives.rig.make_and_keep("changed")  # which the fixture takes away


def test_files_are_deleted_one_by_one(lives: Lives, changed: Path) -> None:
    for path in lives.rig.site(changed).rglob("*"):
        if path.is_file():
            path.unlink()


def test_files_are_replaced_by_a_rename(lives: Lives, changed: Path) -> None:
    """As most editors and all installers do it, of what is shared as well."""
    for name in ("native.so", "weights.npy", "include/varied.h", "__init__.py"):
        place = lives.rig.site(changed) / "varied" / name
        beside = place.with_name("beside")
        beside.write_bytes(b"mine")
        beside.replace(place)


def test_a_folder_is_renamed_and_a_link_put_in_its_place(lives: Lives, changed: Path) -> None:
    place = lives.rig.site(changed) / "varied"
    place.rename(place.with_name("away"))
    place.symlink_to("away")
    _append(place / "__init__.py")


def test_who_may_enter_is_changed(changed: Path) -> None:
    """Of a file with several names the permissions are the same under all: what they hold isn't touched."""
    for path in [changed, *changed.rglob("*")]:
        if not path.is_symlink() and not path.name.endswith((".so", ".npy", ".h", ".pyc")):
            path.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to the superuser")
@pytest.mark.parametrize("name", ["native.so", "weights.npy", "include/varied.h"])
def test_nobody_writes_into_what_is_shared(lives: Lives, changed: Path, name: str) -> None:
    with pytest.raises(PermissionError):
        _append(lives.rig.site(changed) / "varied" / name)


def test_what_is_shared_forbids_writing(changed: Path) -> None:
    """Not to the superuser; but others than that one run editors."""
    shared = [
        path for path in changed.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1
    ]

    assert {path.name for path in shared} >= {"native.so", "weights.npy", "varied.h"}
    assert any(path.suffix == ".pyc" for path in shared)
    assert [path for path in shared if path.stat().st_mode & 0o222] == []
    assert [path for path in shared if path.suffix in {".py", ".txt"} or "dist-info" in str(path)] == []
