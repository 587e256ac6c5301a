from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("what it asks is not known there", allow_module_level=True)

from benchmarks.machine import filesystem_in, machine_facts

MOUNTS = """\
/dev/a / ext4 rw 0 0
tmpfs /data tmpfs rw 0 0
/dev/b /data/big xfs rw 0 0
overlay / overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/home/somebody", "overlay"), ("/data/x", "tmpfs"), ("/data/big/x/y", "xfs"), ("/database", "overlay")],
)
def test_the_deepest_mount_holds_a_folder_and_of_two_at_one_place_the_later(folder: str, kind: str) -> None:
    assert filesystem_in(MOUNTS, Path(folder)) == kind


def test_facts_name_neither_the_machine_nor_a_folder(tmp_path: Path) -> None:
    said = json.dumps(machine_facts(tmp_path))

    assert str(tmp_path) not in said
    assert platform.node() not in said
