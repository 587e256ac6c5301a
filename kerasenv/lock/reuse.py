"""Use the lock that is there, if it still gives what is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kerasenv.errors import LockError
from kerasenv.lock.lockfile import Promise, default_name
from kerasenv.lock.machine import check_machine
from kerasenv.lock.satisfy import differences

if TYPE_CHECKING:
    from kerasenv.lock.lockfile import Lock
    from kerasenv.lock.wish import Wish


def adds_only(old: Lock, wish: Wish, asked: Wish, *, variant: str | None) -> bool:
    """Say whether a lock lacks nothing but what the user asks for beyond what it remembers."""
    anew = set(asked.extra)
    before = replace(wish, extra=tuple(one for one in wish.extra if one not in anew))
    return bool(differences(old, wish, variant=variant)) and not differences(old, before, variant=variant)


def lock_in_use(lock: Lock, wish: Wish, *, variant: str | None) -> Lock:
    """Return the lock that is there, if it still gives what is asked for."""
    differing = differences(lock, wish, variant=variant)
    if differing:
        raise LockError(
            f"{lock.path.name} doesn't fit what is asked for; it was left as it is.",
            looked_at=differing,
            hints=[
                f"Change no more of it than that needs: {_lock_command(lock, wish, variant)}",
                "Resolve all of it anew and see what changes: add --upgrade",
                "Or keep this lock and write another one: --lock pylock.NAME.toml",
            ],
        )
    check_machine(lock, wish.interpreter)
    return lock if lock.promise is not None else replace(lock, promise=Promise.of(wish.profile, variant=variant))


def _lock_command(lock: Lock, wish: Wish, variant: str | None) -> str:
    words = ["kerasenv", "lock", wish.profile.name, *(["--variant", variant] if variant else [])]
    if lock.path.name != default_name(wish.profile.name):
        words += ["--lock", lock.path.name]
    return " ".join(words)
