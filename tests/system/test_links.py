from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kerasenv.errors import InstallError
from kerasenv.system.findings import Link
from kerasenv.system.links import make_links

if TYPE_CHECKING:
    from pathlib import Path


def test_a_link_leads_to_the_library_even_where_another_one_was(tmp_path: Path) -> None:
    old, new = tmp_path / "libmpi.so.20", tmp_path / "libmpi.so.40"
    for target in (old, new):
        target.write_text(target.name)
        make_links(tmp_path / "site", [Link(path="cntk/libs/libmpi.so.12", target=target)])

    assert (tmp_path / "site" / "cntk" / "libs" / "libmpi.so.12").read_text() == "libmpi.so.40"


def test_where_no_link_can_be_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file, not a folder")

    with pytest.raises(InstallError, match=r"libmpi\.so\.12 can't be made a link to .*libmpi\.so\.40"):
        make_links(tmp_path / "site", [Link(path="libs/libmpi.so.12", target=tmp_path / "libmpi.so.40")])
