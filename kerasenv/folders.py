"""The folders of the user that kerasenv keeps things in."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from platformdirs import PlatformDirs


@cache
def _dirs() -> PlatformDirs:
    return PlatformDirs("kerasenv", appauthor=False)


def cache_folder() -> Path:
    """Return where things lie that can be made again."""
    return Path(_dirs().user_cache_dir)


def config_folder() -> Path:
    """Return where a user puts profiles of their own."""
    return Path(_dirs().user_config_dir)


def data_folder() -> Path:
    """Return where tool environments lie that live longer than one command."""
    return Path(_dirs().user_data_dir)
