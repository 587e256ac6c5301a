"""What an installer may write into a script, and what it may not."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from kerasenv.env.intact import find_unlike, unlike_error
from kerasenv.env.inventory import take_inventory

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "#!python\nprint('hit')\n"


def environment(folder: Path, *, script: str, algorithm: str = "sha256") -> Path:
    """Make what a pip leaves behind that tells the digest of what is in the wheel."""
    site = folder / "lib" / "python2.7" / "site-packages"
    info = site / "hammer-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "hit").write_text(script, encoding="utf-8", newline="\n")
    digest = urlsafe_b64encode(sha256(SCRIPT.encode()).digest()).rstrip(b"=").decode()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hammer\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text(f"../../../bin/hit,{algorithm}={digest},22\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("algorithm", ["sha256", "SHA256"])
def test_the_interpreter_in_the_first_line(tmp_path: Path, algorithm: str) -> None:
    """Wheels that are built under CPython 2.7 write SHA256."""
    folder = environment(tmp_path, script=SCRIPT.replace("python", "/an env/bin/python", 1), algorithm=algorithm)

    assert find_unlike(take_inventory(folder)) is None


def test_anything_else_is_told(tmp_path: Path) -> None:
    folder = environment(tmp_path, script="#!/an env/bin/python\nprint('stolen')\n")

    unlike = find_unlike(take_inventory(folder))

    assert unlike is not None
    error = unlike_error(unlike)
    assert error.message.startswith("Not all that was installed is what its package says")
    assert any("bin/hit" in line for line in error.looked_at)
