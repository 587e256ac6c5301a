"""What a lock is wanted for: what is asked for now, and what the lock that is there remembers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kerasenv.engine import Index

if TYPE_CHECKING:
    from datetime import date

    from packaging.utils import NormalizedName

    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.lock.lockfile import Lock
    from kerasenv.profiles.profile import Profile

# Every environment ends with a pip that its Python supports, and what is installed is in the lock
ALWAYS = (Requirement("pip"),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a lock is wanted for; `extra` is what the user's own project needs."""

    profile: Profile
    extra: tuple[Requirement, ...] = ()
    interpreter: Interpreter
    index: Index = field(default_factory=Index)
    only_binary: bool = False
    """Nothing is built: neither now nor where the lock is installed."""
    as_of: date | None = None
    """The index is asked as it stood when this day was over."""

    @property
    def builds(self) -> bool:
        """Say whether source distributions may be built: only where the profile says what builds them."""
        return bool(self.profile.build_constraints) and not self.only_binary

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Return everything that is asked for."""
        return (*self.profile.requirements, *self.extra, *ALWAYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """Which versions of the lock that is there are given up, so that newer ones can be chosen."""

    everything: bool = False
    names: frozenset[NormalizedName] = frozenset()

    def __bool__(self) -> bool:
        """Say whether any are."""
        return self.everything or bool(self.names)


def remembering(wish: Wish, old: Lock | None, *, upgrade: Upgrade) -> Wish:
    """Return a wish together with what the lock that is there was asked for.

    What is asked for anew of a package replaces what was asked for before. An upgrade is no longer of the day that the
    lock was of.
    """
    anew = {canonicalize_name(one.name) for one in wish.extra}
    extra, only_binary, as_of = set(wish.extra), wish.only_binary, wish.as_of
    if old is not None and old.promise is not None:
        then = old.promise
        extra |= {one for one in map(Requirement, then.extra) if canonicalize_name(one.name) not in anew}
        only_binary = only_binary or then.only_binary
        as_of = as_of or (None if upgrade else then.as_of)
    # In whatever order it was asked for, the lock is the same
    return replace(wish, extra=tuple(sorted(extra, key=str)), only_binary=only_binary, as_of=as_of)
