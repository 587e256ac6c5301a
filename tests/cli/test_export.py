"""kerasenv export: what other tools make of it is what kerasenv makes, and the real tools are asked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from kerasenv.engine import Index
from kerasenv.requirements_file import parse_hashed
from kerasenv.venv import create_bare_environment, python_in
from kerasenv.workflow.create import create
from kerasenv.workflow.plan import Making
from tests.project import Project, packages_in, packages_of
from tests.standard_index import write_profile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FindPython
    from tests.local_index import LocalIndex


def done(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, check=False, encoding="utf-8")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def canonical(packages: dict[str, str]) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in packages.items()}


def python_of(made: Project) -> Path:
    return (python_in(made.environment)).resolve()


@pytest.fixture
def bare(made: Project, tmp_path: Path) -> Path:
    """Return an environment without any package."""
    return create_bare_environment(python_of(made), tmp_path / "bare").folder


class TestRead:
    def test_requirements_by_the_newest_pip(self, made: Project, bare: Path, tmp_path: Path) -> None:
        made.done("export", "requirements", "-o", tmp_path / "requirements.txt")

        pip = (sys.executable, "-m", "pip", "--python", bare, "install")
        done(*pip, "--no-deps", "--require-hashes", "-r", tmp_path / "requirements.txt")

        assert packages_of(bare) == packages_of(made.environment)

    @pytest.mark.parametrize("version", ["3.6", "3.7", "3.9"])
    def test_requirements_by_the_pip_that_an_old_python_brings(
        self, version: str, python: FindPython, tmp_path: Path, index: LocalIndex
    ) -> None:
        """pip 18.1 comes with 3.6.15, 22.0 with 3.7.16; a version that is for another Python is passed over."""
        interpreter = python(version)
        project = tmp_path / "project"
        write_profile(
            project / "profiles",
            requires_python=">=3.6,<3.10",
            requirements=["keras==2.3.1", "h5py<3"],
            backend="theano",
        )
        index_here = Index(url=index.url, source="the test")
        making = Making(folder=project / ".venv", cwd=project, python=str(interpreter), index=index_here, smoke=False)
        create("tiny", making)
        environment = tmp_path / "env"
        done(interpreter, "-m", "venv", environment)
        Project(project).done("export", "requirements", "-o", tmp_path / "requirements.txt")

        done(python_in(environment), "-m", "pip", "install", "--no-deps", "-r", tmp_path / "requirements.txt")

        installed = packages_of(environment)
        for name, installed_version in packages_of(making.folder).items():
            assert installed[name] == installed_version

    def test_pylock_by_uv(self, made: Project, bare: Path, tmp_path: Path) -> None:
        made.done("export", "pylock", "-o", tmp_path / "pylock.toml")

        done(find_uv_bin(), "pip", "sync", "--preview", "--python", python_in(bare), tmp_path / "pylock.toml")

        assert packages_of(bare) == packages_of(made.environment)
        assert packages_in(tmp_path / "pylock.toml") == packages_in(made.lock)

    def test_pylock_by_pip(self, made: Project, bare: Path, tmp_path: Path) -> None:
        made.done("export", "pylock", "-o", tmp_path / "pylock.toml")

        done(sys.executable, "-m", "pip", "--python", bare, "install", "-r", tmp_path / "pylock.toml")

        assert packages_of(bare) == packages_of(made.environment)

    def test_what_somebody_wrote_by_hand_beside_it_stays(self, made: Project, tmp_path: Path) -> None:
        (tmp_path / "all.in").write_text("keras\n", "utf-8")

        error = made.refused("export", "pip-tools", "-o", tmp_path / "all.txt", code=2)

        assert "all.in is there already, and was not made by kerasenv." in error
        assert (tmp_path / "all.in").read_text("utf-8") == "keras\n"
        assert not (tmp_path / "all.txt").exists()

    def test_what_it_wrote_itself_is_written_anew(self, made: Project, tmp_path: Path) -> None:
        for _ in range(2):
            made.done("export", "pip-tools", "-o", tmp_path / "all.txt")

    def test_pip_tools_by_pip_sync(self, made: Project, bare: Path, tmp_path: Path) -> None:
        made.done("export", "pip-tools", "-o", tmp_path / "all.txt")
        # pip-sync wants a real pip in the environment, and leaves it alone; the one in the lock is tiny
        text = (tmp_path / "all.txt").read_text("utf-8")
        head, _, tail = text.partition("\npip==")
        without_pip = head + "\n" + tail[tail.index("\ntensorflow==") :]
        (tmp_path / "all.txt").write_text(without_pip, "utf-8")
        shutil.rmtree(bare)
        done(sys.executable, "-m", "virtualenv", "--no-download", "--python", python_of(made), bare)
        before = packages_of(bare)

        done(sys.executable, "-m", "piptools", "sync", "--python-executable", python_in(bare), tmp_path / "all.txt")

        wanted = packages_of(made.environment)
        installed = packages_of(bare)
        assert {name: installed[name] for name in wanted if name != "pip"} == {
            name: version for name, version in wanted.items() if name != "pip"
        }
        assert installed["pip"] == before["pip"]

    def test_pip_tools_by_pip_compile(self, made: Project, tmp_path: Path) -> None:
        """What was asked for gives the same versions again, here."""
        made.done("export", "pip-tools", "-o", tmp_path / "all.txt")

        options = (
            "--no-config",
            "--allow-unsafe",
            "--strip-extras",
            "--no-header",
            "--no-annotate",
            "--no-emit-options",
        )
        done(sys.executable, "-m", "piptools", "compile", *options, "all.in", "-o", "new.txt", cwd=tmp_path)

        pins = parse_hashed((tmp_path / "new.txt").read_text("utf-8"))
        assert {pin.name: str(pin.version) for pin in pins} == canonical(packages_of(made.environment))


class TestWords:
    def test_standard_output(self, made: Project) -> None:
        """As it is, and nothing else."""
        said = made.done("export", "requirements", made.lock).stdout
        written = made.folder / "said.txt"
        try:
            made.done("export", "requirements", "-o", written)
            assert said.replace(" -r requirements.txt", " -r said.txt") == written.read_text("utf-8")
        finally:
            written.unlink()

    def test_json(self, made: Project, tmp_path: Path) -> None:
        data = made.json("export", "pip-tools", "-o", tmp_path / "all.txt")["data"]

        assert data["lock"] == str(made.lock)
        assert data["files"] == [str(tmp_path / "all.txt"), str(tmp_path / "all.in")]
        assert data["text"] == (tmp_path / "all.txt").read_text("utf-8")

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["conad"], 2, "did you mean 'conda'?"),
            (["pip-tools"], 2, "hint: Name the first of them: -o requirements.txt"),
            (["pylock", "-o", "pylock.tiny.toml"], 2, "pylock.tiny.toml is the lock itself."),
            (["pylock", "--no-hashes"], 1, "A pylock.toml without hashes is none"),
            (["pylock", "-o", "lock.toml"], 1, "lock.toml is no valid name for a lock."),
            (["requirements", "-o", "no/such/folder.txt"], 1, "There is no folder "),
            (["requirements", "pylock.none.toml"], 1, "can't be read"),
        ],
    )
    def test_what_can_not_be_done(self, made: Project, words: list[str], code: int, said: str) -> None:
        before = made.lock.read_bytes()

        assert said in made.refused("export", *words, code=code)
        assert made.lock.read_bytes() == before
