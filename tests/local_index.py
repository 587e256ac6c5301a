"""A package index of tiny packages, made on the spot and served on the loopback interface alone.

    with LocalIndex() as index:
        index.add(Wheel(name="numpy", version="2.0", requires_python=">=3.10", files={"numpy.py": "ones = [1]"}))
        run("uv", "pip", "install", "--default-index", index.url, "numpy")
        assert index.downloads == ["numpy-2.0-py2.py3-none-any.whl"]

What is added is the same to the byte every time. What real indexes do wrong is done by `LocalIndex.trouble`.
"""

from __future__ import annotations

import gzip
import html
import io
import json
import sys
import tarfile
import threading
import zipfile
from base64 import b64encode, urlsafe_b64encode
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

TINY_PACKAGES = Path(__file__).with_name("tiny_packages")
UPLOADED = datetime(2024, 1, 1, tzinfo=timezone.utc)

_JSON = "application/vnd.pypi.simple.v1+json"
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # of time, for a zip file
_PIECES = 16


def sources(folder: str) -> dict[str, str]:
    """Return the files of `tests/tiny_packages/<folder>`, by path, as they lie in site-packages."""
    root = TINY_PACKAGES / folder
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """What wheels and source distributions have in common: metadata, and `files` by their path in site-packages."""

    name: str
    version: str
    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Console scripts: name -> 'module:function'."""
    uploaded: datetime = UPLOADED
    yanked: str | None = None
    """Why the file was withdrawn; it is still served to those who pin it."""

    @property
    def stem(self) -> str:
        """Return name and version as they begin every file name."""
        return f"{canonicalize_name(self.name).replace('-', '_')}-{self.version}"

    @property
    def metadata(self) -> bytes:
        """Return METADATA, also known as PKG-INFO."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        for extra, requirements in self.extras.items():
            lines.append(f"Provides-Extra: {extra}")
            lines += [f"Requires-Dist: {requirement} ; extra == '{extra}'" for requirement in requirements]
        return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel(Package):
    """A built distribution."""

    tag: str = "py2.py3-none-any"

    @property
    def filename(self) -> str:
        return f"{self.stem}-{self.tag}.whl"

    def contents(self) -> dict[str, bytes]:
        """Return every file of the wheel by its path, RECORD last."""
        info = f"{self.stem}.dist-info"
        pythons, abis, platforms = self.tag.split("-")
        tags = [f"{p}-{a}-{m}" for p in pythons.split(".") for a in abis.split(".") for m in platforms.split(".")]
        pure = str(platforms == "any").lower()
        head = ["Wheel-Version: 1.0", "Generator: kerasenv-tests", f"Root-Is-Purelib: {pure}"]
        contents = {path: text.encode() for path, text in self.files.items()}
        contents[f"{info}/METADATA"] = self.metadata
        contents[f"{info}/WHEEL"] = ("\n".join(head + [f"Tag: {tag}" for tag in tags]) + "\n").encode()
        if self.scripts:
            lines = ["[console_scripts]", *(f"{name} = {target}" for name, target in self.scripts.items())]
            contents[f"{info}/entry_points.txt"] = ("\n".join(lines) + "\n").encode()
        record = [f"{path},sha256={_record_hash(data)},{len(data)}" for path, data in contents.items()]
        contents[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
        return contents

    def build(self) -> bytes:
        """Return the wheel's bytes, always the same."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in self.contents().items():
                entry = zipfile.ZipInfo(path, _BEGINNING)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, data)
        return buffer.getvalue()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sdist(Package):
    """A source distribution; building it zips up the wheel that lies in it.

    With `build_requires` the backend comes from the index's `tiny-build`, otherwise it lies in the archive itself.
    """

    build_requires: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        return f"{self.stem}.tar.gz"

    def contents(self) -> dict[str, bytes]:
        """Return every file of the archive by its path below the top folder."""
        shared = {name: getattr(self, name) for name in Package.__slots__}
        wheel = Wheel(**shared)
        backend_path = [] if self.build_requires else ["."]
        pyproject = [
            "[build-system]",
            f"requires = {json.dumps(list(self.build_requires))}",
            'build-backend = "tiny_build"',
            f"backend-path = {json.dumps(backend_path)}" if backend_path else "",
        ]
        contents = {
            "PKG-INFO": self.metadata,
            "pyproject.toml": ("\n".join(pyproject).strip() + "\n").encode(),
            "wheel-name.txt": wheel.filename.encode(),
        }
        if backend_path:
            contents["tiny_build.py"] = sources("tiny_build")["tiny_build.py"].encode()
        return contents | {f"wheel/{path}": data for path, data in wheel.contents().items()}

    def build(self) -> bytes:
        """Return the archive's bytes, always the same."""
        buffer = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path, data in self.contents().items():
                entry = tarfile.TarInfo(f"{self.stem}/{path}")
                entry.size = len(data)
                entry.mtime = int(UPLOADED.timestamp())  # a zip file can't hold the 1970s
                archive.addfile(entry, io.BytesIO(data))
        return buffer.getvalue()


def _record_hash(data: bytes) -> str:
    return urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()


@dataclass(kw_only=True, slots=True)
class Trouble:
    """What goes wrong with the answers whose last path segment matches `pattern`, until `release` is set.

    A project's page has the project's name as its last segment, a file its file name.
    """

    pattern: str
    status: int | None = None
    """Answer with this and nothing else."""
    body: bytes | None = None
    """Send these bytes in place of the file's."""
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    delay: float = 0.0
    """Seconds before anything is sent."""
    trickle: float = 0.0
    """Seconds over which the body is spread."""
    hold: bool = False
    """Send half of the body, and the rest only when `release` is set."""
    met: threading.Event = field(default_factory=threading.Event)
    """Is set as soon as an answer is in trouble: with `hold`, once half of it is out."""
    release: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is offered, and its bytes."""

    package: Wheel | Sdist
    data: bytes

    @property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()

    @property
    def metadata(self) -> bytes | None:
        """Return what stands beside the file as `.metadata` (PEP 658)."""
        return self.package.metadata if isinstance(self.package, Wheel) else None


class LocalIndex:
    """Serves what was added as a simple index, JSON or HTML by the Accept header, and remembers what was asked.

    `html_only` makes it an index of the old kind: links with hashes, but no sizes, upload times or metadata files.
    Without `hashes` it has only the links.
    """

    def __init__(
        self, *, html_only: bool = False, hashes: bool = True, credentials: tuple[str, str] | None = None
    ) -> None:
        self.html_only = html_only
        self.hashes = hashes
        self.project_json = False
        """Whether there is /pypi/NAME/json too."""
        self.credentials = credentials
        self.requests: list[str] = []
        """Method and path of every request, such as 'GET /simple/numpy/'."""
        self._files: dict[str, _File] = {}
        self._troubles: list[Trouble] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="local index")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving, and raise what went wrong in the server itself."""
        for trouble in self._troubles:
            trouble.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for fault in self._server.faults:
            raise fault

    @property
    def port(self) -> int:
        """Return the port on 127.0.0.1."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Return the address of the simple index, without credentials."""
        return f"http://127.0.0.1:{self.port}/simple/"

    @property
    def url_with_credentials(self) -> str:
        """Return the address as a user would give it."""
        if not self.credentials:
            return self.url
        user, password = (quote(part, safe="") for part in self.credentials)
        return self.url.replace("://", f"://{user}:{password}@")

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that point uv and pip here."""
        return {"UV_DEFAULT_INDEX": self.url_with_credentials, "PIP_INDEX_URL": self.url_with_credentials}

    def add(self, *packages: Wheel | Sdist) -> None:
        """Offer files; one of the same name is replaced."""
        # A new dictionary each time, since the server may be reading the old one
        self._files = self._files | {package.filename: _File(package, package.build()) for package in packages}

    def remove(self, pattern: str) -> None:
        """Take files away, as when an author deletes a release."""
        self._files = {name: file for name, file in self._files.items() if not fnmatchcase(name, pattern)}

    def file_url(self, filename: str) -> str:
        """Return where a file is, which must be there."""
        return self.url.replace("/simple/", f"/files/{self._files[filename].package.filename}")

    def sha256(self, filename: str) -> str:
        """Return a file's digest."""
        return self._files[filename].sha256

    def filenames(self, project: str | None = None) -> list[str]:
        """Return what is offered, all of it or a project's."""
        return [name for name, file in self._files.items() if project in {None, canonicalize_name(file.package.name)}]

    @contextmanager
    def trouble(
        self,
        pattern: str,
        *,
        status: int | None = None,
        body: bytes | None = None,
        cut_after: int | None = None,
        delay: float = 0.0,
        trickle: float = 0.0,
        hold: bool = False,
    ) -> Iterator[Trouble]:
        """Let answers go wrong meanwhile; see Trouble for what each means."""
        trouble = Trouble(
            pattern=pattern, status=status, body=body, cut_after=cut_after, delay=delay, trickle=trickle, hold=hold
        )
        self._troubles.append(trouble)
        try:
            yield trouble
        finally:
            trouble.release.set()
            self._troubles.remove(trouble)

    @property
    def pages(self) -> list[str]:
        """Return the projects whose pages were asked for, in order."""
        return [path.split("/")[2] for path in self._asked("/simple/") if path != "/simple/"]

    @property
    def downloads(self) -> list[str]:
        """Return the files that were asked for, in order; metadata files are none."""
        return [path.split("/")[2] for path in self._asked("/files/") if not path.endswith(".metadata")]

    def _asked(self, where: str) -> list[str]:
        paths = [request.removeprefix("GET ") for request in self.requests if request.startswith("GET ")]
        return [path for path in paths if path.startswith(where)]

    def forget(self) -> None:
        """Forget what was asked so far."""
        self.requests.clear()

    # What the server asks back

    def authorized(self, header: str | None) -> bool:
        """Say whether an Authorization header opens the door."""
        if not self.credentials:
            return True
        return header == f"Basic {b64encode(':'.join(self.credentials).encode()).decode()}"

    def find_trouble(self, segment: str) -> Trouble | None:
        """Return what goes wrong with a page or file, the latest arrangement first."""
        return next((trouble for trouble in reversed(self._troubles) if fnmatchcase(segment, trouble.pattern)), None)

    def find_file(self, name: str) -> bytes | None:
        """Return a file, or the metadata beside it."""
        if name in self._files:
            return self._files[name].data
        wheel = self._files.get(name.removesuffix(".metadata"))
        return wheel.metadata if wheel and not self.html_only else None

    def find_project_json(self, project: str) -> bytes | None:
        """Return when each file of a project was uploaded, as the JSON beside the simple index has it."""
        files = [self._files[name] for name in self.filenames(project)] if self.project_json else []
        rows = [
            {"filename": file.package.filename, "upload_time_iso_8601": file.package.uploaded.isoformat()}
            for file in files
        ]
        return json.dumps({"releases": {"all": rows}}).encode() if rows else None

    def find_page(self, project: str, *, as_json: bool) -> tuple[bytes, str] | None:
        """Return a page and its media type: a project's, or the list of all for an empty name."""
        as_json = as_json and not self.html_only
        if not project:
            names = sorted({canonicalize_name(file.package.name) for file in self._files.values()})
            links = [f'<a href="{name}/">{name}</a>' for name in names]
            data = {"projects": [{"name": name} for name in names]}
            return _json_page(data) if as_json else _html_page("Simple index", links)
        files = [self._files[name] for name in self.filenames(project)]
        if not files:
            return None
        if as_json:
            versions = list(dict.fromkeys(file.package.version for file in files))
            return _json_page({"name": project, "versions": versions, "files": list(map(self._describe, files))})
        return _html_page(f"Links for {project}", list(map(self._link, files)))

    def _describe(self, file: _File) -> dict[str, Any]:
        described: dict[str, Any] = {
            "filename": file.package.filename,
            "url": f"../../files/{file.package.filename}",
            "hashes": {"sha256": file.sha256} if self.hashes else {},
            "size": len(file.data),
            "upload-time": file.package.uploaded.isoformat().replace("+00:00", "Z"),
            "yanked": file.package.yanked or False,
        }
        if file.package.requires_python:
            described["requires-python"] = file.package.requires_python
        if file.metadata is not None:
            described["core-metadata"] = {"sha256": sha256(file.metadata).hexdigest()}
        return described

    def _link(self, file: _File) -> str:
        attributes = {
            "href": f"../../files/{file.package.filename}" + (f"#sha256={file.sha256}" if self.hashes else ""),
            "data-requires-python": file.package.requires_python,
            "data-yanked": file.package.yanked,
        }
        if file.metadata is not None and not self.html_only:
            attributes["data-core-metadata"] = f"sha256={sha256(file.metadata).hexdigest()}"
        written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items() if value is not None)
        return f"<a {written}>{file.package.filename}</a>"


