"""Where the data that ships with kerasenv lies: in the wheel, or in a checkout beside the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


SHIPPED_PROFILES = "shipped profiles"
"""What people are told of where these come from."""


def shipped_profiles() -> Path:
    """Return the folder of the profiles that ship with kerasenv."""
    installed = _PACKAGE / "shipped" / "profiles"
    return installed if installed.is_dir() else _PACKAGE.parent / "profiles"


def probe(name: str) -> Path:
    """Return a script that another interpreter can run."""
    return _PACKAGE / "probes" / f"{name}.py"
