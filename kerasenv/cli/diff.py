"""kerasenv diff"""  # noqa: D400, D415  # the name of the verb

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kerasenv.cli import options
from kerasenv.cli.parameter import argument, option
from kerasenv.errors import LockError, ProfileError
from kerasenv.lock.diff import Change, Setting, changes, settings, who_asks
from kerasenv.lock.lockfile import Lock, lock_from
from kerasenv.outcome import Outcome
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import find_profile

_DIFFER = "The locks differ, and --exit-code makes that exit code 1."


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """A package that differs, and who asks for it: in the new lock, or in the old one if it went."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    details: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """All that differs between two locks."""

    packages: tuple[Explained, ...]
    settings: tuple[Setting, ...]


def diff(
    old: Annotated[Path, argument(metavar="OLD", help="A lock, whatever the file is called.")],
    new: Annotated[Path, argument(metavar="NEW", help="Another one.")],
    *,
    exit_code: Annotated[bool, option("--exit-code", help="Exit with 1 if they differ.")] = False,
) -> Outcome[Difference]:
    """Show what differs between two locks, package by package, and what asked for it."""
    before, after = _read(options.file_from(old)), _read(options.file_from(new))
    found = changes(before.pylock, after.pylock)
    data = Difference(
        packages=tuple(_explained(change, before, after) for change in found), settings=tuple(settings(before, after))
    )
    text = [
        f"{change}  ({'; '.join(one.because)})" if one.because else str(change)
        for change, one in zip(found, data.packages, strict=True)
    ]
    text += [str(setting) for setting in data.settings]
    differs = bool(text)
    return Outcome(
        data=data,
        text=tuple(text) or ("They name the same packages and files.",),
        error=LockError(_DIFFER) if differs and exit_code else None,
    )


def _read(path: Path) -> Lock:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LockError(f"{path} can't be read: {error.strerror or error}") from error
    return lock_from(path, content)


def _explained(change: Change, before: Lock, after: Lock) -> Explained:
    lock = after if change.after else before
    return Explained(
        name=change.name,
        before=change.before,
        after=change.after,
        details=change.details,
        because=who_asks(change.name, lock.promise, _profile_of(lock)),
    )


def _profile_of(lock: Lock) -> Profile | None:
    """Return the profile that a lock is for, if it is still there: it knows the reasons, which the lock doesn't."""
    if lock.promise is not None:
        with suppress(ProfileError):
            return find_profile(lock.promise.profile, cwd=Path.cwd())
    return None
