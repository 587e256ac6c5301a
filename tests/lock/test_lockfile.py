from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from packaging.pylock import Pylock
from packaging.requirements import Requirement

from kerasenv.engine import BuildConstraint
from kerasenv.errors import LockError
from kerasenv.lock.gaps import Gap
from kerasenv.lock.lockfile import (
    Lock,
    Promise,
    checked_name,
    default_name,
    dump_lock,
    profile_in_name,
    read_lock,
    write_file,
)
from kerasenv.lock.resolve import resolve
from kerasenv.profiles.profile import KerasSettings
from kerasenv.smoke.plan import Noise, SmokePlan, Trial
from kerasenv.system.need import SystemNeed
from tests.lock.wishes import KnowingEngine, digest, profile, resolved, wish
from tests.programs import CHECKOUT

PYLOCK = resolve(
    wish(profile(build_constraints=["setuptools<60"])),
    KnowingEngine(
        packages=(
            resolved("keras", "3.12.0"),
            resolved("Theano", "1.0.5", "theano-1.0.5.tar.gz", marker="sys_platform == 'linux'"),
        )
    ),
)
PLAIN = Promise(profile="tiny", smoke=SmokePlan())
FULL = Promise(
    profile="tiny",
    variant="cuda",
    requirements=("keras>=3", 'pandas[excel]>=2 ; sys_platform == "win32"'),
    extra=('pandas[excel]>=2 ; sys_platform == "win32"',),
    only_binary=True,
    as_of=date(2020, 6, 1),
    gaps=(Gap(package="ml-dtypes 0.6.0", platform="linux-aarch64", pythons=("3.10", "3.11")),),
    constraints=("numpy<2.1",),
    build_constraints=(BuildConstraint(requirement=Requirement("setuptools==59.6.0"), sha256=(64 * "a",)),),
    backend="tensorflow",
    variables={"TF_CPP_MIN_LOG_LEVEL": "2", "TF_FLAGS": "base=\"{env}/x\",\n'$HOME' `id` é {{}}"},
    settings=KerasSettings(floatx="float64", epsilon=1e-07, image_data_format="channels_first"),
    smoke=SmokePlan(
        import_name="tf_keras",
        backend="tensorflow",
        trains=False,
        formats=("h5",),
        floatx="float64",
        epsilon=1e-07,
        image_data_format="channels_first",
    ),
    trial=Trial(idiom="keras2", imports=("from keras.layers.core import Dense", "import keras.backend as K")),
    noise=(Noise(text="'$HOME' `id` \t é", because="that is how it was"), Noise(text="two", because="so")),
    system=(
        SystemNeed(
            name="OpenMPI",
            because="import fails",
            seen="here",
            platforms=("linux-x86_64",),
            libraries={"libmpi.so.12": ("libmpi.so.40",), "libz.so.1": ()},
            links="cntk/libs",
            packages={"apt": "libopenmpi3"},
        ),
        SystemNeed(
            name="g++", because="it is slow", seen="here", needed=False, programs=("g++",), without={"X_FLAGS": "{env}"}
        ),
    ),
)


def written(folder: Path, content: bytes, name: str = "pylock.tiny.toml") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def table_of(promise: Promise = FULL) -> dict[str, Any]:
    """Return a whole lock as TOML reads it."""
    return tomli.loads(dump_lock(PYLOCK, promise).decode())


def read_table(folder: Path, table: dict[str, Any]) -> Lock:
    return read_lock(written(folder, tomli_w.dumps(table).encode()))


