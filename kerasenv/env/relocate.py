"""Let the scripts of an environment speak of the place where it will stand, not of the one where it was built."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


WORK_PREFIX = ".kerasenv-"


def relocate(bin_dir: Path, site_packages: Iterable[Path], *, work: Path) -> list[Path]:
    """Rewrite the path `work`/env to the target's in every script, and the digests of those scripts in RECORD files.

    uv writes entry points that find their interpreter beside them; pip and the activation scripts name it. The work
    folder's name holds the target's, so a script quotes both in the same way, whatever characters there are: only
    what is around the name is taken out.
    """
    head = re.escape(WORK_PREFIX.encode())
    tail = re.escape(work.name.rpartition("-")[2].encode())
    # A name holds no separator, so what begins alike in the folders above is none of ours
    name = rb"([^/\\]+?)" if os.sep == "\\" else rb"([^/]+?)"
    around = re.compile(head + name + rb"-" + tail + rb"[\\/]{1,2}env(?![\w.-])")
    _rewrite(work / "env" / "pyvenv.cfg", around)  # virtualenv notes down the command that made it
    changed = [script for script in sorted(bin_dir.iterdir()) if script.is_file() and _rewrite(script, around)]
    names = {script.name for script in changed}
    if names:
        for folder in site_packages:
            for record in folder.glob("*.dist-info/RECORD"):
                _renew(record, bin_dir, names)
    return changed


def _rewrite(script: Path, around: re.Pattern[bytes]) -> bool:
    if script.is_symlink():
        return False
    content = script.read_bytes()
    rewritten = around.sub(rb"\1", content)
    if rewritten == content:
        return False
    # A new file, since this one may be shared with an installer's cache
    mode = script.stat().st_mode
    script.unlink()
    script.write_bytes(rewritten)
    script.chmod(mode)
    return True


def _renew(record: Path, bin_dir: Path, names: set[str]) -> None:
    rows = list(csv.reader(io.StringIO(record.read_text("utf-8"), newline="")))
    touched = False
    for row in rows:
        name = row[0].replace("\\", "/").rpartition("/")[2] if row else ""
        if name in names and len(row) == 3 and row[1] and _lies_in(record, row[0], bin_dir):  # noqa: PLR2004
            content = (bin_dir / name).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            row[1:] = [f"sha256={digest}", str(len(content))]
            touched = True
    if touched:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        record.unlink()
        record.write_text(text.getvalue(), encoding="utf-8", newline="")


def _lies_in(record: Path, entry: str, folder: Path) -> bool:
    return (record.parent.parent / entry).resolve().parent == folder.resolve()
