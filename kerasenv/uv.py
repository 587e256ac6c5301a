"""How uv is called: without the user's configuration, since nothing of a machine may leak into a lock."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import TYPE_CHECKING

from kerasenv.errors import ProgramError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a user sets for the network's sake stays; what would change a choice goes
_KEPT = frozenset(
    {
        "UV_CACHE_DIR",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_CREDENTIALS_DIR",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_RETRIES",
        "UV_HTTP_TIMEOUT",
        "UV_INSECURE_HOST",
        "UV_KEYRING_PROVIDER",
        "UV_LINK_MODE",
        "UV_NATIVE_TLS",
        "UV_PYTHON_DOWNLOADS_JSON_URL",
        "UV_PYTHON_INSTALL_DIR",
        "UV_PYTHON_INSTALL_MIRROR",
        "UV_SYSTEM_CERTS",
    }
)


def uv_command() -> list[str]:
    """Return the words that start the uv that was installed with kerasenv."""
    first = _first_place()
    if os.path.isfile(first):  # noqa: PTH113  # as find_uv_bin asks
        return [first]
    from uv import find_uv_bin  # noqa: PLC0415  # 7 ms that few installations need

    try:
        return [os.fsdecode(find_uv_bin())]
    except FileNotFoundError as error:
        raise ProgramError(
            "uv is not where its package should have put it.",
            looked_at=[str(error)],
            hints=["Install kerasenv again: python -m pip install --force-reinstall uv kerasenv"],
        ) from error


def _first_place() -> str:
    """Return the file that find_uv_bin looks for first: the uv among the scripts of this Python.

    Nothing but the prefix is filled in: for the rest, sysconfig would import all that this Python was built with.
    """
    scripts = sysconfig.get_path("scripts", expand=False).replace("{base}", sys.prefix)
    return os.path.normpath(os.path.join(scripts, "uv.exe" if sys.platform == "win32" else "uv"))  # noqa: PTH118


def uv_environ(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment for uv, without settings that would change what is chosen."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "VIRTUAL_ENV", "CONDA_PREFIX")) or name in _KEPT
    }
    return {**kept, **(changes or {})}
