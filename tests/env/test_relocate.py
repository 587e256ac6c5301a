from __future__ import annotations

import base64
import csv
import hashlib
import os
import shlex
import string
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasenv.env.relocate import WORK_PREFIX, relocate
from kerasenv.venv import BareEnvironment, create_bare_environment

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such names on Windows")

# Names as people choose them, and as they hope nobody does
NAMES = (
    st.lists(
        st.one_of(
            st.sampled_from([*" '\"$`\\!#%&*?;()[]{}<>|~^=+,@.-_é\N{CJK UNIFIED IDEOGRAPH-6F22}"]),
            st.sampled_from([WORK_PREFIX, "-env", "env", "abcdefgh"]),
            st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/"),
        ),
        min_size=1,
        max_size=12,
    )
    .map("".join)
    .filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)
)
SUFFIXES = st.text(alphabet=string.ascii_lowercase + string.digits + "_", min_size=8, max_size=8)

# How a path stands in scripts: bare, and quoted as each kind of script quotes
FORMS = (
    "#!{0}/bin/python\n",
    "#!/bin/sh\n'''exec' \"{0}/bin/python\" \"$0\" \"$@\"\n' '''\n",
    "VIRTUAL_ENV={1}\nPATH={1}/bin:$PATH\n",
    "virtualenv = {2}\n",
    "os.path.exists({2}) and {2} != {1}\n",
    "command = /usr/bin/python -m virtualenv {0}",
)


def written(path: str) -> str:
    """Return what programs write about the environment at a path."""
    return "".join(form.format(path, shlex.quote(path), repr(path)) for form in FORMS)


@posix
@given(parent=NAMES, name=NAMES, suffix=SUFFIXES)
def test_scripts_come_out_as_if_they_had_been_written_for_the_target(parent: str, name: str, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, f"{WORK_PREFIX}{parent}")
        work = folder / f"{WORK_PREFIX}{name}-{suffix}"
        bin_dir = work / "env" / "bin"
        bin_dir.mkdir(parents=True)
        for place in (bin_dir / "script", work / "env" / "pyvenv.cfg"):
            place.write_text(written(str(work / "env")), "utf-8")
        (bin_dir / "other").write_text(written(str(folder)), "utf-8")

        changed = relocate(bin_dir, [], work=work)

        for place in (bin_dir / "script", work / "env" / "pyvenv.cfg"):
            assert place.read_text("utf-8") == written(str(folder / name))
        assert (bin_dir / "other").read_text("utf-8") == written(str(folder))
        assert changed == [bin_dir / "script"]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / ".kerasenv-env-abcd_fgh"
    (work / "env" / "bin").mkdir(parents=True)
    (work / "env" / "pyvenv.cfg").touch()
    return work


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def test_the_records_of_what_changed_are_renewed(work: Path, tmp_path: Path) -> None:
    """`pip check`, `pip uninstall` and auditors compare them."""
    bin_dir, site_packages = work / "env" / "bin", work / "env" / "lib" / "site-packages"
    info = site_packages / "tiny-1.0.dist-info"
    info.mkdir(parents=True)
    (site_packages / "tiny").mkdir()
    script = f"#!{work / 'env' / 'bin' / 'python'}\n".encode()
    for place in (bin_dir / "tiny", bin_dir / "alien", site_packages / "tiny" / "tiny"):
        place.write_bytes(script)
    rows = [
        ["../../bin/tiny", digest(script), str(len(script))],
        ["tiny/tiny", digest(script), str(len(script))],  # of the same name, but no script
        ["../../bin/without", "", ""],
        ['a,name "quoted".py', "sha256=x", "1"],
        ["tiny-1.0.dist-info/RECORD", "", ""],
    ]
    with (info / "RECORD").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)

    relocate(bin_dir, [site_packages], work=work)

    with (info / "RECORD").open(encoding="utf-8", newline="") as stream:
        after = list(csv.reader(stream))
    moved = f"#!{tmp_path / 'env' / 'bin' / 'python'}\n".encode()
    assert (bin_dir / "tiny").read_bytes() == (bin_dir / "alien").read_bytes() == moved
    assert after == [["../../bin/tiny", digest(moved), str(len(moved))], *rows[1:]]


@posix
def test_permissions_stay_and_shared_files_are_not_touched(work: Path, tmp_path: Path) -> None:
    """An installer may link its cache's files into environments."""
    bin_dir = work / "env" / "bin"
    cached = tmp_path / "cached"
    cached.write_text(f"#!{work / 'env' / 'bin' / 'python'}\n")
    cached.chmod(0o755)
    os.link(cached, bin_dir / "script")
    (bin_dir / "link").symlink_to(cached)
    before = cached.read_bytes()

    relocate(bin_dir, [], work=work)

    assert cached.read_bytes() == before
    assert (bin_dir / "script").read_text() == f"#!{tmp_path / 'env' / 'bin' / 'python'}\n"
    assert (bin_dir / "script").stat().st_mode & 0o777 == 0o755
    assert (bin_dir / "link").is_symlink()


def test_what_only_looks_alike_stays(work: Path) -> None:
    script = work / "env" / "bin" / "script"
    text = "".join(
        f"{work.parent}/{path}\n"
        for path in (
            f"{work.name}/environment",
            f"{work.name}/env-2",
            f"{work.name}/env.d",
            f"{work.name}/old",
            ".kerasenv-env-abcdefgh/env",
            "env-abcd_fgh/env",
        )
    )
    script.write_text(text)

    assert relocate(work / "env" / "bin", [], work=work) == []
    assert script.read_text() == text


@posix
@pytest.mark.parametrize("name", [".venv", 'it\'s "mine" $HOME `id` 100% \\ é', ".kerasenv-a.kerasenv-b-env"])
def test_what_virtualenv_writes(tmp_path: Path, name: str) -> None:
    """The same as if it had made the environment at its place, to the byte."""
    work = tmp_path / f"{WORK_PREFIX}{name}-abcd_fgh"
    built = create_bare_environment(Path(sys.executable), work / "env", prompt=name)
    relocate(built.bin_dir, [built.site_packages], work=work)
    (work / "env").rename(tmp_path / name)
    moved = _texts(tmp_path / name)
    (tmp_path / name).rename(tmp_path / "aside")

    direct: BareEnvironment = create_bare_environment(Path(sys.executable), tmp_path / name, prompt=name)

    assert moved == _texts(direct.folder)
    assert str(tmp_path / name) in moved["activate.fish"] + moved["activate"] or "'" in name
    shown = subprocess.check_output([direct.python, "-c", "import sys; print(sys.prefix)"], encoding="utf-8")
    assert shown == f"{tmp_path / name}\n"


def _texts(environment: Path) -> dict[str, str]:
    scripts = [path for path in (environment / "bin").iterdir() if not path.is_symlink()]
    return {path.name: path.read_text("utf-8") for path in (*scripts, environment / "pyvenv.cfg")}
