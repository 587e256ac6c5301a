"""What a plan says, which is only values, and how files come from one environment into another."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Package, PackageWheel, Pylock
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.env.environment import Environment
from kerasenv.env.inventory import Installed, Inventory
from kerasenv.env.sync import SyncPlan, carry, carry_home, nothing_stays, plan_sync
from kerasenv.env.verify import Condition
from kerasenv.interpreters.find import inspect
from kerasenv.lock.lockfile import Lock, Promise
from kerasenv.smoke.plan import SmokePlan
from tests.env.test_environment import RECEIPT_OF_TINY

if TYPE_CHECKING:
    from collections.abc import Mapping

SITE = "lib/python3.7/site-packages"


def package(name: str, version: str, digest: str = "0") -> Package:
    wheel = PackageWheel(url=f"https://index.example/{name}-{version}-py3-none-any.whl", hashes={"sha256": digest * 64})
    return Package(name=canonicalize_name(name), version=Version(version), wheels=[wheel])


def lock_of(*packages: Package, content: bytes = b"") -> Lock:
    promise = Promise(profile="tiny", backend="tensorflow", smoke=SmokePlan(backend="tensorflow"))
    pylock = Pylock(lock_version=Version("1.0"), created_by="test", packages=list(packages))
    return Lock(path=Path("pylock.tiny.toml"), pylock=pylock, promise=promise, content=content)


def installed(name: str, version: str, *more: str) -> Installed:
    info = f"{SITE}/{name}-{version}.dist-info"
    files = {f"{SITE}/{name}.py": "sha256=0", **dict.fromkeys(more, "sha256=0"), f"{info}/RECORD": None}
    return Installed(name=canonicalize_name(name), version=version, info=info, files=files)


@pytest.fixture(scope="module")
def condition() -> Condition:
    """Return one of an environment with numpy and h5py, in which nothing differs."""
    folder = Path("/an/environment")
    python = inspect(Path(sys.executable), source="test")
    lock = lock_of(package("h5py", "3.0"), package("numpy", "2.0"))
    receipt = replace(
        RECEIPT_OF_TINY,
        lock_digest=lock.digest,
        python_path=sys.executable,
        python_version=str(python.version),
        variables={"KERAS_HOME": str(folder / "keras")},
        files={"pyvenv.cfg": "sha256=0", "bin/activate": "sha256=0"},
    )
    packages = (installed("h5py", "3.0"), installed("numpy", "2.0"))
    known = {path for one in packages for path in one.files or ()} | set(receipt.files or {})
    return Condition(
        environment=Environment(folder=folder, receipt=receipt),
        lock=lock,
        made_from=lock,
        python=python,
        why_no_python="",
        selected={one.name: one for one in lock.pylock.packages},
        inventory=Inventory(folder=folder, packages=packages, files=frozenset(known)),
        wrong={},
        extra=(),
        files=len(known),
    )


def with_lock(condition: Condition, *packages: Package) -> Condition:
    lock = lock_of(*packages, content=b"another")
    return replace(condition, lock=lock, selected={one.name: one for one in lock.pylock.packages})


def with_packages(condition: Condition, *packages: Installed, extra: tuple[str, ...] = ()) -> Condition:
    files = {path for one in packages for path in one.files or ()} | set(extra)
    files |= set(condition.environment.receipt.files or {})
    inventory = replace(condition.inventory, packages=packages, files=frozenset(files))
    return replace(condition, inventory=inventory, extra=extra)


def with_wrong(condition: Condition, wrong: Mapping[str, str]) -> Condition:
    return replace(condition, wrong=wrong)


def actions(plan: SyncPlan) -> list[str]:
    return [str(action) for action in plan.actions]


NUMPY = frozenset({f"{SITE}/numpy.py", f"{SITE}/numpy-2.0.dist-info/RECORD"})
H5PY = frozenset({f"{SITE}/h5py.py", f"{SITE}/h5py-3.0.dist-info/RECORD"})


def test_nothing_differs(condition: Condition) -> None:
    plan = plan_sync(condition, keep_extra=False)

    assert (actions(plan), plan.rebuilds, plan.incomplete) == ([], False, ())
    assert plan.stays == NUMPY | H5PY


def test_packages_of_another_lock(condition: Condition) -> None:
    plan = plan_sync(with_lock(condition, package("numpy", "2.1"), package("zlib-ng", "1.0")), keep_extra=False)

    assert actions(plan)[:3] == ["- h5py 3.0", "~ numpy 2.0 -> 2.1", "+ zlib-ng 1.0"]
    assert actions(plan)[3].startswith("* pylock.tiny.toml (it changed since ")
    assert (plan.rebuilds, plan.incomplete, plan.stays) == (True, ("numpy", "zlib-ng"), frozenset())


def test_the_same_version_of_other_files(condition: Condition) -> None:
    plan = plan_sync(with_lock(condition, package("h5py", "3.0"), package("numpy", "2.0", "1")), keep_extra=False)

    assert actions(plan)[0].startswith("~ numpy (the lock names other files of 2.0")
    assert (plan.incomplete, plan.stays) == (("numpy",), H5PY)


def test_a_lock_of_the_same_content(condition: Condition) -> None:
    plan = plan_sync(with_lock(condition, package("h5py", "3.0"), package("numpy", "2.0")), keep_extra=False)

    assert [action.kind for action in plan.actions] == ["lock"]
    assert not plan.rebuilds


def test_one_that_nobody_can_compare_with(condition: Condition) -> None:
    """Then the files of the same version may be others: all is installed anew."""
    other = with_lock(condition, package("h5py", "3.0"), package("numpy", "2.0"))

    plan = plan_sync(replace(other, made_from=None), keep_extra=False)

    assert (plan.incomplete, plan.stays) == (("h5py", "numpy"), frozenset())
    assert plan.rebuilds
    assert actions(plan)[-1] == "~ all packages (the lock that they were installed from is gone)"


def test_broken_files(condition: Condition) -> None:
    wrong = {f"{SITE}/numpy.py": "changed", f"{SITE}/numpy-2.0.dist-info/RECORD": "missing", "bin/activate": "changed"}

    plan = plan_sync(with_wrong(condition, wrong), keep_extra=False)

    assert actions(plan) == [
        "* bin/activate (changed)",
        f"! numpy 2.0 (2 files, {SITE}/numpy-2.0.dist-info/RECORD first)",
    ]
    assert (plan.incomplete, plan.stays) == (("numpy",), H5PY)


@pytest.mark.parametrize("keep_extra", [False, True])
def test_additions(condition: Condition, *, keep_extra: bool) -> None:
    stray = installed("stray", "1.0")
    packages = (*condition.inventory.packages, stray)

    plan = plan_sync(with_packages(condition, *packages, extra=(f"{SITE}/my.pth",)), keep_extra=keep_extra)

    additions = {f"{SITE}/my.pth", *(stray.files or ())}
    assert actions(plan) == (
        [] if keep_extra else ["- stray 1.0", f"- {SITE}/my.pth (no package of the environment has it)"]
    )
    assert plan.additions == (additions if keep_extra else set())
    assert not plan.stays & additions


def test_a_file_of_two_packages_comes_with_the_one_that_is_installed(condition: Condition) -> None:
    shared = f"{SITE}/tests/__init__.py"
    packages = (installed("h5py", "3.0", shared), installed("numpy", "2.0", shared))

    plan = plan_sync(with_wrong(with_packages(condition, *packages), {f"{SITE}/numpy.py": "changed"}), keep_extra=False)

    assert plan.stays == H5PY


def test_what_lies_beside_stays(condition: Condition) -> None:
    plan = plan_sync(with_packages(condition, *condition.inventory.packages, extra=()), keep_extra=False)
    files = condition.inventory.files | {"notes.txt", "kerasenv.json", "pylock.tiny.toml", f"{SITE}/x.py"}
    other = replace(condition, inventory=replace(condition.inventory, files=files))

    assert plan.others == frozenset()
    assert plan_sync(other, keep_extra=False).others == {"notes.txt"}


def test_a_python_that_is_gone(condition: Condition) -> None:
    plan = plan_sync(replace(condition, python=None, why_no_python="it is gone"), keep_extra=False)

    assert actions(plan) == [f"~ Python ({sys.executable}: it is gone)"]
    assert plan.stays == NUMPY | H5PY
    assert nothing_stays(plan, condition).incomplete == ("h5py", "numpy")
    assert nothing_stays(plan, condition).stays == frozenset()


class TestCarry:
    def test_files_are_shared_and_what_is_there_stays(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        for place, content in ((old / "a/b.py", "old"), (old / "c.py", "old"), (new / "c.py", "new")):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)

        carry(old, new, ["a/b.py", "c.py"])

        assert ((new / "a/b.py").read_text(), (new / "c.py").read_text()) == ("old", "new")
        (old / "a/b.py").unlink()
        assert (new / "a/b.py").read_text() == "old"

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a privilege for links")
    def test_links_stay_links(self, tmp_path: Path) -> None:
        (tmp_path / "old").mkdir()
        (tmp_path / "old" / "link").symlink_to("nowhere")

        carry(tmp_path / "old", tmp_path / "new", ["link"])

        assert os.readlink(tmp_path / "new" / "link") == "nowhere"  # noqa: PTH115  # as it is written there

    def test_the_folder_of_keras_without_the_downloads(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        for path in ("keras/keras.json", "keras/mine/weights.h5", "keras/models/theirs.h5"):
            (old / path).parent.mkdir(parents=True, exist_ok=True)
            (old / path).write_text("old")
        (new / "keras").mkdir(parents=True)
        (new / "keras" / "keras.json").write_text("new")

        carry_home(old, new)

        found = sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())
        assert found == ["keras/keras.json", "keras/mine/weights.h5"]
        assert (new / "keras" / "keras.json").read_text() == "new"
