"""An index as it stood on a day: the pages of another one, without the files that came later.

It is served to the engines on the loopback interface: pip knows of no days, and no engine does if the index gives no
upload times. Only the pages come from here; the files themselves lie where they always did.
"""

from __future__ import annotations

import html
import json
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from kerasenv.engine import Index
from kerasenv.errors import ResolveError
from kerasenv.index import SimpleIndex, time_of, version_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.utils import NormalizedName
    from packaging.version import Version

_HOST = "127.0.0.1"
_JSON = "application/vnd.pypi.simple.v1+json"
_SECRET_BYTES = 16
_STOP_SECONDS = 0.05


@dataclass(kw_only=True, slots=True)
class View:
    """Where it can be asked, and what was left out so far."""

    index: Index
    later: dict[NormalizedName, int] = field(default_factory=dict)
    """How many files of a project came after the day."""
    unknown: dict[NormalizedName, int] = field(default_factory=dict)
    """How many files of a project came nobody knows when."""
    exempt: set[str] = field(default_factory=set)
    """Which versions came after the day, and are there all the same: 'tensorflow 1.15.5'."""


@contextmanager
def index_as_of(
    index: Index, day: date, *, whenever: Mapping[NormalizedName, frozenset[Version]] | None = None
) -> Iterator[View]:
    """Serve an index as it stood when a day (UTC) was over; files with an unknown upload time are left out.

    The versions of `whenever` are there, whenever they came.
    Who asks must know a secret, since the pages lead to the files with the credentials of the index.
    """
    # Another address each time: nothing of it must come from a cache
    path = f"/{secrets.token_urlsafe(_SECRET_BYTES)}/simple/"
    server = _Server((_HOST, 0), _Handler)
    told = f"{index.source} as of {day}"
    view = View(index=Index(url=f"http://{_HOST}:{server.server_port}{path}", source=told, local=True))
    end = datetime(day.year, day.month, day.day, tzinfo=timezone.utc) + timedelta(days=1)
    server.pages = _Pages(source=index, path=path, end=end, view=view, whenever=whenever or {})
    thread = threading.Thread(target=server.serve_forever, args=(_STOP_SECONDS,), name="index view", daemon=True)
    thread.start()
    try:
        yield view
    except ResolveError as error:
        # An engine hears only that a page could not be had
        raise next(iter(server.pages.failures.values()), error) from error
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(kw_only=True, slots=True)
class _Pages:
    """Makes the pages."""

    source: Index
    path: str
    end: datetime
    view: View
    whenever: Mapping[NormalizedName, frozenset[Version]]
    failures: dict[NormalizedName, ResolveError] = field(default_factory=dict)
    """The pages that could not be had, and not at a second attempt either."""

    def rows(self, name: NormalizedName) -> list[dict[str, Any]] | None:
        """Return what was there of a project, None if the index has no such project."""
        index = SimpleIndex(self.source)
        try:
            rows = index.rows(name)
        except ResolveError as error:
            if "has no project" not in error.message:
                self.failures[name] = error
            return None
        self.failures.pop(name, None)
        times = {row["filename"]: time_of(row.get("upload-time")) for row in rows}
        if not all(times.values()):
            more = index.upload_times(name)
            times = {filename: time or more.get(filename) for filename, time in times.items()}
        kept = []
        self.view.later[name] = self.view.unknown[name] = 0
        for row in rows:
            time = times[row["filename"]]
            if time is None or time >= self.end:
                version = version_in(row["filename"], name)
                if version not in self.whenever.get(name, ()):
                    missed = self.view.unknown if time is None else self.view.later
                    missed[name] += 1
                    continue
                self.view.exempt.add(f"{name} {version}")
            moment = {"upload-time": time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")} if time else {}
            kept.append({**row, "url": self._with_credentials(row["url"]), **moment})
        return kept

    def _with_credentials(self, url: str) -> str:
        own, file = urlsplit(self.source.url or ""), urlsplit(url)
        if own.username is None or file.username is not None or own.netloc.rpartition("@")[2] != file.netloc:
            return url
        return file._replace(netloc=own.netloc).geturl()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # uv asks for many things at once
    pages: _Pages

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: an engine that went away has been told of elsewhere."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        pages = self.server.pages
        name = self.path.removeprefix(pages.path).strip("/")
        rows = pages.rows(canonicalize_name(name)) if self.path.startswith(pages.path) and name else None
        if rows is None:
            self.send_error(404)
            return
        as_json = _JSON in self.headers.get("Accept", "")
        body = _json_page(name, rows) if as_json else _html_page(rows)
        self.send_response(200)
        self.send_header("Content-Type", _JSON if as_json else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # BaseHTTPRequestHandler's signature
        """Say nothing."""


def _json_page(name: str, rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": rows}).encode()


def _html_page(rows: list[dict[str, Any]]) -> bytes:
    """Return a page as an old pip reads it, with the links alone."""
    return "".join(f"{_link(row)}<br>\n" for row in rows).encode()


def _link(row: dict[str, Any]) -> str:
    digest = row["hashes"].get("sha256")
    attributes = {
        "href": row["url"] + (f"#sha256={digest}" if digest else ""),
        "data-requires-python": row.get("requires-python"),
        "data-yanked": row.get("yanked") or None,
    }
    written = " ".join(f'{key}="{html.escape(str(value))}"' for key, value in attributes.items() if value is not None)
    return f"<a {written}>{html.escape(row['filename'])}</a>"
