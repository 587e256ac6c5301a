"""What verify finds, in a real environment of tiny packages that is spoilt and mended again."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli
import tomli_w

from kerasenv.engine import Index
from kerasenv.env.environment import RECEIPT, open_environment, write_receipt
from kerasenv.env.inventory import is_bytecode, take_inventory
from kerasenv.env.variables import bin_folder
from kerasenv.env.verify import lock_of, verify
from kerasenv.errors import LockError
from kerasenv.lock.lockfile import read_lock
from kerasenv.workflow.create import create
from kerasenv.workflow.plan import Making
from tests.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kerasenv.env.verify import Difference
    from tests.local_index import LocalIndex


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, _shared_index: LocalIndex) -> Project:
    """Return a project with an environment that every test leaves as it found it."""
    project = Project.make(tmp_path_factory.mktemp("whole") / "project")
    index = Index(url=_shared_index.url, source="the test")
    create("tiny", Making(folder=project.environment, cwd=project.folder, index=index))
    return project


def found(project: Project, lock: Path | None = None) -> tuple[Difference, ...]:
    environment = open_environment(project.environment)
    chosen, _ = lock_of(environment, lock, cwd=project.folder)
    return verify(environment, chosen).differences


def told(differences: Sequence[Difference]) -> list[str]:
    return [str(one) for one in differences]


@contextmanager
def spoilt(*paths: Path) -> Iterator[None]:
    """Flip one bit in the middle of files, or in an empty one write a byte; put back what was there."""
    before = {path: path.read_bytes() for path in paths}
    for path, content in before.items():
        middle = len(content) // 2
        other = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else b"x"
        put(path, other)
    try:
        yield
    finally:
        for path, content in before.items():
            put(path, content)


def put(path: Path, content: bytes) -> None:
    """Write a file anew, since its content may be shared with the cache of uv."""
    mode = path.stat().st_mode if path.exists() else 0o644
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def site_packages(project: Project) -> Path:
    return next(project.environment.rglob("site-packages"))


class TestWhole:
    def test_nothing_differs(self, whole: Project) -> None:
        """Its model ran, so there is bytecode; uv's entry points and RECORDs are rewritten, and hooks are written."""
        assert any(path.suffix == ".pyc" for path in site_packages(whole).rglob("*"))
        assert told(found(whole)) == []

    def test_nothing_is_executed(self, whole: Project) -> None:
        """What runs at the start of the environment's Python would tell."""
        trap = site_packages(whole) / "trap.pth"
        trap.write_text(f"import pathlib; pathlib.Path({str(whole.folder / 'sprung')!r}).touch()\n")
        try:
            assert told(found(whole)) == [
                f"{trap.relative_to(whole.environment)}: no package of the environment has it"
            ]
        finally:
            trap.unlink()

        assert not (whole.folder / "sprung").exists()

    def test_what_keras_and_people_keep_beside_the_packages_is_their_own(self, whole: Project) -> None:
        for name in ("keras/models.h5", "notes.txt"):
            (whole.environment / name).write_text("mine")
        try:
            assert told(found(whole)) == []
        finally:
            for name in ("keras/models.h5", "notes.txt"):
                (whole.environment / name).unlink()