class TestRoundTrip:
    @pytest.mark.parametrize("promise", [PLAIN, FULL], ids=["plain", "full"])
    def test_what_is_written_is_read_again(self, promise: Promise, tmp_path: Path) -> None:
        content = dump_lock(PYLOCK, promise)
        lock = read_lock(written(tmp_path, content))

        assert lock.promise == promise
        assert lock.pylock.to_dict()["packages"] == PYLOCK.to_dict()["packages"]
        assert dump_lock(replace(lock.pylock, tool=None), promise) == content

    @given(
        st.dictionaries(st.from_regex(r"TF_[A-Z0-9_]{1,8}", fullmatch=True), st.text(max_size=20)),
        st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    )
    def test_any_value_of_a_variable_and_any_epsilon(self, values: dict[str, str], epsilon: float) -> None:
        variables = {
            name: value.replace("\0", "").replace("{", "{{").replace("}", "}}") for name, value in values.items()
        }
        promise = replace(
            PLAIN, variables=variables, settings=KerasSettings(epsilon=epsilon), smoke=SmokePlan(epsilon=epsilon)
        )
        path = written(Path(), dump_lock(PYLOCK, promise))

        assert read_lock(path).promise == promise

    def test_a_promise_is_what_the_profile_says_and_the_user_adds(self) -> None:
        wanted = profile(
            "keras>=3", constraints=["numpy<2.1"], build_constraints=["wheel<1"], variables={"TF_X": "{env}"}
        )

        assert Promise.of(wanted, variant="cpu", extra=("pandas",)) == Promise(
            profile="tiny",
            variant="cpu",
            requirements=("keras>=3", "pandas"),
            extra=("pandas",),
            constraints=("numpy<2.1",),
            build_constraints=(BuildConstraint(requirement=Requirement("wheel<1")),),
            backend="tensorflow",
            variables={"TF_X": "{env}"},
            smoke=SmokePlan(backend="tensorflow"),
        )

    def test_the_digest_is_that_of_the_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, dump_lock(PYLOCK, PLAIN))

        assert read_lock(path).digest == f"sha256:{digest(path.read_text('utf-8'))}"


class TestWhatOthersMakeOfIt:
    def test_packaging_finds_it_valid(self) -> None:
        Pylock.from_dict(table_of()).validate()

    def test_every_file_has_its_sha256(self) -> None:
        for package in table_of()["packages"]:
            for file in [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]:
                assert re.fullmatch("[0-9a-f]{64}", file["hashes"]["sha256"])

    def test_without_our_table_there_is_no_promise(self, tmp_path: Path) -> None:
        """PEP 751 lets any tool drop it."""
        table = table_of()
        del table["tool"]

        assert read_table(tmp_path, table).promise is None

    def test_with_the_tables_of_others_alone_there_is_none_either(self, tmp_path: Path) -> None:
        assert read_table(tmp_path, table_of() | {"tool": {"other": {"kerasenv": 1}}}).promise is None

    def test_the_tables_of_others_beside_ours_are_let_be(self, tmp_path: Path) -> None:
        table = table_of()
        table["tool"]["other"] = {"format": 7}

        assert read_table(tmp_path, table).promise == FULL


