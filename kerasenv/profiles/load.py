"""Read one profile as it stands in its file, without what it extends."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import tomli
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name

from kerasenv.errors import ProfileError
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.profile import Constraint, KerasSettings
from kerasenv.profiles.system import system_needs
from kerasenv.profiles.variables import variables_in
from kerasenv.smoke.plan import IDIOMS, Noise
from kerasenv.tables import Faults, Table, filled, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kerasenv.system.need import SystemNeed

BACKENDS = ("tensorflow", "theano", "cntk", "torch", "jax", "numpy", "openvino")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What a profile can be called, so that pylock.<name>.toml is the name of a lock and of a file anywhere."""
_NO_NAME = "is no name: that is made of a-z, 0-9 and -, doesn't begin with - and has at most 64 characters"

_IMPORTS = ("keras", "tensorflow.keras", "tf_keras")
_FORMATS = ("keras", "h5")
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_IMAGES = ("channels_last", "channels_first")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawVariant:
    """A variant as one profile words it; None is left to what the profile extends."""

    summary: str | None = None
    requirements: tuple[Requirement, ...] | None = None
    without: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RawSmoke:
    """A smoke plan as one profile words it; None is left to what the profile extends."""

    import_name: str | None = None
    trains: bool | None = None
    formats: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RawTrial:
    """An era trial as one profile words it; None is left to what the profile extends."""

    idiom: str | None = None
    imports: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RawProfile:
    """A profile as its own file words it; None is left to what it extends."""

    name: str
    source: str
    extends: str | None = None
    summary: str | None = None
    era: str | None = None
    requires_python: SpecifierSet | None = None
    platforms: tuple[str, ...] | None = None
    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    build_constraints: tuple[Constraint, ...] = ()
    backend: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: KerasSettings = field(default_factory=KerasSettings)
    variants: Mapping[str, RawVariant] = field(default_factory=dict)
    smoke: RawSmoke = field(default_factory=RawSmoke)
    trial: RawTrial = field(default_factory=RawTrial)
    noise: tuple[Noise, ...] = ()
    system: tuple[SystemNeed, ...] = ()


def load_profile_file(path: Path, source: str, *, name: str | None = None) -> RawProfile:
    """Read a profile from a file; `source` is what people are told of where that is."""
    return load_profile_table(read_toml(path, source), source, name=name)


def load_profile_table(table: object, source: str, *, name: str | None = None) -> RawProfile:
    """Read a profile from a table of TOML.

    `name` is what the profile has to be called because of where it stands. A ProfileError has one line for each fault.
    """
    faults = Faults()
    profile = _profile(Table(table, faults), source, name)
    if faults:
        raise ProfileError(faults.told_of(source))
    return profile


