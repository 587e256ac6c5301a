"""Command lines that need no typer, which takes longer to import than most verbs take to run.

These are the ones without a fault and without rare spellings. All others are for typer, which reads them anew: it
helps, completes, complains, and knows every way in which an option can be written.
"""

from collections.abc import Sequence
from typing import Any

from kerasenv.cli.parameter import Taken


def plainly(taken: Sequence[Taken], words: Sequence[str]) -> dict[str, Any] | None:
    """Return what a verb's function is called with, None if that is for typer to say."""
    spelled = {spelling: one for one in taken for spelling in one.parameter.spellings}
    found: dict[str, list[str]] = {}
    loose: list[str] = []
    coming = iter(words)
    for word in coming:
        if not word:
            return None
        if not word.startswith("-"):
            loose.append(word)
            continue
        one = spelled.get(word)  # neither --help, --lock=FILE, -rFILE and -qq, nor what doesn't exist
        value = next(coming, "") if one is not None and one.parameter.metavar else word
        if one is None or not value or (value is not word and value.startswith("-")):
            return None
        found.setdefault(one.name, []).append(value)
    for one in taken:
        if loose and not one.parameter.spellings:
            found[one.name], loose = (loose, []) if one.several else (loose[:1], loose[1:])
    if loose or any(one.required and one.name not in found for one in taken):
        return None
    return {one.name: _value(one, found.get(one.name, ())) for one in taken}


def _value(one: Taken, words: Sequence[str]) -> Any:
    if not words:
        return one.default
    if one.parameter.count:
        return len(words)
    if one.parameter.spellings and not one.parameter.metavar:
        return True
    return [one.read(word) for word in words] if one.several else one.read(words[-1])
