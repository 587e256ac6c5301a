"""Read a package index (PEP 503 and 691): which files it has, not what they need."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from kerasenv.errors import ResolveError
from kerasenv.process import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from packaging.utils import NormalizedName
    from packaging.version import Version
    from pypi_simple import DistributionPackage
    from requests import Response, Session

    from kerasenv.engine import Index

# JSON knows sizes and upload times; an old index answers in HTML whatever it is asked for
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_AT_ONCE = 8
_CONNECT_SECONDS, _READ_SECONDS = 15.0, 60.0
_RETRIES = 3
_OVERLOADED = (429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFile:
    """A wheel or source distribution of an index; the URL has no credentials, and old indexes give no hash."""

    name: str
    version: Version
    url: str
    sha256: str | None = None
    size: int | None = None
    upload_time: datetime | None = None
    requires_python: SpecifierSet | None = None
    yanked: bool = False


def default_address() -> str:
    """Return the address of the index that pip itself would ask."""
    from pip._internal.models.index import PyPI  # noqa: PLC0415  # only a lock that is made anew needs it

    return PyPI.simple_url


def public_address(index: Index) -> str:
    """Return an index's address as a lock may name it: without credentials.

    Without a slash at the end as well: uv takes its default index for another one, and forgets what it has in its
    cache, if there is one.
    """
    return redact(index.url or default_address()).rstrip("/")


class SimpleIndex:
    """One index; credentials come from its URL or from a netrc file, as they do for pip."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def files(self, name: str) -> tuple[IndexFile, ...]:
        """Return every wheel and source distribution of a project; raise ResolveError if it can't be told."""
        key = canonicalize_name(name)
        return self.files_of([key])[key]

    def files_of(self, names: Iterable[NormalizedName]) -> dict[NormalizedName, tuple[IndexFile, ...]]:
        """Return the files of several projects, asked for at the same time."""
        wanted = list(dict.fromkeys(names))
        pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="index")
        with _session() as session:
            try:
                found = pool.map(lambda name: self._read(name, session), wanted)
                return dict(zip(wanted, found, strict=True))
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, name: NormalizedName, session: Session) -> tuple[IndexFile, ...]:
        from pypi_simple import UnsupportedRepoVersionError  # noqa: PLC0415  # heavy
        from requests import RequestException  # noqa: PLC0415  # heavy

        url = f"{self._url().rstrip('/')}/{name}/"
        try:
            answer = session.get(url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), headers={"Accept": _ACCEPT})
        except RequestException as error:
            raise self._error(
                "The index can't be reached.",
                url,
                redact(str(error)),
                hint="Check the network and the proxy, or name an index that can be reached with --index-url",
            ) from error
        if not answer.ok:
            raise self._refusal(name, url, answer)
        try:
            return tuple(file for package in _packages(name, answer) if (file := _file(name, package)))
        except (ValueError, UnsupportedRepoVersionError) as error:
            raise self._error(
                "This is no package index, or one of a kind that isn't known yet.",
                url,
                redact(str(error)),
                hint="An index's address usually ends in /simple",
            ) from error

    def _url(self) -> str:
        return self._index.url or default_address()

    def _refusal(self, name: NormalizedName, url: str, answer: Response) -> ResolveError:
        status = f"{answer.status_code} {answer.reason}"
        if answer.status_code == 404:  # noqa: PLR2004
            return self._error(
                f"The index has no project {name}.", url, status, hint="Check how it is spelled, and --index-url"
            )
        if answer.status_code in {401, 403}:
            return self._error(
                "The index wants to know who asks.",
                url,
                status,
                hint="Put user and password into a netrc file or into the address given with --index-url",
            )
        return self._error("The index does not answer as it should.", url, status, hint="Try again later")

    def _error(self, message: str, url: str, seen: str, *, hint: str) -> ResolveError:
        return ResolveError(message, looked_at=[f"{redact(url)} ({self._index.source})", seen], hints=[hint])


def _session() -> Session:
    from requests import Session  # noqa: PLC0415  # heavy
    from requests.adapters import HTTPAdapter  # noqa: PLC0415
    from urllib3 import Retry  # noqa: PLC0415

    session = Session()
    # requests reads REQUESTS_CA_BUNDLE, proxies and netrc itself; these are what pip and Python know beyond
    session.verify = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or True
    retries = Retry(
        int(os.environ.get("PIP_RETRIES") or _RETRIES),
        backoff_factor=0.25,
        status_forcelist=_OVERLOADED,
        raise_on_status=False,
    )
    adapter = HTTPAdapter(max_retries=retries, pool_maxsize=_AT_ONCE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _packages(name: NormalizedName, answer: Response) -> list[DistributionPackage]:
    """Read a project's page; what it is shows in the page, since static servers call it by any media type."""
    from pypi_simple import ProjectPage  # noqa: PLC0415  # heavy

    content = answer.content
    if content.lstrip()[:1] == b"{":
        data: Any = json.loads(content)
        return ProjectPage.from_json_data(data, base_url=answer.url).packages
    return ProjectPage.from_html(name, content, base_url=answer.url, from_encoding="utf-8").packages


def _file(name: NormalizedName, package: DistributionPackage) -> IndexFile | None:
    """Return a file that an installer of today can use, None for eggs, installers and names that say nothing."""
    try:
        if package.filename.endswith(".whl"):
            project, version, *_ = parse_wheel_filename(package.filename)
        else:
            project, version = parse_sdist_filename(package.filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    if project != name:
        return None
    return IndexFile(
        name=package.filename,
        version=version,
        url=redact(package.url),
        sha256=package.digests.get("sha256", "").lower() or None,
        size=package.size,
        upload_time=package.upload_time,
        requires_python=_specifiers(package.requires_python),
        yanked=package.is_yanked,
    )


def _specifiers(text: str | None) -> SpecifierSet | None:
    try:
        return SpecifierSet(text) if text else None
    except InvalidSpecifier:  # '>=3.6.*' was once allowed; pip takes such a file for any Python
        return None
