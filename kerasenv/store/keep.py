"""Put what was installed into the store, and get ready what the next environments need.

It is done after an environment is finished, so nobody waits for it.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from kerasenv.env.inventory import BYTECODE, digest_of, is_bytecode, packages_by_name, state_of, take_inventory
from kerasenv.errors import KerasenvError
from kerasenv.scratch import scratch
from kerasenv.store.bytecode import bytecode_of, compile_in, is_for_good, is_valid
from kerasenv.store.entry import TREE, About, Row, files_of, is_inside, open_entry, rows_of, write_entry
from kerasenv.store.laying import lay
from kerasenv.store.place import guarded, keeping, needing, work_folder
from kerasenv.store.sharing import copy, forbid_writing_into_shared, may_be_shared, share
from kerasenv.store.take import discard_if_possible
from kerasenv.store.uses import note_use

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from kerasenv.env.inventory import Installed
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.store.entry import Entry
    from kerasenv.store.sources import Source

_HASH = "sha256"
# It writes programs that find their interpreter beside them
_INSTALLER = "uv"


class _Unfit(Exception):
    """What lies there isn't what was installed, or can't be kept."""


def keep(
    environment: Path,
    sources: Sequence[Source],
    interpreter: Interpreter,
    *,
    compiled: Source | None = None,
    own: Mapping[str, str],
    since: int,
) -> None:
    """Put into the store what an environment holds of these sources, and get spares ready.

    `compiled` is what the backend compiled when the environment was proven, if it does so; `own` are the states of the
    files that no RECORD tells, as they were when the environment was made, and `since` is the time of that in
    nanoseconds: what is newer may be of anything.
    """
    keys = {source.key for source in (*sources, *([compiled] if compiled else ()))}
    with suppress(OSError, KerasenvError):
        note_use(environment, keys)
    with keeping(), needing(keys):
        missing = [source for source in sources if _is_missing(source)]
        # Looked at before anything else: what isn't there later may have been taken away
        lacking = {entry.key: _lacking(entry, environment) for entry in _entries_of(sources)}
        if not missing:  # the next one may be on its way already
            _make_spares(sources)
        installed = take_inventory(environment).packages
        packages = packages_by_name(installed)
        told = Counter(path for package in installed for path in package.files or ())
        several = {path for path, count in told.items() if count > 1}
        for source in missing:
            for package in _only_one(packages, source.name):
                with suppress(_Unfit, OSError, ValueError, KerasenvError):
                    _check_same(environment, source, package, own)
                    # Of a file that another package has too, nobody but the RECORD can say what it should be
                    alone = {path: state for path, state in own.items() if path not in several}
                    _take(environment, source, package, interpreter, own=alone, since=since)
        if compiled is not None and _is_missing(compiled):
            with suppress(_Unfit, OSError, ValueError, KerasenvError):
                _take_compiled(environment, compiled, since=since)
        forbid_writing_into_shared(str(environment), told)
        lacking |= {entry.key: _lacking(entry, environment) for entry in _entries_of(missing)}
        for entry in _entries_of(sources):
            with suppress(OSError, ValueError, KerasenvError):
                _lend_bytecode(entry, environment, lacking.get(entry.key, []))
        _make_spares(sources)


def _entries_of(sources: Iterable[Source]) -> list[Entry]:
    found = map(open_entry, sorted({source.key for source in sources}, key=str))
    return [entry for entry in found if entry is not None]


def _only_one(packages: Mapping[NormalizedName, Sequence[Installed]], name: str) -> Sequence[Installed]:
    """Return the package of a name, nothing if it was installed twice."""
    found = packages.get(canonicalize_name(name), ())
    return found if len(found) == 1 else ()


def _is_missing(source: Source) -> bool:
    """Say whether the store lacks an entry; what is there in its place and can't be used is taken away."""
    if open_entry(source.key) is not None:
        return False
    discard_if_possible(source.key)
    return True


