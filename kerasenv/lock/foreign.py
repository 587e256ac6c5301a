"""Read a lock that another tool wrote or rewrote, and that so promises nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.errors import LockError
from kerasenv.lock.lockfile import Promise, profile_in_name
from kerasenv.profiles.search import find_profile

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.lock.lockfile import Lock


def with_promise_of_profile(lock: Lock, cwd: Path) -> Lock:
    """Return a lock that promises nothing with what the profile in its name promises."""
    name = profile_in_name(lock.path)
    if name is None:
        raise LockError(
            f"{lock.path.name} has no [tool.kerasenv], and its name gives no profile to take its variables from.",
            hints=["Name it pylock.PROFILE.toml, such as pylock.tf2-modern.toml"],
        )
    profile = find_profile(name, cwd=cwd)
    progress.note(
        f"{lock.path.name} has no [tool.kerasenv]: backend, variables and smoke test are those of profile {name}."
    )
    return replace(lock, promise=Promise.of(profile))
