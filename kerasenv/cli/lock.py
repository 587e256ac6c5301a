"""kerasenv lock"""  # noqa: D400, D415  # the name of the verb

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from packaging.utils import canonicalize_name

from kerasenv.cli import options
from kerasenv.cli.making import as_typed
from kerasenv.cli.parameter import argument, option
from kerasenv.engines.choose import ENGINES
from kerasenv.errors import KerasenvError, LockError, UsageError
from kerasenv.lock.wish import Upgrade
from kerasenv.outcome import Outcome
from kerasenv.profiles.search import list_profiles
from kerasenv.workflow.lock import BOTH, Checked, Locked, Locking, check_lock, lock_profile, locks_in


def lock(
    profile: Annotated[
        str | None,
        argument(metavar="PROFILE", help="A profile's name or file. By default those whose locks are here."),
    ] = None,
    packages: Annotated[
        list[str] | None, argument(metavar="PACKAGE", help="With --upgrade: only these.", show_default=False)
    ] = None,
    *,
    all_: Annotated[bool, option("--all", help="Every profile that `kerasenv list` shows.")] = False,
    check: Annotated[
        bool, option("--check", help="Write nothing; say what the lock lacks, and exit with 1 if it does.")
    ] = False,
    upgrade: Annotated[
        bool, option("--upgrade", help="Choose newer versions, of the packages named or of all.")
    ] = False,
    with_: options.Extra = None,
    requirements: options.RequirementFiles = None,
    variant: options.VariantName = None,
    file: Annotated[
        Path | None, option("--lock", "-o", metavar="FILE", help="The lock to write.", show_default=False)
    ] = None,
    only_binary: options.OnlyBinary = False,
    as_of: options.AsOf = None,
    python: options.Python = None,
    engine: Annotated[
        str | None,
        option("--engine", metavar="uv|pip-tools|both", help="What resolves; both: one checks the other."),
    ] = None,
    index_url: options.IndexUrl = None,
    offline: options.Offline = False,
) -> Outcome[tuple[Locked | Checked, ...]]:
    """Write pylock.PROFILE.toml without making an environment, for every Python and platform of the profile.

    A lock that gives what is asked for stays as it is; otherwise no more of it changes than must.
    """
    if packages and not upgrade:
        raise UsageError("Packages are named only with --upgrade.", hints=["Ask for more with --with REQUIREMENT"])
    if check and (upgrade or engine == BOTH):
        raise UsageError("--check changes nothing and resolves nothing.", hints=["Leave out --upgrade and --engine."])
    locking = Locking(
        cwd=Path.cwd(),
        place=options.file_from(file) if file else None,
        variant=variant,
        extra=options.extra_from(with_, requirements),
        upgrade=Upgrade(everything=upgrade and not packages, names=frozenset(map(canonicalize_name, packages or ()))),
        only_binary=only_binary,
        as_of=options.day_from(as_of),
        python=python,
        engine=engine if engine == BOTH else _engine_from(engine),
        index=options.index_from(index_url, offline=offline),
    )
    wanted = _wanted(profile, locking, all_=all_)
    return _checked(wanted) if check else _locked(wanted)


def _engine_from(name: str | None) -> str | None:
    if name is not None and name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", hints=[f"--engine {known}" for known in (*ENGINES, BOTH)])
    return name


def _wanted(profile: str | None, locking: Locking, *, all_: bool) -> list[tuple[str, Locking]]:
    """Return the profiles that are meant, and how each is to be locked."""
    if profile is not None and all_:
        raise UsageError(f"--all means every profile, and {profile} is one of them.", hints=["Leave one of them out."])
    if profile is not None:
        return [(profile, locking)]
    if locking.place is not None or locking.variant is not None:
        raise UsageError("--lock and --variant are for one profile.", hints=["Name it: kerasenv lock PROFILE"])
    if all_:
        listing = list_profiles(cwd=locking.cwd)
        if listing.errors:
            raise listing.errors[0]
        return [(one.name, locking) for one in listing.profiles]
    found = locks_in(locking.cwd)
    if not found:
        raise LockError(
            f"There is no pylock.*.toml in {locking.cwd}.",
            hints=["Write one: kerasenv lock PROFILE", "See which profiles there are: kerasenv list"],
        )
    return [(name, replace(locking, variant=variant, place=path)) for name, variant, path in found]


