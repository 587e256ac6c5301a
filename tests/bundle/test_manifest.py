from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

from kerasenv.bundle.manifest import (
    Built,
    Content,
    Manifest,
    NewerFormat,
    Python,
    Target,
    dump_manifest,
    read_manifest,
)
from tests.bundle.bundles import BUILT, LOCK, contents, manifest_of

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Target(python="3.11", platform="linux-x86_64")
DIGEST = "0" * 64


def test_what_is_written_is_read() -> None:
    manifest = Manifest(
        lock=LOCK,
        targets=(HERE,),
        built=(Built(target=HERE, source=DIGEST, file=BUILT),),
        python=Python(
            version=Version("3.11.7"),
            platform="linux-x86_64",
            executable="bin/python3.11",
            links={"bin/python": "bin/python3.11"},
        ),
        files={name: Content(sha256=DIGEST, size=1) for name in (LOCK, BUILT, "python/bin/python3.11")},
    )

    assert read_manifest(dump_manifest(manifest)) == manifest


def test_the_order_of_files_is_no_matter() -> None:
    files = {name: Content(sha256=DIGEST, size=1) for name in (LOCK, "wheels/a-1-py3-none-any.whl")}

    one = dump_manifest(Manifest(lock=LOCK, targets=(HERE,), files=files))
    other = dump_manifest(Manifest(lock=LOCK, targets=(HERE,), files=dict(reversed(files.items()))))

    assert one == other


def _set(*keys: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = to

    return change


PYTHON = {"version": "3.11.7", "platform": "linux-x86_64", "executable": "bin/python"}
WHEEL = {"sha256": DIGEST, "size": 1}
OFF: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "older format": (_set("format", to=0), "format"),
    "no lock": (_set("lock", to="pylock.other.toml"), "lock: is none of the files"),
    "unknown key": (_set("hook", to="rm -rf"), "hook: unknown"),
    "no digest": (_set("files", LOCK, "sha256", to="abc"), "is no sha256"),
    "no size": (_set("files", LOCK, "size", to="1"), "must be a number"),
    "no such Python": (_set("targets", to=[{"python": "4.0", "platform": "linux-x86_64"}]), "'4.0' is unknown"),
    "built for nobody": (_set("targets", to=[]), "is for none of the targets"),
    "built twice": (lambda table: table["built"].append(table["built"][0]), "built: has one twice"),
    "a stray file": (_set("files", "setup.py", to=WHEEL), "has no business in a bundle"),
    "a wheel deep below": (_set("files", "wheels/x/a-1-py3-none-any.whl", to=WHEEL), "has no business in a bundle"),
    "an interpreter nobody speaks of": (_set("files", "python/bin/python", to=WHEEL), "has no business in a bundle"),
    "an interpreter that is not there": (_set("python", to=PYTHON), "'bin/python' is none of the files"),
    "a link out": (
        _set("python", to={**PYTHON, "links": {"lib": "../../../etc"}}),
        "the link 'lib' leads to '../../../etc', which is none of the files",
    ),
}


@pytest.mark.parametrize("name", OFF)
def test_what_is_off_is_told(name: str) -> None:
    change, expected = OFF[name]
    table = manifest_of(contents())
    change(table)

    with pytest.raises(ValueError, match=r".") as caught:
        read_manifest(json.dumps(table).encode())

    assert expected in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"format": NaN}', b"1" * 5000])
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_manifest(content)


def test_one_from_the_future() -> None:
    with pytest.raises(NewerFormat, match="its format is 2"):
        read_manifest(json.dumps({"format": 2, "anything": "else"}).encode())