def read_toml(path: Path, source: str) -> dict[str, object]:
    """Read a file of TOML, or say in one line why not."""
    try:
        # Some editors of Windows begin a file with a byte order mark, which TOML doesn't know
        return tomli.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise ProfileError(f"{source}: there is no such file") from error
    except OSError as error:
        raise ProfileError(f"{source}: can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{source}: is not UTF-8, as TOML must be (at byte {error.start})") from error
    except tomli.TOMLDecodeError as error:
        raise ProfileError(f"{source}: is not TOML: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a path with NUL, a number of 5000 digits, a thousand brackets
        raise ProfileError(f"{source}: can't be read: {error}") from error


def _profile(table: Table, source: str, expected: str | None) -> RawProfile:
    name = table.text("name", _name, required=True)
    if name is not None and expected is not None and name != expected:
        table.fault("name", f"is {name!r}, but it stands under the name {expected!r}")
    profile = RawProfile(
        name=name or "",  # a fault by now: nobody gets to see it
        source=source,
        extends=table.text("extends", _name),
        summary=table.text("summary", filled),
        era=table.text("era", filled),
        requires_python=table.text("requires-python", _pythons),
        platforms=(platforms := _some(table, "platforms", one_of(PLATFORMS))),
        requirements=table.texts("requirements", _requirement) or (),
        constraints=_constraints(table, "constraints"),
        build_constraints=_constraints(table, "build-constraints", hashed=True),
        backend=table.text("backend", one_of(BACKENDS)),
        variables=variables_in(table.table("environment")),
        settings=_settings(table.table("keras")),
        variants=_variants(table.table("variants"), platforms),
        smoke=_smoke(table.table("smoke")),
        trial=trial_of(table.table("trial")),
        noise=noise_of(table),
        system=system_needs(table),
    )
    table.done()
    return profile


def _some(table: Table, key: str, read: Callable[[str], str]) -> tuple[str, ...] | None:
    """Read a list that names at least one thing, and none twice."""
    names = table.texts(key, read)
    if names == ():
        table.fault(key, "must not be empty")
    for name in dict.fromkeys(names or ()):
        if names is not None and names.count(name) > 1:
            table.fault(key, f"names {name!r} twice")
    return names


def _constraints(table: Table, key: str, *, hashed: bool = False) -> tuple[Constraint, ...]:
    constraints = []
    for entry in table.tables(key):
        requirement = entry.text("requirement", _bound, required=True)
        because = entry.text("because", filled, required=True)
        seen = entry.text("seen", filled, required=True)
        sha256 = (entry.texts("sha256", digest) or ()) if hashed else ()
        if sha256 and requirement and not _names_one_version(requirement):
            entry.fault("sha256", f"needs a requirement of one version, such as {requirement.name}==1.2.3")
        if requirement and because and seen:
            constraints.append(Constraint(requirement=requirement, because=because, seen=seen, sha256=sha256))
    return tuple(constraints)


def digest(text: str) -> str:
    """Read a sha256, as an index writes it."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(f"{text!r} is no sha256: that is 64 digits and letters from a to f")
    return text


def _names_one_version(requirement: Requirement) -> bool:
    return [one.operator for one in requirement.specifier] == ["=="] and "*" not in str(requirement.specifier)


def _settings(table: Table) -> KerasSettings:
    epsilon = table.number("epsilon")
    if epsilon is not None and epsilon <= 0:
        table.fault("epsilon", "must be greater than 0")
    return KerasSettings(
        floatx=table.text("floatx", one_of(_FLOATS)),
        epsilon=epsilon,
        image_data_format=table.text("image_data_format", one_of(_IMAGES)),
    )


def _variants(table: Table, known: tuple[str, ...] | None) -> dict[str, RawVariant]:
    variants = {}
    for name in table:
        variant = table.table(name)
        platforms = _some(variant, "platforms", one_of(PLATFORMS))
        if not NAME.fullmatch(name):
            table.fault(name, _NO_NAME)
        for platform in platforms or ():
            if known is not None and platform not in known:
                variant.fault("platforms", f"{platform!r} is not among the profile's own platforms")
        variants[name] = RawVariant(
            summary=variant.text("summary", filled),
            requirements=variant.texts("requirements", _requirement),
            without=variant.texts("without", _package),
            platforms=platforms,
        )
    return variants


def _smoke(table: Table) -> RawSmoke:
    return RawSmoke(
        import_name=table.text("import", one_of(_IMPORTS)),
        trains=table.flag("trains"),
        formats=_some(table, "formats", one_of(_FORMATS)),
    )


def trial_of(table: Table) -> RawTrial:
    """Read an era trial, in a profile or in a lock."""
    return RawTrial(idiom=table.text("idiom", one_of(IDIOMS)), imports=table.texts("imports", _import))


def noise_of(table: Table) -> tuple[Noise, ...]:
    """Read the rows of noise below a table, in a profile or in a lock."""
    rows = []
    for entry in table.tables("noise"):
        text = entry.text("text", _line, required=True)
        because = entry.text("because", filled, required=True)
        if text and because:
            rows.append(Noise(text=text, because=because))
    return tuple(rows)


@cache
def _import(text: str) -> str:
    """Read a statement that does nothing but import."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        statements = []
    if len(statements) != 1 or not isinstance(statements[0], (ast.Import, ast.ImportFrom)):
        raise ValueError(f"{text!r} is no import statement")
    return text


def _line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise ValueError("must be a part of one line")
    return filled(text)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} {_NO_NAME}")
    return text


def _package(text: str) -> str:
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        raise ValueError(f"{text!r} is no package's name") from error


def _pythons(text: str) -> SpecifierSet:
    try:
        pythons = SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f"{text!r} is no range of versions such as '>=3.6,<3.8'") from error
    if not pythons:
        raise ValueError("must not be empty")
    return pythons


@cache
def _requirement(text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        from kerasenv.process import redact  # noqa: PLC0415  # only where something is wrong

        reason = str(error).partition("\n")[0]
        raise ValueError(f"{redact(text)!r} is no requirement ({reason})") from error
    if requirement.url is not None:
        raise ValueError(f"{requirement.name} must come from an index: a file or an address is not there for everybody")
    return requirement


def _bound(text: str) -> Requirement:
    requirement = _requirement(text)
    if not requirement.specifier:
        raise ValueError(f"{text!r} allows every version, so it constrains nothing")
    if requirement.extras:
        raise ValueError(f"{text!r} asks for extras, which a constraint can't")
    return requirement
