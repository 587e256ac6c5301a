"""User and password for an index: from its address or from a keyring; requests itself reads netrc files."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kerasenv import process
from kerasenv.errors import ProgramError

if TYPE_CHECKING:
    from kerasenv.engine import Index

_PROVIDERS = ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER")
_SECONDS = 60.0  # a keyring may ask a person


def login_for(url: str, index: Index) -> tuple[str, str] | None:
    """Return user and password for an address at the host of the index, None if they are not of the index's address.

    The password is asked of the keyring, where one is to be used (as uv and pip are told) and the address has only a
    user.
    """
    asked, own = urlsplit(url), urlsplit(index.url or "")
    same_place = (asked.scheme, asked.hostname, asked.port) == (own.scheme, own.hostname, own.port)
    if not same_place or own.username is None:
        return None
    user = unquote(own.username)
    if own.password is not None:
        return user, unquote(own.password)
    password = _in_keyring(process.redact(index.url or ""), own.hostname or "", user)
    return (user, password or "")


def _in_keyring(address: str, host: str, user: str) -> str | None:
    """Ask the program `keyring` for the address, then for the host alone, as uv does."""
    program = shutil.which("keyring")
    if program is None or not any(os.environ.get(name) == "subprocess" for name in _PROVIDERS):
        return None
    for service in (address, host):
        try:
            answer = process.run([program, "get", service, user], timeout=_SECONDS)
        except ProgramError:
            return None
        if answer.returncode == 0 and answer.stdout.strip():
            return answer.stdout.strip("\r\n")
    return None
