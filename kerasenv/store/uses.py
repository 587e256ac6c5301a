"""Which environment was made from which entries, and when."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv.env.environment import has_receipt, open_environment
from kerasenv.errors import KerasenvError
from kerasenv.store.place import guarded, store_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kerasenv.store.place import Key

_DIGITS = 32
_LARGEST = 1 << 20  # bytes: no environment has thousands of packages


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What the store remembers of an environment."""

    environment: str
    """Its folder."""
    created: str
    """As its receipt says; another one in its place has another."""
    at: datetime
    """In UTC."""
    entries: frozenset[str]


def note_use(environment: Path, keys: Iterable[Key]) -> None:
    """Write down that an environment was made from entries; one that was there before it is forgotten."""
    folder = os.path.realpath(environment)
    table = {
        "environment": folder,
        "created": open_environment(environment).receipt.created,
        "at": datetime.now(timezone.utc).isoformat(),
        "entries": sorted(map(str, keys)),
    }
    with guarded():  # as long as somebody chooses what is to go, nothing changes here
        place = _folder() / _name_for(folder)
        place.parent.mkdir(exist_ok=True)
        temporary = place.with_suffix(".tmp")
        temporary.write_text(json.dumps(table), encoding="utf-8")
        temporary.replace(place)


def read_uses() -> dict[Path, Use | None]:
    """Return all that lies where uses are written down, None for what is none."""
    try:
        return {place: _read(place) for place in sorted(_folder().iterdir())}
    except FileNotFoundError:
        return {}


def is_there(use: Use) -> bool:
    """Say whether an environment is still there, and wasn't replaced by another; yes if nobody can say."""
    folder = Path(use.environment)
    try:
        return has_receipt(folder) and open_environment(folder).receipt.created == use.created
    except OSError as error:  # such as one of a network that doesn't answer
        return error.errno != errno.ENAMETOOLONG
    except (KerasenvError, RecursionError):
        return True


def last_uses(uses: Mapping[Path, Use | None]) -> dict[str, tuple[Path, Use]]:
    """Return the last use of each entry, and where it is written down."""
    told = [(place, use) for place, use in uses.items() if use is not None]
    told.sort(key=lambda one: one[1].at)
    return {entry: (place, use) for place, use in told for entry in use.entries}


def _folder() -> Path:
    return store_folder() / "uses"


def _name_for(folder: str) -> str:
    return f"{sha256(os.fsencode(folder)).hexdigest()[:_DIGITS]}.json"


def _read(place: Path) -> Use | None:
    try:
        state = place.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
            return None
        table = json.loads(place.read_text("utf-8"))
        environment, created, entries = table["environment"], table["created"], table["entries"]
        at = datetime.fromisoformat(table["at"])
        sound = (
            isinstance(created, str)
            and at.utcoffset() == timedelta()
            and isinstance(entries, list)
            and all(isinstance(one, str) for one in entries)
            and "\0" not in environment
            and Path(environment).is_absolute()
            and place.name == _name_for(environment)
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return Use(environment=environment, created=created, at=at, entries=frozenset(entries)) if sound else None
