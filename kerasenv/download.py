"""Download files whose sha256 is known before."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.errors import InstallError
from kerasenv.index import CONNECT_SECONDS, READ_SECONDS, web_session
from kerasenv.login import login_for
from kerasenv.process import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from requests import Session

    from kerasenv.engine import Index

_AT_ONCE = 4
_PIECE = 1 << 20
_WORTH_TELLING = 5_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A file, where it is, and where it is to go."""

    url: str
    sha256: str
    size: int | None
    target: Path


def download(files: Iterable[Wanted], index: Index) -> None:
    """Put each file in its place, several at a time; raise InstallError if one can't be had or is another one."""
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="download")
    with web_session() as session:
        try:
            tasks = [pool.submit(copy_context().run, _download, file, index, session) for file in files]
            for task in tasks:
                task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _download(file: Wanted, index: Index, session: Session) -> None:
    from requests import RequestException  # noqa: PLC0415  # heavy

    if file.size is None or file.size > _WORTH_TELLING:
        progress.passing(f"Downloading {file.target.name}")
    seen = hashlib.sha256()
    length = 0
    try:
        with (
            session.get(
                file.url,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                auth=login_for(file.url, index),
                # What is compressed on the way is another file than the one that was hashed
                headers={"Accept-Encoding": "identity"},
                stream=True,
            ) as answer,
            file.target.open("wb") as target,
        ):
            answer.raise_for_status()
            for piece in answer.iter_content(_PIECE):
                length += len(piece)
                if file.size is not None and length > file.size:
                    break
                seen.update(piece)
                target.write(piece)
    except RequestException as error:
        raise InstallError(
            f"{file.target.name} can't be downloaded.",
            looked_at=[redact(file.url), redact(str(error))],
            hints=["Check the network, and whether the index still has it; --index-url names another index."],
        ) from error
    except OSError as error:
        raise InstallError(
            f"{file.target.name} can't be written: {error.strerror or error}",
            looked_at=[str(file.target.parent)],
            hints=["Make room there, or point TMPDIR and XDG_CACHE_HOME elsewhere; then try again."],
        ) from error
    if file.size is not None and length != file.size:
        raise _another(file, "size")
    if seen.hexdigest() != file.sha256:
        raise _another(file, "sha256")


def _another(file: Wanted, what: str) -> InstallError:
    return InstallError(
        f"{file.target.name} is not the file that the lock names: its {what} differs.",
        looked_at=[redact(file.url)],
        hints=[
            "Don't install it. If the index is a mirror, ask whoever keeps it; else: kerasenv lock PROFILE --upgrade"
        ],
    )