class TestReading:
    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(LockError, match="can't be read: No such file"):
            read_lock(tmp_path / "pylock.toml")

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "pylock.toml").mkdir()

        with pytest.raises(LockError, match="can't be read"):
            read_lock(tmp_path / "pylock.toml")

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"lock-version = ",
            b"\xff\xfe",
            b"lock-version = '1.0'",
            b"lock-version = '2.0'\ncreated-by = 'x'\npackages = []",
            b"lock-version = 1.0\ncreated-by = 'x'\npackages = []",
            b"lock-version = '1.0'\ncreated-by = 'x'\npackages = [{name = 'Keras'}]",
            b"lock-version = '1.0'\ncreated-by = 'x'\npackages = [{name = 'keras', marker = 'python ='}]",
            b"lock-version = '1.0'\ncreated-by = 'x'\npackages = []\nenvironments = ['what?']",
            b"lock-version = '1.0'\ncreated-by = 'x'\npackages = []\nrequires-python = 'new'",
            b"lock-version = '1.0'\ncreated-by = 'x'\npackages = []\ntool = 'kerasenv'",
            b"lock-version = '1.0'\ncreated-by = 'x'\npackages = []\ntool = ['kerasenv']",
            b"<<<<<<< HEAD\nlock-version = '1.0'\n",
            b"x = " + b"[" * 5000,
            b"x = " + b"9" * 5000,
        ],
    )
    def test_what_is_no_lock(self, content: bytes, tmp_path: Path) -> None:
        with pytest.raises(LockError, match="is no valid lock") as caught:
            read_lock(written(tmp_path, content))

        assert "pylock.tiny.toml" in caught.value.message
        (hint,) = caught.value.hints
        assert ("Upgrade kerasenv" if b"'2.0'" in content else "kerasenv lock PROFILE") in hint

    def test_a_newer_format_says_to_upgrade(self, tmp_path: Path) -> None:
        table = table_of()
        table["tool"]["kerasenv"] = {"format": 2, "what": "is not known yet"}

        with pytest.raises(LockError, match="newer kerasenv") as caught:
            read_table(tmp_path, table)
        assert caught.value.looked_at == ("tool.kerasenv.format is 2; this kerasenv knows 1",)
        assert caught.value.hints[0].startswith("Upgrade kerasenv")

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"format": None}, "tool.kerasenv.format: missing"),
            ({"format": 0}, "tool.kerasenv.format: must be 1"),
            ({"format": "1"}, "tool.kerasenv.format: must be a number, not text"),
            ({"profile": None}, "tool.kerasenv.profile: missing"),
            ({"profile": "../x"}, "tool.kerasenv.profile: '../x' is no name of a profile or a variant"),
            ({"variant": "\x1b[2J"}, r"tool.kerasenv.variant: '\x1b[2J' is no name of a profile or a variant"),
            ({"backend": "tensorflwo"}, "tool.kerasenv.backend: 'tensorflwo' is unknown; did you mean 'tensorflow'?"),
            ({"requirements": ["keras =="]}, "tool.kerasenv.requirements[0]: 'keras ==' is no requirement"),
            ({"requirements": "keras"}, "tool.kerasenv.requirements: must be a list, not text"),
            (
                {"build-constraints": [{"requirement": ";"}]},
                "tool.kerasenv.build-constraints[0].requirement: ';' is no requirement",
            ),
            (
                {"build-constraints": [{"requirement": "setuptools @ https://evil.example/s.whl"}]},
                "tool.kerasenv.build-constraints[0].requirement: setuptools must come from an index",
            ),
            (
                {"build-constraints": [{"requirement": "wheel==1", "sha256": [1]}]},
                "tool.kerasenv.build-constraints[0].sha256[0]: must be text, not a number",
            ),
            ({"system": [{"name": "x", "because": "y"}]}, "tool.kerasenv.system[0].seen: missing"),
            ({"variables": {"A": 1}}, "tool.kerasenv.variables.A: must be text, not a number"),
            (
                {"variables": {"A": "{home}"}},
                "tool.kerasenv.variables.A: has something else than {env} in braces; {{ and }} stand for braces",
            ),
            ({"keras": {"epsilon": float("inf")}}, "tool.kerasenv.keras.epsilon: must be a finite number"),
            ({"keras": []}, "tool.kerasenv.keras: must be a table, not a list"),
            ({"smoke": {"import": "keras", "formats": []}}, "tool.kerasenv.smoke.trains: missing"),
            ({"smoke": None}, "tool.kerasenv.smoke: missing"),
            (
                {"trial": {"imports": ["exec('x')"]}},
                "tool.kerasenv.trial.imports[0]: \"exec('x')\" is no import statement",
            ),
            ({"noise": [{"text": "BLAS"}]}, "tool.kerasenv.noise[0].because: missing"),
            ({"extra": 1}, "tool.kerasenv.extra: unknown"),
        ],
    )
    def test_a_fault_of_our_table_is_told_with_its_place(
        self, changes: dict[str, Any], fault: str, tmp_path: Path
    ) -> None:
        table = table_of()
        ours = table["tool"]["kerasenv"] | changes
        table["tool"]["kerasenv"] = {key: value for key, value in ours.items() if value is not None}

        with pytest.raises(LockError) as caught:
            read_table(tmp_path, table)
        assert any(line.startswith(f"pylock.tiny.toml: {fault}") for line in caught.value.looked_at)

    def test_all_faults_are_told_at_once(self, tmp_path: Path) -> None:
        table = table_of()
        table["tool"]["kerasenv"] |= {"backend": "x", "profile": "", "variables": {"PATH": "/evil", "b": "c"}}

        with pytest.raises(LockError) as caught:
            read_table(tmp_path, table)
        assert len(caught.value.looked_at) == 4

    @pytest.mark.parametrize(
        "name",
        [
            "PATH",
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "BASH_ENV",
            "ENV",
            "HOME",
            "path",
        ],
    )
    def test_a_lock_of_a_stranger_sets_no_variable_that_runs_code(self, name: str, tmp_path: Path) -> None:
        table = table_of()
        table["tool"]["kerasenv"]["variables"] = {name: "/evil"}

        with pytest.raises(LockError) as caught:
            read_table(tmp_path, table)
        assert f"tool.kerasenv.variables.{name}: " in caught.value.looked_at[0]


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value of a document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(one for key, child in children for one in paths_in(child, (*path, key)))]


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a document in which something else stands at one place; None takes away what was there."""
    if not path:
        return value
    key, *rest = path
    changed = put(document[key], tuple(rest), value)
    if isinstance(document, dict):
        return {k: changed if k == key else v for k, v in document.items() if k != key or changed is not None}
    return [changed if i == key else v for i, v in enumerate(document) if i != key or changed is not None]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.datetimes(),
    st.sampled_from(["1.0", "2.0", ">=3", "keras", "../x", "https://x.example/", "{env}", "python_version < '3'"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner.filter(lambda one: one is not None), max_size=2)
        | st.dictionaries(st.text(max_size=5), inner.filter(lambda one: one is not None), max_size=2)
    ),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.sampled_from(paths_in(table_of())[1:]), values), min_size=1, max_size=3))
def test_whatever_was_done_to_a_lock_it_is_read_or_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Anybody may edit it, and a merge may tear it."""
    table: Any = table_of()
    for path, value in changes:
        try:
            table = put(table, path, value)
        except (KeyError, IndexError, TypeError):  # the change before took that place away
            continue
    try:
        lock = read_table(Path(), table)
    except LockError:
        return
    assert lock.promise is None or "\0" not in "".join(lock.promise.variables.values())


