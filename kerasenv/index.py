"""Read a package index (PEP 503 and 691): which files it has, not what they need."""

from __future__ import annotations

import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from kerasenv.errors import InstallError, ResolveError
from kerasenv.login import login_for
from kerasenv.process import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version
    from requests import Response, Session

    from kerasenv.engine import Index

# JSON knows sizes and upload times; an old index answers in HTML whatever it is asked for
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_AT_ONCE = 8
CONNECT_SECONDS, READ_SECONDS = 15.0, 60.0
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

    def rows(self, name: NormalizedName) -> list[dict[str, Any]]:
        """Return all that a project's page says of its files, as the JSON of PEP 691 has it; addresses are whole."""
        with web_session() as session:
            return self._read(name, session)

    def upload_times(self, name: NormalizedName) -> dict[str, datetime]:
        """Return when each file of a project was uploaded, as far as the project's JSON tells; not all indexes have it.

        This is not the JSON of its page, but the one that stands beside the simple index: /pypi/NAME/json.
        """
        from requests import RequestException  # noqa: PLC0415  # heavy

        root = self._url().rstrip("/").removesuffix("/simple")
        try:
            with web_session() as session:
                url = f"{root}/pypi/{name}/json"
                login = login_for(url, self._index)
                answer = session.get(url, timeout=(CONNECT_SECONDS, READ_SECONDS), auth=login)
                answer.raise_for_status()
            files = [file for files in answer.json()["releases"].values() for file in files]
            told = {file["filename"]: time_of(file["upload_time_iso_8601"]) for file in files}
        except (RequestException, ValueError, LookupError, TypeError, AttributeError):
            return {}
        return {filename: time for filename, time in told.items() if time is not None}

    def files_of(self, names: Iterable[NormalizedName]) -> dict[NormalizedName, tuple[IndexFile, ...]]:
        """Return the files of several projects, asked for at the same time."""
        wanted = list(dict.fromkeys(names))
        pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="index")
        with web_session() as session:
            try:
                found = pool.map(lambda name: _files(name, self._read(name, session)), wanted)
                return dict(zip(wanted, found, strict=True))
            finally:
                pool.shutdown(cancel_futures=True)

    def fetch(self, name: NormalizedName, sha256: str, into: Path) -> Path:
        """Put the file of a project that has this digest there; raise InstallError if it is another one.

        An index that tells no digests is asked for the name of `into`.
        """
        from requests import RequestException  # noqa: PLC0415  # heavy

        files = self.files(name)
        found = next((file for file in files if (file.sha256 or sha256, file.name) == (sha256, into.name)), None)
        found = next((file for file in files if file.sha256 == sha256), found)
        if found is None:
            raise InstallError(
                f"The index has no file of {name} with the sha256 that the lock names.",
                looked_at=[f"sha256 {sha256}", self._index.source],
                hints=["Name the index that has it with --index-url, or resolve anew: kerasenv lock PROFILE --upgrade"],
            )
        login = login_for(found.url, self._index)
        try:
            with web_session() as session:
                answer = session.get(found.url, timeout=(CONNECT_SECONDS, READ_SECONDS), auth=login)
                answer.raise_for_status()
        except RequestException as error:
            raise InstallError(
                f"{found.name} could not be downloaded.", looked_at=[self._index.source, redact(str(error))]
            ) from error
        if hashlib.sha256(answer.content).hexdigest() != sha256:
            raise InstallError(
                f"{found.name} is not the file that the lock names: its sha256 differs.",
                looked_at=[self._index.source],
                hints=["Don't install it. If the index is a mirror, ask whoever keeps it."],
            )
        into.write_bytes(answer.content)
        return into

    def _read(self, name: NormalizedName, session: Session) -> list[dict[str, Any]]:
        from requests import RequestException  # noqa: PLC0415  # heavy

        url = f"{self._url().rstrip('/')}/{name}/"
        try:
            answer = session.get(
                url,
                auth=login_for(url, self._index),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                headers={"Accept": _ACCEPT},
            )
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
            return _rows(answer)
        except (ValueError, RecursionError) as error:
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


def web_session() -> Session:
    """Return what asks as pip would: proxies, certificates, netrc and retries as the user set them."""
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