class TestFiles:
    def test_one_flipped_bit_anywhere_is_found_by_name(self, whole: Project) -> None:
        """RECORDs and METADATA, which tell what to compare with, are spoilt one by one below."""
        inventory = take_inventory(whole.environment)
        files = [
            path
            for path in inventory.files
            if path != RECEIPT
            and not is_bytecode(path, inventory.files)
            and not path.endswith(("/RECORD", "/METADATA"))
            and not (whole.environment / path).is_symlink()
        ]
        assert len(files) > 50

        with spoilt(*(whole.environment / path for path in files)):
            named = {one.name for one in found(whole) if one.what == "changed"}

        assert named == set(files)

    @pytest.mark.parametrize("name", ["RECORD", "METADATA"])
    def test_one_flipped_bit_of_what_tells_of_the_others(self, whole: Project, name: str) -> None:
        for path in sorted(site_packages(whole).glob(f"*.dist-info/{name}")):
            with spoilt(path):
                assert path.relative_to(whole.environment).as_posix() in {one.name for one in found(whole)}

    def test_a_file_and_its_record_changed_together(self, whole: Project) -> None:
        record = next(site_packages(whole).glob("numpy-*.dist-info/RECORD"))
        lines = record.read_text("utf-8").splitlines(keepends=True)
        with spoilt(record):
            put(record, "".join(line for line in lines if not line.startswith("numpy/__init__")).encode())
            named = {one.name: one.what for one in found(whole)}

        site = site_packages(whole).relative_to(whole.environment).as_posix()
        assert named == {f"{site}/numpy-2.0.dist-info/RECORD": "changed", f"{site}/numpy/__init__.py": "extra"}

    def test_a_missing_file_and_one_too_many(self, whole: Project) -> None:
        site = site_packages(whole)
        inside = site.relative_to(whole.environment).as_posix()
        module = site / "numpy" / "__init__.py"
        content = module.read_bytes()
        module.unlink()
        (site / "numpy" / "more.py").write_text("")
        (site / "orphan.pyc").write_bytes(b"")
        try:
            assert told(found(whole)) == [
                f"{inside}/numpy/__init__.py: missing (numpy)",
                f"{inside}/numpy/more.py: no package of the environment has it",
                f"{inside}/orphan.pyc: no package of the environment has it",
            ]
        finally:
            put(module, content)
            (site / "numpy" / "more.py").unlink()
            (site / "orphan.pyc").unlink()

    def test_a_record_that_is_gone(self, whole: Project) -> None:
        record = next(site_packages(whole).glob("numpy-*.dist-info/RECORD"))
        content = record.read_bytes()
        record.unlink()
        try:
            assert [(one.name, one.what) for one in found(whole) if one.name.endswith("RECORD")] == [
                (record.relative_to(whole.environment).as_posix(), "missing")
            ]
        finally:
            put(record, content)

    @pytest.mark.parametrize("name", ["activate", "activate.fish", "activate_this.py"])
    def test_a_hook(self, whole: Project, name: str) -> None:
        with spoilt(bin_folder(whole.environment) / name):
            (one,) = found(whole)

        assert (one.kind, one.name, one.what) == ("hook", f"{bin_folder(whole.environment).name}/{name}", "changed")

    def test_the_module_of_the_start(self, whole: Project) -> None:
        paths = [site_packages(whole) / f"_kerasenv.{end}" for end in ("env", "py", "pth")]
        with spoilt(*paths):
            kinds = {(one.kind, Path(one.name).name) for one in found(whole)}

        assert kinds == {("hook", path.name) for path in paths}

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a privilege for links")
    def test_a_python_that_leads_elsewhere(self, whole: Project) -> None:
        link = bin_folder(whole.environment) / "python"
        target = os.readlink(link)  # noqa: PTH115  # as it is written there
        link.unlink()
        link.symlink_to("/bin/false")
        try:
            assert told(found(whole)) == ["bin/python: changed"]
        finally:
            link.unlink()
            link.symlink_to(target)


class TestPackages:
    def test_one_that_the_lock_does_not_have(self, whole: Project) -> None:
        """Its files are its own, and known."""
        site = site_packages(whole)
        info = site / "stray-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Stray\nVersion: 1.0\n")
        (info / "RECORD").write_text("stray.py,,\nstray-1.0.dist-info/METADATA,,\nstray-1.0.dist-info/RECORD,,\n")
        (site / "stray.py").write_text("")
        try:
            assert told(found(whole)) == ["stray: 1.0 is installed, and the lock doesn't have it"]
        finally:
            shutil.rmtree(info)
            (site / "stray.py").unlink()

    def test_one_of_an_old_installer(self, whole: Project) -> None:
        info = site_packages(whole) / "old_thing-0.1-py3.7.egg-info"
        info.write_text("Metadata-Version: 1.0\nName: old-thing\nVersion: 0.1\n")
        try:
            assert told(found(whole)) == ["old-thing: 0.1 is installed, and the lock doesn't have it"]
        finally:
            info.unlink()

    def test_one_has_no_say_in_the_files_of_the_lock(self, whole: Project) -> None:
        """As when it was installed over them."""
        site = site_packages(whole)
        module = site / "numpy" / "__init__.py"
        inside = module.relative_to(whole.environment).as_posix()
        info = site / "stray-1.0.dist-info"
        info.mkdir()
        empty = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
        (info / "RECORD").write_text(f"numpy/__init__.py,{empty},0\nstray-1.0.dist-info/RECORD,,\n")
        try:
            with spoilt(module):
                put(module, b"")
                texts = told(found(whole))
        finally:
            shutil.rmtree(info)

        assert texts == [
            "stray: 1.0 is installed, and the lock doesn't have it",
            f"{inside}: changed (numpy)",
        ]

    def test_a_missing_one_is_told_once(self, whole: Project) -> None:
        site = site_packages(whole)
        away = whole.folder / "away"
        away.mkdir()
        names = [path.name for path in site.iterdir() if path.name.startswith("numpy")]
        for name in names:
            (site / name).rename(away / name)
        try:
            assert told(found(whole)) == ["numpy: not installed, the lock has 2.0"]
        finally:
            for name in names:
                (away / name).rename(site / name)
            away.rmdir()