@given(st.data())
def test_torn_and_joined_bytes_are_read_or_refused(data: st.DataObject) -> None:
    content = dump_lock(PYLOCK, FULL)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    torn = content[:start] + data.draw(st.binary(max_size=8)) + content[end:]
    try:
        read_lock(written(Path(), torn))
    except LockError:
        return


class TestNames:
    def test_the_lock_of_a_profile(self) -> None:
        assert default_name("tf2-modern") == "pylock.tf2-modern.toml"
        assert profile_in_name(Path("x/pylock.tf2-modern.toml")) == "tf2-modern"
        assert profile_in_name(Path("pylock.toml")) is None

    @pytest.mark.parametrize("name", ["pylock.toml", "pylock.tf2-modern.toml", "pylock.é.toml"])
    def test_names_that_pep_751_allows(self, name: str) -> None:
        assert checked_name(Path("some.where") / name) == Path("some.where") / name

    @pytest.mark.parametrize("name", ["lock.toml", "pylock.a.b.toml", "pylock..toml", "pylock.tf2.json", "Pylock.toml"])
    def test_names_that_it_does_not(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(LockError, match="no valid name") as caught:
            read_lock(tmp_path / name)
        assert "pylock.NAME.toml" in caught.value.hints[0]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from kerasenv.errors import LockError
from kerasenv.lock.lockfile import write_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_file(Path(sys.argv[1]), b"new" * 100)
except LockError as error:
    print(error)
"""


class TestWriting:
    def test_a_new_file_and_another_in_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "pylock.toml"
        for content in (b"old\n", b"new\r\n\xff"):
            write_file(path, content)

            assert path.read_bytes() == content
        assert names_in(tmp_path) == ["pylock.toml"]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_the_umask_decides_who_may_read_it(self, umask: int, mode: int, tmp_path: Path) -> None:
        """Temporary files are for their owner alone, and a lock is to be shared."""
        before = os.umask(umask)
        try:
            write_file(tmp_path / "pylock.toml", b"x")
        finally:
            assert os.umask(before) == umask
        assert (tmp_path / "pylock.toml").stat().st_mode & 0o777 == mode

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows can't limit the size of files")
    def test_on_a_full_disk_the_old_file_stays_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "pylock.toml"
        path.write_bytes(b"old")
        answer = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(path)],
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=True,
        )

        assert answer.stdout == f"{path} can't be written: File too large\n"
        assert path.read_bytes() == b"old"
        assert names_in(tmp_path) == ["pylock.toml"]

    def test_a_folder_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "pylock.toml").mkdir()

        with pytest.raises(LockError, match="can't be written"):
            write_file(tmp_path / "pylock.toml", b"new")
        assert names_in(tmp_path) == ["pylock.toml"]

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(LockError, match="can't be written: No such file"):
            write_file(tmp_path / "no" / "pylock.toml", b"new")

    def test_an_interrupt_leaves_nothing_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(handle: int) -> None:
            raise KeyboardInterrupt(handle)

        (tmp_path / "pylock.toml").write_bytes(b"old")
        monkeypatch.setattr(os, "fsync", interrupt)

        with pytest.raises(KeyboardInterrupt):
            write_file(tmp_path / "pylock.toml", b"new")
        assert names_in(tmp_path) == ["pylock.toml"]
        assert (tmp_path / "pylock.toml").read_bytes() == b"old"
