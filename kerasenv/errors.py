"""Every error that a person can meet, in one tree.

KerasenvError
├── UsageError
├── Interrupted
├── ProfileError
├── InterpreterError
├── SystemNeedError
├── ResolveError
├── LockError
├── BundleError
├── InstallError
├── EnvironmentFolderError
├── HookError
├── SmokeError
├── VerifyError
└── ProgramError
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class KerasenvError(Exception):
    """Say what happened, what was looked at, and what to type next."""

    exit_code = 1

    def __init__(self, message: str, *, looked_at: Sequence[str] = (), hints: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.looked_at = tuple(looked_at)
        self.hints = tuple(hints)


class UsageError(KerasenvError):
    """The command line itself is off (exit code 2)."""

    exit_code = 2


class Interrupted(KerasenvError):
    """The person or the system stopped it (exit code 130)."""

    exit_code = 130


class ProfileError(KerasenvError):
    """A profile is missing, unreadable or contradicts itself."""


class InterpreterError(KerasenvError):
    """No Python fits, or the one that was named doesn't."""


class SystemNeedError(KerasenvError):
    """The system lacks something that no package index has."""


class ResolveError(KerasenvError):
    """The requirements can't be met together."""


class LockError(KerasenvError):
    """A lock is missing, unreadable, or doesn't fit what is asked."""


class BundleError(KerasenvError):
    """A bundle can't be made as asked, or is not what it should be."""


class InstallError(KerasenvError):
    """Files could not be fetched, verified or installed."""


class EnvironmentFolderError(KerasenvError):
    """A folder can't be (re)placed, or isn't one of kerasenv's."""


class HookError(KerasenvError):
    """An activation script or a variable can't be written as asked."""


class SmokeError(KerasenvError):
    """The model could not be built, trained, saved or loaded."""


class VerifyError(KerasenvError):
    """An environment is not what its lock says, or the store not what it was."""


class ProgramError(KerasenvError):
    """Another program failed in a way that no caller foresaw."""
