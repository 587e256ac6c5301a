"""The lock on disk: PEP 751 through packaging.pylock, with what kerasenv needs under [tool.kerasenv]."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError, is_valid_pylock_path
from packaging.requirements import InvalidRequirement, Requirement

from kerasenv.engine import BuildConstraint
from kerasenv.errors import LockError
from kerasenv.lock.gaps import Gap
from kerasenv.platforms import KNOWN_PYTHONS, PLATFORMS
from kerasenv.profiles.load import BACKENDS, NAME, digest, noise_of, trial_of
from kerasenv.profiles.profile import KerasSettings
from kerasenv.profiles.system import system_needs, system_table
from kerasenv.profiles.variables import variable_value, why_refused
from kerasenv.smoke.plan import SmokePlan, Trial
from kerasenv.tables import Faults, Table, filled, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kerasenv.profiles.profile import Profile
    from kerasenv.smoke.plan import Noise
    from kerasenv.system.need import SystemNeed

FORMAT = 1
_HOW_TO_MEND = (
    "If it was edited by hand or by a merge, take the committed version back; or take it away and lock anew: "
    "kerasenv lock PROFILE"
)
_HEADER = "# Written by kerasenv. Commit it: `kerasenv rebuild` makes the same environment from it anywhere.\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What an environment is to be beyond its packages; it decides nothing about what is installed."""

    profile: str
    variant: str | None = None
    requirements: tuple[str, ...] = ()
    """What the profile and the user asked for, as requirement strings."""
    extra: tuple[str, ...] = ()
    """What of it the user asked for."""
    only_binary: bool = False
    as_of: date | None = None
    gaps: tuple[Gap, ...] = ()
    """Where it can't be installed, and for want of what."""
    constraints: tuple[str, ...] = ()
    build_constraints: tuple[BuildConstraint, ...] = ()
    backend: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: KerasSettings = field(default_factory=KerasSettings)
    smoke: SmokePlan
    trial: Trial = field(default_factory=Trial)
    noise: tuple[Noise, ...] = ()
    system: tuple[SystemNeed, ...] = ()

    @classmethod
    def of(cls, profile: Profile, *, variant: str | None = None, extra: tuple[str, ...] = ()) -> Promise:
        """Return what a profile promises, together with requirements of the user's own."""
        return cls(
            profile=profile.name,
            variant=variant,
            requirements=(*(str(one) for one in profile.requirements), *extra),
            extra=extra,
            constraints=tuple(str(one.requirement) for one in profile.constraints),
            build_constraints=tuple(
                BuildConstraint(requirement=one.requirement, sha256=one.sha256) for one in profile.build_constraints
            ),
            backend=profile.backend,
            variables=dict(profile.variables),
            settings=profile.settings,
            smoke=profile.smoke,
            trial=profile.trial,
            noise=profile.noise,
            system=profile.system,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A lock and where it stands or will stand; `promise` is None if another tool dropped the table."""

    path: Path
    pylock: Pylock
    promise: Promise | None
    content: bytes

    @property
    def digest(self) -> str:
        """Return what a receipt keeps of it."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


def default_name(profile: str) -> str:
    """Return the file name of a profile's lock."""
    return f"pylock.{profile}.toml"


def profile_in_name(path: Path) -> str | None:
    """Return the profile that a lock's file name gives, None for a plain pylock.toml."""
    return None if path.name == "pylock.toml" else path.name.removeprefix("pylock.").removesuffix(".toml")


def checked_name(path: Path) -> Path:
    """Return the path if a lock may have that name."""
    if not is_valid_pylock_path(path):
        raise LockError(
            f"{path.name} is no valid name for a lock.",
            hints=[
                "Locks are named pylock.toml or pylock.NAME.toml, and NAME has no dot.",
                "A folder comes after the lock: kerasenv rebuild pylock.NAME.toml DIR",
            ],
        )
    return path


def read_lock(path: Path) -> Lock:
    """Read and validate a lock; raise LockError with the place in the file if something is off."""
    checked_name(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LockError(f"{path} can't be read: {error.strerror or error}") from error
    return lock_from(path, content)


def lock_from(path: Path, content: bytes) -> Lock:
    """Validate the bytes of a lock; raise LockError with the place in the file if something is off."""
    try:
        table = tomli.loads(content.decode("utf-8"))
        pylock = Pylock.from_dict(table)
    # tomli raises more than its own error: for a number of 5000 digits, for a thousand brackets
    except (ValueError, RecursionError, PylockValidationError) as error:
        raise LockError(
            f"{path} is no valid lock: {error}",
            hints=[
                "Upgrade kerasenv: it was written for a newer version of the format."
                if isinstance(error, PylockUnsupportedVersionError)
                else _HOW_TO_MEND
            ],
        ) from error
    promise = _promise_from(table.get("tool", {}), path)
    return Lock(path=path, pylock=pylock, promise=promise, content=content)


def dump_lock(pylock: Pylock, promise: Promise) -> bytes:
    """Return the bytes of a lock file: the same for the same content, whatever the machine."""
    table = {**pylock.to_dict(), "tool": {"kerasenv": _promise_table(promise)}}
    import tomli_w  # noqa: PLC0415  # most commands only read locks

    return (_HEADER + tomli_w.dumps(table)).encode("utf-8")


def write_file(path: Path, content: bytes, *, work: Path | None = None) -> None:
    """Put a file in place whole, or leave what was there.

    It is written in the folder `work`, if that is on the same file system: a process that is killed meanwhile then
    leaves nothing beside the file.
    """
    try:
        if work is not None:
            try:
                _write(path, content, work)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
            else:
                return
        _write(path, content, path.parent)
    except OSError as error:
        raise LockError(f"{path} can't be written: {error.strerror or error}") from error


def _write(path: Path, content: bytes, work: Path) -> None:
    with _temporary(path.name, work) as temporary:
        with temporary.open("wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)


@contextmanager
def _temporary(name_like: str, folder: Path) -> Iterator[Path]:
    """Give an empty file, and take it away again unless it was moved."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{name_like}-", suffix=".tmp")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _promise_table(promise: Promise) -> dict[str, Any]:
    """Return the table under [tool.kerasenv]; what has no value is left out."""
    smoke = promise.smoke
    table = {
        "format": FORMAT,
        "profile": promise.profile,
        "variant": promise.variant,
        "requirements": list(promise.requirements),
        "with": list(promise.extra) or None,
        "only-binary": promise.only_binary or None,
        "as-of": str(promise.as_of) if promise.as_of else None,
        "constraints": list(promise.constraints),
        "build-constraints": [
            _filled({"requirement": str(one.requirement), "sha256": list(one.sha256) or None})
            for one in promise.build_constraints
        ],
        "backend": promise.backend,
        "variables": dict(promise.variables),
        "keras": _filled(
            {
                "floatx": promise.settings.floatx,
                "epsilon": promise.settings.epsilon,
                "image_data_format": promise.settings.image_data_format,
            }
        ),
        "smoke": {"import": smoke.import_name, "trains": smoke.trains, "formats": list(smoke.formats)},
        "trial": _filled({"idiom": promise.trial.idiom, "imports": list(promise.trial.imports) or None}) or None,
        "noise": [{"text": row.text, "because": row.because} for row in promise.noise] or None,
        "system": [system_table(need) for need in promise.system] or None,
        "missing": [
            {"package": gap.package, "platform": gap.platform, "pythons": list(gap.pythons)} for gap in promise.gaps
        ]
        or None,
    }
    return _filled(table)


def _promise_from(tool: Mapping[str, Any], path: Path) -> Promise | None:
    """Read [tool.kerasenv]; None if the lock has none."""
    if "kerasenv" not in tool:
        return None
    faults = Faults()
    table = Table(tool["kerasenv"], faults, "tool.kerasenv")
    form = table.number("format", required=True)
    if form is not None and form > FORMAT:
        raise LockError(
            f"{path} was written by a newer kerasenv.",
            looked_at=[f"tool.kerasenv.format is {form:g}; this kerasenv knows {FORMAT}"],
            hints=["Upgrade kerasenv, or take back the lock as it was."],
        )
    if form is not None and form < FORMAT:
        table.fault("format", f"must be {FORMAT}")
    promise = _promise_of(table)
    table.done()
    if faults:
        raise LockError(
            f"{path} is no lock that kerasenv wrote like this.",
            looked_at=faults.told_of(path.name).splitlines(),
            hints=[_HOW_TO_MEND],
        )
    return promise


def _promise_of(table: Table) -> Promise:
    keras = table.table("keras")
    smoke = table.table("smoke", required=True)
    backend = table.text("backend", one_of(BACKENDS))
    trial = trial_of(table.table("trial"))
    settings = KerasSettings(
        floatx=keras.text("floatx", filled),
        epsilon=keras.number("epsilon"),
        image_data_format=keras.text("image_data_format", filled),
    )
    return Promise(
        profile=table.text("profile", _name, required=True) or "",
        variant=table.text("variant", _name),
        requirements=table.texts("requirements", _requirement) or (),
        extra=table.texts("with", _requirement) or (),
        only_binary=table.flag("only-binary") is True,
        as_of=table.text("as-of", day_of),
        gaps=_gaps(table),
        constraints=table.texts("constraints", _requirement) or (),
        build_constraints=_build_constraints(table),
        backend=backend,
        variables=_variables(table.table("variables")),
        settings=settings,
        smoke=SmokePlan(
            import_name=smoke.text("import", filled, required=True) or "",
            backend=backend,
            trains=smoke.flag("trains", required=True) is True,
            formats=smoke.texts("formats", filled, required=True) or (),
            floatx=settings.floatx,
            epsilon=settings.epsilon,
            image_data_format=settings.image_data_format,
        ),
        trial=Trial(idiom=trial.idiom, imports=trial.imports or ()),
        noise=noise_of(table),
        system=system_needs(table),
    )


def _build_constraints(table: Table) -> tuple[BuildConstraint, ...]:
    found = []
    for row in table.tables("build-constraints"):
        requirement = row.text("requirement", _requirement, required=True)
        sha256 = row.texts("sha256", digest) or ()
        if requirement:
            found.append(BuildConstraint(requirement=Requirement(requirement), sha256=sha256))
    return tuple(found)


def _gaps(table: Table) -> tuple[Gap, ...]:
    return tuple(
        Gap(
            package=row.text("package", filled, required=True) or "",
            platform=row.text("platform", one_of(PLATFORMS), required=True) or "",
            pythons=row.texts("pythons", one_of(KNOWN_PYTHONS), required=True) or (),
        )
        for row in table.tables("missing")
    )


def day_of(text: str) -> date:
    """Read a day as a lock and the command line write it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if str(day) != text or day is None:  # later Pythons read 20200601 as well
        raise ValueError(f"{text!r} is no day such as 2020-06-01")
    return day


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a profile or a variant")
    return text


def _requirement(text: str) -> str:
    """Read what is asked for; it stays a text, since it is not used again."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r} is no requirement") from error
    if requirement.url:
        raise ValueError(f"{requirement.name} must come from an index")
    return text


def _variables(variables: Table) -> dict[str, str]:
    """Return the variables that a lock may set; a lock can come from a stranger, so the profile's rules hold for it."""
    found: dict[str, str] = {}
    for name in variables:
        refused = why_refused(name)
        if refused:
            variables.fault(name, refused)
        value = variables.text(name, variable_value)
        if value is not None:
            found[name] = value
    return found


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