def _json_page(data: dict[str, Any]) -> tuple[bytes, str]:
    return json.dumps({"meta": {"api-version": "1.1"}} | data).encode(), _JSON


def _html_page(title: str, links: list[str]) -> tuple[bytes, str]:
    body = "".join(f"{link}<br>\n" for link in links)
    head = f'<meta name="pypi:repository-version" content="1.1"><title>{title}</title>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{body}</body></html>\n".encode(), "text/html"


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every answer, so that none outlives its test
    request_queue_size = 128  # uv asks for many things at once

    def __init__(self, index: LocalIndex) -> None:
        self.index = index
        self.faults: list[BaseException] = []
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        # Who connected and never asked would be waited for
        for request in tuple(self._open):
            with suppress(OSError):
                request.shutdown(SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # socketserver's signature
        error = sys.exc_info()[1]
        # A client that is killed halfway is what some tests are about
        if error is not None and not isinstance(error, ConnectionError):
            self.faults.append(error)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request per connection (HTTP/1.0), so that nobody waits for a second one."""

    server: _Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        index = self.server.index
        index.requests.append(f"{self.command} {path}")
        if not index.authorized(self.headers["Authorization"]):
            self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="local index"'})
            return
        kind, _, rest = path.removeprefix("/").partition("/")
        name = rest.removesuffix("/")
        trouble = index.find_trouble(name) or Trouble(pattern="")
        if trouble.delay:
            trouble.met.set()
            trouble.release.wait(trouble.delay)
        if trouble.status is not None:
            trouble.met.set()
            self._send(trouble.status, b"in trouble")
        elif kind == "files":
            self._send_found(index.find_file(name), "application/octet-stream", trouble)
        elif kind == "pypi":
            self._send_found(index.find_project_json(name.removesuffix("/json")), "application/json", trouble)
        elif kind == "simple" and rest in {"", f"{canonicalize_name(name)}/"}:
            body, media_type = index.find_page(name, as_json=_JSON in self.headers.get("Accept", "")) or (None, "")
            self._send_found(body, media_type, trouble)
        elif kind == "simple":
            self._send(301, b"", {"Location": f"/simple/{canonicalize_name(name)}/"})
        else:
            self._send(404, b"no such thing")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send_found(self, body: bytes | None, media_type: str, trouble: Trouble) -> None:
        if body is None:
            self._send(404, b"no such thing")
        else:
            self._send(200, body, {"Content-Type": media_type}, trouble)

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, trouble: Trouble | None = None
    ) -> None:
        if trouble is not None and trouble.body is not None:
            body = trouble.body
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if trouble is None or not trouble.pattern:
            self.wfile.write(body)
        else:
            self._send_in_trouble(body, trouble)

    def _send_in_trouble(self, body: bytes, trouble: Trouble) -> None:
        if trouble.cut_after is not None:
            body = body[: trouble.cut_after]
        pieces = 2 if trouble.hold else _PIECES if trouble.trickle else 1
        size = max(1, -(-len(body) // pieces))
        try:
            for start in range(0, len(body), size):
                if start:
                    trouble.release.wait(None if trouble.hold else trouble.trickle / pieces)
                self.wfile.write(body[start : start + size])
                trouble.met.set()
        finally:
            trouble.met.set()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # BaseHTTPRequestHandler's signature
        """Say nothing: `LocalIndex.requests` remembers."""


def with_tags(wheel: Wheel, *tags: str) -> tuple[Wheel, ...]:
    """Return the same wheel for several interpreters or platforms."""
    return tuple(replace(wheel, tag=tag) for tag in tags)
