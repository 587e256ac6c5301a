"""Get the Python that a machine lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from kerasenv.errors import InterpreterError
from kerasenv.interpreters.find import NoneFits, find_interpreter

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from kerasenv.interpreters.interpreter import Interpreter


@dataclass(frozen=True, kw_only=True, slots=True)
class Downloads:
    """Whether a Python that is missing may be got unasked, and who says so."""

    allowed: bool = False
    why: str = "nobody asked for it"
    instead: str = "--python-downloads auto"
    """What to add or to leave out, so that it may."""


def find_or_get(requires: SpecifierSet, *, request: str | None = None, who: str, downloads: Downloads) -> Interpreter:
    """Return the Python that fits, as find_interpreter does; get the newest that can be got if there is none."""
    try:
        return find_interpreter(requires, request=request, who=who)
    except NoneFits as error:
        from kerasenv.interpreters.provide import best_of, get_python  # noqa: PLC0415  # only where a Python is missing

        best = best_of(error.obtainable)
        if best is None or not downloads.allowed:
            raise _not_got(error, best, downloads) from None
        try:
            interpreter = get_python(best)
        except InterpreterError as failed:
            raise InterpreterError(
                f"{error.message} {failed.message}", looked_at=[*error.looked_at, *failed.looked_at], hints=failed.hints
            ) from failed
        if not requires.contains(interpreter.version, prereleases=True):
            raise InterpreterError(
                f"{error.message} The newest CPython {best} that could be got is {interpreter.version}.",
                looked_at=[f"{interpreter}: {interpreter.path}"],
                hints=error.hints,
            ) from None
        return interpreter


def _not_got(error: NoneFits, best: Version | None, downloads: Downloads) -> InterpreterError:
    """Return the error of the search, with what kerasenv itself could do."""
    from kerasenv.interpreters.provide import missing_providers, promises  # noqa: PLC0415  # as above

    if best is None:
        newest = next(map(Version, error.obtainable), None)
        hints = missing_providers(newest) if newest else []
        message = error.message
    else:
        message = f"{error.message} kerasenv gets none by itself: {downloads.why}."
        hints = [
            f"kerasenv python install {best}    ({promises(best)[0]})",
            f"Or let the same command do that: {downloads.instead}",
        ]
    return InterpreterError(message, looked_at=error.looked_at, hints=[*hints, *error.hints])