def _take(
    environment: Path,
    source: Source,
    package: Installed,
    interpreter: Interpreter,
    *,
    own: Mapping[str, str],
    since: int,
) -> None:
    """Make the entry of a package from what lies in an environment."""
    with scratch("keep", work_folder()) as work:
        folder = work / "entry"
        tree = folder / TREE
        told = package.files or {}
        bytecode = {bytecode_of(path, interpreter.minor): path for path in told if _is_module(path)}
        for path in sorted(told.keys() - bytecode.keys()):
            _take_file(environment, tree, path)
        # As they were before they are read: who writes into one meanwhile, or later, is noticed
        rows = {row.path: row for row in _rows(tree)}
        states = {path: state_of(tree / path) or "" for path in rows}
        _check_states(states, told, own)
        _take_bytecode(environment, tree, bytecode, interpreter, told=told, since=since)
        rows = {row.path: row for row in _rows(tree)} | rows
        compiled = sorted(rows.keys() - states.keys())
        digests = states | {path: digest_of(tree / path, _HASH) for path in compiled}
        about = About(
            file=source.file,
            site_packages=package.info.rpartition("/")[0],
            own={path: state for path, state in states.items() if told.get(path) != state},
        )
        write_entry(folder, about, list(rows.values()), digests)
        _put_in_place(folder, source)


def _put_in_place(folder: Path, source: Source) -> None:
    place = source.key.folder
    place.parent.mkdir(parents=True, exist_ok=True)
    with guarded():
        folder.rename(place)


def _take_compiled(environment: Path, source: Source, *, since: int) -> None:
    """Make the entry of what the backend compiled; all of it is copied, since it writes into some of its files."""
    with scratch("keep", work_folder()) as work:
        folder = work / "entry"
        tree = folder / TREE
        for row in _rows(environment / source.file):
            path = f"{source.file}/{row.path}"
            if row.kind != "link" and row.mtime <= since:
                os.makedirs(f"{tree}/{path}".rpartition("/")[0], exist_ok=True)  # noqa: PTH103  # as in _take_file
                copy(f"{environment}/{path}", f"{tree}/{path}")
        rows = [replace(row, kind="text") for row in _rows(tree)]
        if not rows:
            raise _Unfit("nothing was compiled")
        about = About(file=source.file, site_packages="", own={})
        write_entry(folder, about, rows, {row.path: digest_of(tree / row.path, _HASH) for row in rows})
        _put_in_place(folder, source)


def _check_same(environment: Path, source: Source, package: Installed, own: Mapping[str, str]) -> None:
    """Raise _Unfit if a package isn't the one that was installed, from the file that is meant."""
    record = f"{package.info}/RECORD"
    if not package.files or state_of(environment / record) != own.get(record):
        raise _Unfit("its RECORD is another one")
    if f"{package.info}/direct_url.json" in package.files:
        raise _Unfit("it names the place that it came from")
    if (environment / package.info / "INSTALLER").read_text("utf-8").strip() != _INSTALLER:
        raise _Unfit("its programs name the environment that they are for")
    wheel = (environment / package.info / "WHEEL").read_text("utf-8", errors="replace")
    tags = {line.partition(":")[2].strip() for line in wheel.splitlines() if line.startswith("Tag:")}
    if (source.tags is not None and tags != source.tags) or tags in source.other_tags:
        raise _Unfit("it was installed from another wheel")


def _is_module(path: str) -> bool:
    return path.endswith(".py") and "/site-packages/" in f"/{path}"


def _take_file(environment: Path, tree: Path, path: str) -> None:
    """Let the tree have a file as well."""
    if not is_inside(path):
        raise _Unfit(f"{path} lies outside")
    source, target = f"{environment}/{path}", f"{tree}/{path}"
    os.makedirs(target.rpartition("/")[0], exist_ok=True)  # noqa: PTH103  # of tens of thousands, each a Path otherwise
    mode = os.lstat(source).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211  # see above
    elif not stat.S_ISREG(mode):
        raise _Unfit(f"{path} is no file")
    elif may_be_shared(source):
        share(source, target)
    else:
        copy(source, target)


def _check_states(states: Mapping[str, str], told: Mapping[str, str | None], own: Mapping[str, str]) -> None:
    """Raise _Unfit if a file isn't what RECORD or receipt tell of it."""
    for path, state in states.items():
        if state not in {told.get(path), own.get(path)}:
            raise _Unfit(f"{path} was changed")