def _rows(answer: Response) -> list[dict[str, Any]]:
    """Return a project's files as the JSON of PEP 691 has them, with whole addresses.

    What a page is shows in the page, since static servers call it by any media type.
    """
    if answer.content.lstrip()[:1] == b"{":
        data: Any = json.loads(answer.content)
        meta = data.get("meta") if isinstance(data, dict) else None
        _check_version(meta.get("api-version") if isinstance(meta, dict) else None)
        rows, base = data.get("files"), answer.url
        if not isinstance(rows, list) or not all(isinstance(row, dict) and _is_file(row) for row in rows):
            raise ValueError("the page has no list of files")
    else:
        page = _Links()
        page.feed(answer.content.decode("utf-8", "replace"))
        page.close()
        _check_version(page.version)
        rows, base = page.rows, urljoin(answer.url, page.base)
    return [{**row, "url": urljoin(base, row["url"])} for row in rows]


def _is_file(row: dict[str, Any]) -> bool:
    return all(isinstance(row.get(key), str) for key in ("filename", "url")) and isinstance(row.get("hashes"), dict)


def _check_version(version: object) -> None:
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise ValueError(f"its version is {version!r}, and only 1.x is known")


class _Links(HTMLParser):
    """Reads the links of a project's page (PEP 503); what stands beside them has the names of the JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.version: str | None = "1.0"
        self.base = ""
        self._row: dict[str, Any] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "meta" and said.get("name") == "pypi:repository-version":
            self.version = said.get("content")
        elif tag == "base":
            self.base = said.get("href") or ""
        elif tag == "a" and said.get("href"):
            self._row = _row_of(said)

    def handle_data(self, data: str) -> None:
        if self._row is not None:
            self._row["filename"] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._row is not None:
            self.rows.append({**self._row, "filename": self._row["filename"].strip()})
            self._row = None


def _row_of(said: dict[str, str | None]) -> dict[str, Any]:
    url, _, fragment = (said["href"] or "").partition("#")
    kind, _, value = fragment.partition("=")
    row: dict[str, Any] = {"filename": "", "url": url, "hashes": {kind: value} if value else {}}
    row |= {
        key: said[f"data-{key}"] for key in ("requires-python", "upload-time", "core-metadata") if f"data-{key}" in said
    }
    if "core-metadata" in row:
        kind, _, value = (row["core-metadata"] or "").partition("=")
        row["core-metadata"] = {kind: value} if value else True
    if "data-yanked" in said:
        row["yanked"] = said["data-yanked"] or True
    return row


def _files(name: NormalizedName, rows: Iterable[dict[str, Any]]) -> tuple[IndexFile, ...]:
    return tuple(file for row in rows if (file := _file(name, row)))


def _file(name: NormalizedName, row: dict[str, Any]) -> IndexFile | None:
    """Return a file that an installer of today can use, None for eggs, installers and names that say nothing."""
    version = version_in(row["filename"], name)
    if version is None:
        return None
    return IndexFile(
        name=row["filename"],
        version=version,
        url=redact(row["url"]),
        sha256=str(row["hashes"].get("sha256", "")).lower() or None,
        size=size if isinstance(size := row.get("size"), int) else None,
        upload_time=time_of(row.get("upload-time")),
        requires_python=_specifiers(row.get("requires-python")),
        yanked=bool(row.get("yanked")),
    )


def version_in(filename: str, name: NormalizedName) -> Version | None:
    """Return the version that a file of a project is of, None if its name doesn't say so."""
    try:
        if filename.endswith(".whl"):
            project, version, *_ = parse_wheel_filename(filename)
        else:
            project, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return version if project == name else None


def time_of(text: object) -> datetime | None:
    """Read a time as indexes write it, None if it is none."""
    try:
        # Python 3.10 knows no Z, and no fractions of other than three or six digits
        time = datetime.fromisoformat(re.sub(r"\.\d+", "", str(text)).replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _specifiers(text: object) -> SpecifierSet | None:
    try:
        return SpecifierSet(str(text)) if text else None
    except InvalidSpecifier:  # '>=3.6.*' was once allowed; pip takes such a file for any Python
        return None