def _locked(wanted: list[tuple[str, Locking]]) -> Outcome[tuple[Locked | Checked, ...]]:
    done: list[Locked] = []
    failed: list[tuple[str, KerasenvError]] = []
    for name, locking in wanted:
        try:
            done.append(lock_profile(name, locking))
        except KerasenvError as error:
            if len(wanted) == 1:
                raise
            failed.append((name, error))
    new = [one.lock.name for one in done if one.status != "kept"]
    return Outcome(
        data=tuple(done),
        text=tuple(line for one in done for line in _told(one)),
        next_steps=(f"commit     {' '.join(new)}",) if new else (),
        error=_all_of(failed, "could not be locked"),
    )


def _told(locked: Locked) -> list[str]:
    name = locked.lock.name
    what = {
        "new": f"{name} is new: {locked.packages} packages.",
        "changed": f"{name} changed:",
        "kept": f"{name} gives what is asked for, and stays as it is.",
    }[locked.status]
    lines = [what, *map(str, locked.changes)]
    if locked.status == "changed" and not locked.changes:
        lines = [f"{name} changed: the same packages and files, other settings."]
    if locked.missing:
        lines.append("It can't be installed everywhere, for want of files:")
        lines += [f"  {gap}" for gap in locked.missing]
    if locked.agreed:
        lines.append(f"Both engines choose the same for {locked.agreed}.")
    return lines


def _checked(wanted: list[tuple[str, Locking]]) -> Outcome[tuple[Locked | Checked, ...]]:
    found: list[Checked] = []
    commands: dict[str, str] = {}
    failed: list[tuple[str, KerasenvError]] = []
    for name, locking in wanted:
        try:
            found.append(check_lock(name, locking))
        except KerasenvError as error:
            if len(wanted) == 1:
                raise
            failed.append((locking.place.name if locking.place else name, error))
        else:
            commands[found[-1].lock.name] = _command(name, locking)
    bad = [one for one in found if one.differences]
    outcome: KerasenvError | None = None
    if bad:
        outcome = LockError(
            f"{', '.join(one.lock.name for one in bad)}: not what is asked for.",
            looked_at=[
                *(f"{one.lock.name}: {text}" for one in bad for text in one.differences),
                *(f"{name}: {error.message}" for name, error in failed),
            ],
            hints=[f"Mend it, changing no more than must: {commands[one.lock.name]}" for one in bad],
        )
    elif failed:
        outcome = _all_of(failed, "could not be checked")
    good = tuple(f"{one.lock.name} gives what is asked for." for one in found if not one.differences)
    return Outcome(data=tuple(found), text=good, error=outcome)


def _command(name: str, locking: Locking) -> str:
    """Return what to type to get a lock as it is asked for here."""
    words = ["kerasenv", "lock", as_typed(Path(name)) if Path(name).suffix else name]
    words += ["--variant", locking.variant] if locking.variant else []
    words += ["--lock", as_typed(locking.place)] if locking.place else []
    words += [word for one in locking.extra for word in ("--with", as_typed(Path(str(one))))]
    words += ["--as-of", str(locking.as_of)] if locking.as_of else []
    return " ".join([*words, *(["--only-binary"] if locking.only_binary else [])])


def _all_of(failed: list[tuple[str, KerasenvError]], what: str) -> KerasenvError | None:
    if not failed:
        return None
    return LockError(
        f"{', '.join(name for name, _ in failed)} {what}; the others were.",
        looked_at=[line for name, error in failed for line in (f"{name}: {error.message}", *error.looked_at)],
        hints=list(dict.fromkeys(hint for _, error in failed for hint in error.hints)),
    )
