from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.pylock import Package, PackageSdist, PackageWheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import BuildConstraint
from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.store import sources
from kerasenv.store.sources import compiled_source, python_key, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST = "0123456789abcdef" * 4
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64")


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine be the same one everywhere."""
    monkeypatch.setattr(sources, "platform_tags", lambda: iter(PLATFORMS))
    sources._places.cache_clear()  # noqa: SLF001
    yield
    sources._places.cache_clear()  # noqa: SLF001


def _python(version: str = "3.11.7", path: str = "/usr/bin/python3") -> Interpreter:
    return Interpreter(
        path=Path(path),
        version=Version(version),
        implementation="CPython",
        bits=64,
        markers={"sys_platform": "linux", "platform_machine": "x86_64"},
        source="test",
    )


def _wheels(*names: str, digest: str | None = DIGEST) -> list[PackageWheel]:
    hashes = {"sha256": digest} if digest else {"sha512": "0"}
    return [PackageWheel(name=name, url=f"https://example.org/{name}", hashes=hashes) for name in names]


def _package(*wheels: str, sdist: str | None = None, digest: str | None = DIGEST, version: str = "1.0") -> Package:
    hashes = {"sha256": digest} if digest else {"sha512": "0"}
    return Package(
        name=canonicalize_name("thing"),
        version=Version(version),
        wheels=_wheels(*wheels, digest=digest) or None,
        sdist=PackageSdist(name=sdist, url=f"https://example.org/{sdist}", hashes=hashes) if sdist else None,
    )


@pytest.mark.parametrize(
    ("wheels", "expected"),
    [
        (["thing-1.0-py3-none-any.whl"], "thing-1.0-py3-none-any.whl"),
        (["thing-1.0-py2.py3-none-any.whl"], "thing-1.0-py2.py3-none-any.whl"),
        (
            ["thing-1.0-py3-none-any.whl", "thing-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"],
            "thing-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        ),
        (
            ["thing-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"],
            "thing-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        ),
        (
            ["thing-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "thing-1.0-cp37-abi3-manylinux_2_17_x86_64.whl"],
            "thing-1.0-cp37-abi3-manylinux_2_17_x86_64.whl",
        ),
        # Two that suit alike
        (["thing-1.0-py3-none-any.whl", "thing-1.0-1-py3-none-any.whl"], None),
        (["thing-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "thing-1.0-cp311-cp311-win_amd64.whl"], None),
        (["thing-1.0.whl"], None),
        ([], None),
    ],
)
def test_the_wheel_that_suits_best(wheels: list[str], expected: str | None) -> None:
    found = source_of(_package(*wheels), _python())

    assert (found and found.file) == expected
    if found:
        assert str(found.key) == f"3.11-linux-x86_64/thing-1.0-{DIGEST[:16]}"
        assert found.tags


def test_all_tags_of_the_file_are_told() -> None:
    found = source_of(_package("thing-1.0-py2.py3-none-any.whl"), _python())

    assert found is not None
    assert found.tags == frozenset({"py2-none-any", "py3-none-any"})


@pytest.mark.parametrize("version", ["3.6.15", "3.7.16"])
def test_old_pythons_have_an_m(version: str) -> None:
    name = "cp" + version.replace(".", "")[:2]
    names = [f"thing-1.0-{name}-{name}{end}-manylinux2014_x86_64.whl" for end in ("", "m")]

    found = source_of(_package(*names), _python(version))

    assert found is not None
    assert found.file == names[1]


def test_without_a_sha256_nothing_is_kept() -> None:
    assert source_of(_package("thing-1.0-py3-none-any.whl", digest=None), _python()) is None
    assert source_of(_package(sdist="thing-1.0.tar.gz", digest=None), _python()) is None


def test_what_is_built_depends_on_all_that_builds() -> None:
    package = _package(sdist="thing-1.0.tar.gz")
    tool, other = (BuildConstraint(requirement=Requirement(text)) for text in ("setuptools<60", "setuptools<70"))
    cases = [
        source_of(package, _python()),
        source_of(package, _python("3.11.8")),
        source_of(package, _python(path="/opt/python")),
        source_of(package, _python(), [tool]),
        source_of(package, _python(), [other]),
        source_of(package, _python(), [tool, other]),
        source_of(_package(sdist="thing-1.0.tar.gz", digest="f" * 64), _python()),
    ]

    assert len({str(case and case.key) for case in cases}) == len(cases)
    assert source_of(package, _python(), [tool, other]) == source_of(package, _python(), [other, tool])
    assert all(case is not None and case.tags is None for case in cases)


def test_wheels_are_for_all_releases_of_a_minor_version() -> None:
    package = _package("thing-1.0-py3-none-any.whl")

    assert source_of(package, _python("3.11.7")) == source_of(package, _python("3.11.9", path="/opt/python"))
    assert python_key(_python("3.11.7")) != python_key(_python("3.12.0"))
    assert python_key(_python("3.15.0a1")) != python_key(_python("3.15.0a2")) != python_key(_python("3.15.0"))
    other = replace(_python(), markers={"sys_platform": "linux", "platform_machine": "aarch64"})
    assert python_key(other) != python_key(_python())


VERSIONS = st.from_regex(
    r"([0-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc1|\.post2|\.dev3)?(\+[a-z0-9]{1,4})?", fullmatch=True
)


@given(version=VERSIONS, other=VERSIONS)
def test_the_name_is_a_file_name_everywhere(version: str, other: str) -> None:
    names = []
    for one in (version, other):
        package = replace(_package("thing-1.0-py3-none-any.whl"), version=Version(one))
        found = source_of(package, _python())
        assert found is not None
        assert re.fullmatch(r"thing-[A-Za-z0-9.+_]+-[0-9a-f]{16}", found.key.package)
        names.append(found.key.package)
    assert (names[0] == names[1]) == (str(Version(version)) == str(Version(other)))


def test_a_python_without_a_global_lock_shares_nothing_with_others() -> None:
    keys = {python_key(replace(_python("3.13.0"), abi_flags=flags)) for flags in ("", "t", "d", "td")}

    assert len(keys) == 4
    assert python_key(replace(_python("3.7.16"), abi_flags="m")) == "3.7-linux-x86_64"


@pytest.mark.parametrize(
    ("flags", "folder"),
    [
        ('base_compiledir="{env}/theano"', "theano"),
        ("floatX=float32,base_compiledir={env}/made", "made"),
        ("base_compiledir=/somewhere/else", None),
        ("floatX=float32", None),
        ("", None),
    ],
)
def test_what_a_backend_compiles(flags: str, folder: str | None) -> None:
    templates = {"THEANO_FLAGS": flags} if flags else {}

    found = compiled_source(templates, "sha256:0", _python())
    other = compiled_source(templates, "sha256:1", _python())

    assert (found and found.file) == folder
    if found is not None and other is not None:
        assert found.key.package.startswith(f"{folder}-compiled-")
        assert found.key != other.key
