"""Join what a profile says with what it extends says."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import canonicalize_name

from kerasenv.errors import ProfileError
from kerasenv.profiles.load import RawSmoke, RawTrial, RawVariant
from kerasenv.profiles.profile import KerasSettings, Profile, Variant
from kerasenv.smoke.plan import SmokePlan, Trial
from kerasenv.tables import Faults, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.requirements import Requirement

    from kerasenv.profiles.load import RawProfile
    from kerasenv.profiles.profile import Constraint
    from kerasenv.smoke.plan import Noise
    from kerasenv.system.need import SystemNeed

T = TypeVar("T")
Part = TypeVar("Part", "RawProfile", RawSmoke, RawTrial, RawVariant, KerasSettings)

_INFER_ONLY = ("numpy", "openvino")  # Keras says of both: fit is not implemented


def inherit(profile: RawProfile, parent_of: Callable[[Sequence[RawProfile]], RawProfile]) -> Profile:
    """Merge a profile with all it extends.

    `parent_of` is given the way so far, and finds what its last profile extends. What is nearer to `profile` wins: text
    by text, requirement by requirement and constraint by constraint (of the same package), variable by variable.
    """
    chain = [profile]
    while chain[-1].extends is not None:
        parent = parent_of(chain)
        if parent.source in [child.source for child in chain]:
            raise ProfileError(f"profiles extend each other in a circle: {told([*chain, parent])}")
        chain.append(parent)
    merged = chain[-1]
    for child in reversed(chain[:-1]):
        merged = _joined(child, merged)
    return _complete(merged, lineage=tuple(ancestor.name for ancestor in chain[1:]))


def variant_of(profile: Profile, name: str) -> Profile:
    """Return what a profile is in one of its variants."""
    variant = profile.variants.get(name)
    if variant is None:
        # Not the nearest: cpu is the last thing that somebody wants who asks for gpu
        known = f"it has {', '.join(profile.variants)}" if profile.variants else "it has none"
        raise ProfileError(f"{profile.name} has no variant {name!r}; {known}", hints=[f"kerasenv show {profile.name}"])
    kept = [requirement for requirement in profile.requirements if _package(requirement) not in variant.without]
    return replace(
        profile,
        requirements=_by_package(variant.requirements, kept, _package),
        platforms=variant.platforms or profile.platforms,
    )


def told(chain: Sequence[RawProfile]) -> str:
    """Return who extends whom, for people."""
    return " extends ".join(f"{profile.name} ({profile.source})" for profile in chain)


def _joined(child: RawProfile, parent: RawProfile) -> RawProfile:
    names = {**parent.variants, **child.variants}
    return replace(
        _over(child, parent),
        requirements=_by_package(child.requirements, parent.requirements, _package),
        constraints=_by_package(child.constraints, parent.constraints, _constrained),
        build_constraints=_by_package(child.build_constraints, parent.build_constraints, _constrained),
        variables={**parent.variables, **child.variables},
        settings=_over(child.settings, parent.settings),
        variants={
            name: _over(child.variants.get(name, RawVariant()), parent.variants.get(name, RawVariant()))
            for name in names
        },
        smoke=_over(child.smoke, parent.smoke),
        trial=_over(child.trial, parent.trial),
        noise=_by_package(child.noise, parent.noise, _text),
        system=_by_package(child.system, parent.system, _need),
    )


def _over(child: Part, parent: Part) -> Part:
    """Put what the child says over what the parent says."""
    return replace(parent, **_said(child))


def _said(part: RawProfile | RawSmoke | RawTrial | RawVariant | KerasSettings) -> dict[str, Any]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: value for name, value in values.items() if value is not None}


def _by_package(child: Iterable[T], parent: Iterable[T], package: Callable[[T], str]) -> tuple[T, ...]:
    """Put entries over those of the same packages."""
    own = tuple(child)
    packages = {package(entry) for entry in own}
    return (*(entry for entry in parent if package(entry) not in packages), *own)


def _text(noise: Noise) -> str:
    return noise.text


def _need(need: SystemNeed) -> str:
    return need.name


def _package(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)


def _constrained(constraint: Constraint) -> str:
    return _package(constraint.requirement)


def _complete(raw: RawProfile, *, lineage: tuple[str, ...]) -> Profile:
    """Check what can only be seen when everything is merged in."""
    faults = Faults()
    needed = {
        "summary": raw.summary,
        "era": raw.era,
        "requires-python": raw.requires_python,
        "platforms": raw.platforms,
        "requirements": raw.requirements,
    }
    for key, value in needed.items():
        if not value:
            faults.add(key, "missing, here and in all that it extends" if lineage else "missing")
    hashed = [bool(one.sha256) for one in raw.build_constraints]
    for number, one in enumerate(raw.build_constraints):
        if any(hashed) and not one.sha256:
            # Otherwise a build could still fetch something that nobody has looked at
            message = f"{one.requirement.name} has no sha256 and others have; either all or none"
            faults.add(f"build-constraints[{number}].sha256", message)
    variants = [_variant(name, variant, raw, faults) for name, variant in raw.variants.items()]
    if faults or raw.summary is None or raw.era is None or raw.requires_python is None or raw.platforms is None:
        raise ProfileError(faults.told_of(raw.source))
    plan = SmokePlan(
        backend=raw.backend,
        trains=raw.backend not in _INFER_ONLY,
        floatx=raw.settings.floatx,
        epsilon=raw.settings.epsilon,
        image_data_format=raw.settings.image_data_format,
    )
    return Profile(
        name=raw.name,
        summary=raw.summary,
        era=raw.era,
        requires_python=raw.requires_python,
        platforms=raw.platforms,
        requirements=raw.requirements,
        constraints=raw.constraints,
        build_constraints=raw.build_constraints,
        backend=raw.backend,
        variables=raw.variables,
        settings=raw.settings,
        variants={variant.name: variant for variant in variants if variant is not None},
        smoke=replace(plan, **_said(raw.smoke)),
        trial=replace(Trial(), **_said(raw.trial)),
        noise=raw.noise,
        system=raw.system,
        source=raw.source,
        lineage=lineage,
    )


def _variant(name: str, raw: RawVariant, profile: RawProfile, faults: Faults) -> Variant | None:
    if raw.summary is None:
        faults.add(f"variants.{name}.summary", "missing")
    packages = [_package(requirement) for requirement in profile.requirements]
    for package in raw.without or ():
        if package not in packages:
            message = f"{package!r} is no requirement of the profile; {did_you_mean(package, packages)}"
            faults.add(f"variants.{name}.without", message)
    platforms = tuple(platform for platform in raw.platforms or () if platform in (profile.platforms or ()))
    if raw.platforms and not platforms:
        return None  # a parent's variant, for machines that this profile isn't for
    return Variant(
        name=name,
        summary=raw.summary or "",
        requirements=raw.requirements or (),
        without=raw.without or (),
        platforms=platforms,
    )