def _take_bytecode(
    environment: Path,
    tree: Path,
    modules: Mapping[str, str],
    interpreter: Interpreter,
    *,
    told: Mapping[str, str | None],
    since: int,
) -> None:
    """Let the tree have the bytecode of every module: what the environment has already, and the rest compiled.

    A RECORD can tell some of it, which Python wrote anew if it was of no use.
    """
    todo = []
    for bytecode, path in modules.items():
        target = tree / bytecode
        target.parent.mkdir(exist_ok=True)
        there = environment / bytecode
        with suppress(OSError):
            made = there.lstat()
            if stat.S_ISREG(made.st_mode) and made.st_mtime_ns <= since:
                share(str(there), str(target))
                if is_valid(target, (tree / path).lstat(), interpreter.minor):
                    continue
                if is_for_good(target, interpreter.minor) and told.get(bytecode) == state_of(target):
                    continue
                target.unlink()
        todo.append(path)
    compile_in(tree, todo, interpreter.path, interpreter.minor)


def _rows(tree: Path) -> Iterator[Row]:
    for folder, folders, names in os.walk(tree):
        inside = f"{os.path.relpath(folder, tree).replace(os.sep, '/')}/".removeprefix("./")
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114  # see above
        for name in sorted([*names, *links]):
            place = f"{folder}/{name}"
            state = os.lstat(place)
            if stat.S_ISLNK(state.st_mode):
                kind = "link"
            else:
                kind = "shared" if name.endswith(BYTECODE) or may_be_shared(place) else "text"
            yield Row(path=f"{inside}{name}", kind=kind, size=state.st_size, mtime=state.st_mtime_ns)


def _lacking(entry: Entry, environment: Path) -> list[str]:
    """Return the bytecode of an entry that an environment doesn't have."""
    try:
        paths = [path for path, *_ in files_of(entry) if path.endswith(BYTECODE)]
        return [path for path in paths if not os.path.lexists(f"{environment}/{path}")]
    except (OSError, ValueError):
        return []


def _lend_bytecode(entry: Entry, environment: Path, lacking: Sequence[str]) -> None:
    """Let the environment that was just made have bytecode as well, where its sources are still the same."""
    if not lacking:
        return
    rows = {row.path: row for row in rows_of(entry)}
    there = frozenset(rows)
    for path in lacking:
        if not is_bytecode(path, there):
            continue
        source = _source_of(path)
        if source not in rows:
            continue
        with suppress(OSError):
            state = os.lstat(f"{environment}/{source}")
            if (state.st_size, state.st_mtime_ns) == (rows[source].size, rows[source].mtime):
                _lend(f"{entry.tree}/{path}", f"{environment}/{path}")


def _lend(source: str, target: str) -> None:
    """Let a file appear in an environment that others use meanwhile: whole, however this process ends."""
    if os.path.lexists(target):
        return
    folder, _, name = target.rpartition("/")
    with suppress(FileExistsError):
        os.mkdir(folder)  # noqa: PTH102  # see above; what is above it may be gone by now, and is not to come back
    beside = f"{folder}/kerasenv-{os.getpid()}-{name}"  # bytecode of nothing, if it should stay
    try:
        share(source, beside)
        os.replace(beside, target)  # noqa: PTH105  # see above
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)  # noqa: PTH108  # see above


def _source_of(bytecode: str) -> str:
    folder, _, name = bytecode.rpartition("/")
    return f"{folder.removesuffix('/__pycache__')}/{name.rpartition('.cpython-')[0]}.py"


def _make_spares(sources: Iterable[Source]) -> None:
    """Lay the files of entries once more, for the next environment, of those that have no spare."""
    lacking = [entry for entry in _entries_of(sources) if not entry.spare.is_dir()]
    if not lacking:
        return
    with suppress(OSError, KerasenvError), scratch("spare", work_folder()) as work:
        made = [work / f"{number}" for number in range(len(lacking))]
        problems = lay([(entry.key.folder, spare) for entry, spare in zip(lacking, made, strict=True)])
        for entry, spare, problem in zip(lacking, made, problems, strict=True):
            if not problem:
                with suppress(OSError):  # somebody may have been before us
                    spare.rename(entry.spare)
