"""What the tests of both engines build, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.pylock import Package, PackageSdist, Pylock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasenv.engine import BuildConstraint
from tests.local_index import sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.local_index import LocalIndex

SIGNING_BUILD = {
    "tiny_build.py": sources("tiny_build")["tiny_build.py"].replace(
        "    return name\n", '        archive.writestr("signed.txt", "by another version")\n    return name\n', 1
    )
}
"""Another version of tiny-build, which leaves a trace in what it builds."""


def build_constraints(texts: Iterable[str]) -> tuple[BuildConstraint, ...]:
    """Return constraints as they are typed here: 'wheel<1', or 'wheel==1.0 SHA256'."""
    words = [text.split() for text in texts]
    return tuple(BuildConstraint(requirement=Requirement(first), sha256=tuple(rest)) for first, *rest in words)


def antique_lock(index: LocalIndex) -> Pylock:
    """Return a lock of the standard index's `antique`, which has to be built."""
    name = "antique-1.0.tar.gz"
    sdist = PackageSdist(name=name, url=index.file_url(name), hashes={"sha256": index.sha256(name)})
    package = Package(name=canonicalize_name("antique"), version=Version("1.0"), sdist=sdist)
    return Pylock(lock_version=Version("1.0"), created_by="test", packages=[package])