class TestLock:
    def test_another_version_and_one_more(self, whole: Project, tmp_path: Path) -> None:
        table = tomli.loads(whole.lock.read_text("utf-8"))
        packages = {package["name"]: package for package in table["packages"]}
        packages["keras"]["wheels"][0]["hashes"]["sha256"] = "0" * 64
        numpy = packages["numpy"]["wheels"][0]
        del numpy["name"]
        numpy["url"] = "https://index.example/numpy-2.1-py3-none-any.whl"
        packages["numpy"]["version"] = "2.1"
        more = {"url": "https://index.example/more-1.0-py3-none-any.whl", "hashes": numpy["hashes"]}
        table["packages"].append({"name": "more", "version": "1.0", "wheels": [more]})
        other = tmp_path / "pylock.tiny.toml"
        other.write_text(tomli_w.dumps(table), "utf-8")

        texts = told(found(whole, other))

        assert texts[0].startswith("pylock.tiny.toml: it changed since (")
        assert texts[1:] == [
            "keras: the lock names other files of 3.15.1 than those that were there to install",
            "more: not installed, the lock has 1.0",
            "numpy: 2.0 is installed, the lock has 2.1",
        ]

    def test_another_backend(self, whole: Project, tmp_path: Path) -> None:
        table = tomli.loads(whole.lock.read_text("utf-8"))
        table["tool"]["kerasenv"]["backend"] = "jax"
        other = tmp_path / "pylock.tiny.toml"
        other.write_text(tomli_w.dumps(table), "utf-8")

        assert "backend: 'tensorflow', the lock says 'jax'" in told(found(whole, other))

    def test_the_copy_does_where_the_lock_is_gone(self, whole: Project, tmp_path: Path) -> None:
        environment = open_environment(whole.environment)
        away = tmp_path / "pylock.tiny.toml"
        whole.lock.rename(away)
        try:
            lock, source = lock_of(environment, None, cwd=tmp_path / "elsewhere")
            assert verify(environment, lock).differences == ()
        finally:
            away.rename(whole.lock)

        assert source == f"the copy that the environment keeps: {whole.environment / 'pylock.tiny.toml'}"
        assert lock.digest == environment.receipt.lock_digest

    def test_a_copy_that_was_changed(self, whole: Project) -> None:
        copy = whole.environment / "pylock.tiny.toml"
        with spoilt(copy):
            assert told(found(whole)) == ["pylock.tiny.toml: changed"]

    def test_no_lock_at_all(self, whole: Project, tmp_path: Path) -> None:
        environment = open_environment(whole.environment)
        nameless = replace(environment, receipt=replace(environment.receipt, lock_name="pylock.none.toml"))

        with pytest.raises(LockError, match="keeps no copy of it") as caught:
            lock_of(nameless, None, cwd=tmp_path)

        assert caught.value.hints == ("Name the lock: --lock FILE",)

    @pytest.mark.parametrize("name", ["../pylock.tiny.toml", "/etc/passwd", "pylock.a/b.toml", ""])
    def test_a_receipt_that_leads_out_of_the_environment(self, whole: Project, name: str, tmp_path: Path) -> None:
        environment = open_environment(whole.environment)
        other = replace(environment, receipt=replace(environment.receipt, lock_name=name))

        with pytest.raises(LockError, match="The receipt names no lock"):
            lock_of(other, None, cwd=tmp_path)


class TestReceipt:
    @pytest.mark.parametrize(
        ("key", "value", "name"),
        [
            ("profile", "other", "profile"),
            ("variant", "cuda", "variant"),
            ("backend", "jax", "backend"),
            ("lock_digest", "sha256:0", "pylock.tiny.toml"),
            ("python_version", "3.10.99", "python"),
            ("python_path", "/nowhere/python", "/nowhere/python"),
            ("variables", {"KERAS_HOME": "/elsewhere"}, "KERAS_HOME"),
            ("files", None, "files"),
        ],
    )
    def test_a_changed_one(self, whole: Project, key: str, value: object, name: str) -> None:
        receipt = open_environment(whole.environment).receipt
        table = json.loads((whole.environment / RECEIPT).read_text("utf-8"))
        with spoilt(whole.environment / RECEIPT):
            put(whole.environment / RECEIPT, json.dumps(table | {key: value}).encode())
            names = [one.name for one in found(whole)]

        assert (receipt.python_path if name == "python" else name) in names

    def test_a_digest_in_it(self, whole: Project) -> None:
        environment = open_environment(whole.environment)
        files = dict(environment.receipt.files or {}) | {"pyvenv.cfg": "sha256=other"}
        other = replace(environment, receipt=replace(environment.receipt, files=files))

        assert told(verify(other, read_lock(whole.lock)).differences) == ["pyvenv.cfg: changed"]

    def test_an_environment_that_was_moved(self, whole: Project, tmp_path: Path) -> None:
        moved = tmp_path / "moved"
        whole.environment.rename(moved)
        try:
            environment = open_environment(moved)
            (one,) = verify(environment, read_lock(whole.lock)).differences
        finally:
            moved.rename(whole.environment)

        assert one.name == "KERAS_HOME"
        assert one.text.endswith("it was moved or copied")

    def test_a_smoke_test_leaves_the_rest_as_it_is(self, whole: Project) -> None:
        environment = open_environment(whole.environment)
        write_receipt(whole.environment, environment.receipt)

        assert found(whole) == ()
