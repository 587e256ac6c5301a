"""kerasenv show"""  # noqa: D400, D415  # the name of the verb

from dataclasses import dataclass
from pathlib import Path

from kerasenv.cli import options
from kerasenv.env.variables import variables_of
from kerasenv.lock.cells import pythons_of
from kerasenv.lock.lockfile import Promise
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.wheels import Coverage, coverage_of
from kerasenv.outcome import Outcome
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.evidence import Evidence, evidence_of
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.profile import Constraint, Profile, Variant
from kerasenv.profiles.search import find_profile
from kerasenv.system.need import SystemNeed


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """All there is to say of a profile."""

    name: str
    summary: str
    era: str
    source: str
    extends: tuple[str, ...]
    pythons: tuple[str, ...]
    platforms: tuple[str, ...]
    requirements: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    build_constraints: tuple[Constraint, ...]
    system: tuple[SystemNeed, ...]
    variables: dict[str, str]
    variants: tuple[Variant, ...]
    pins: tuple[str, ...]
    wheels: tuple[Coverage, ...]
    """What the index has for each kind of machine; empty for a profile that doesn't ship with kerasenv."""
    verified: tuple[Evidence, ...]


def show(profile: options.ProfileName, variant: options.VariantName = None) -> Outcome[Shown]:
    """Show a profile: what it pins, each cap with its reason, where it runs, and what was verified."""
    found = find_profile(profile, cwd=Path.cwd())
    found = variant_of(found, variant) if variant else found
    shown = _shown(found, variant)
    words = f"{profile} --variant {variant}" if variant else profile
    return Outcome(data=shown, text=tuple(_lines(shown)), next_steps=(f"make it:  kerasenv create {words}",))


def _shown(profile: Profile, variant: str | None) -> Shown:
    pins, _ = shipped_pins(profile, variant=variant)
    return Shown(
        name=profile.name,
        summary=profile.summary,
        era=profile.era,
        source=profile.source,
        extends=profile.lineage,
        pythons=pythons_of(profile.requires_python),
        platforms=profile.platforms,
        requirements=tuple(str(one) for one in profile.requirements),
        constraints=profile.constraints,
        build_constraints=profile.build_constraints,
        system=profile.system,
        variables=variables_of(Promise.of(profile), Path("DIR")),
        variants=tuple(profile.variants.values()),
        pins=tuple(f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "") for pin in pins),
        wheels=coverage_of(profile) if variant is None else (),
        verified=tuple(one for one in evidence_of(profile) if one.variant == variant),
    )


def _lines(shown: Shown) -> list[str]:
    lines = [f"{shown.name}: {shown.summary}", f"  for        {shown.era}", f"  from       {shown.source}"]
    if shown.extends:
        lines.append(f"  extends    {', '.join(shown.extends)}")
    lines.append(f"  Pythons    {', '.join(shown.pythons)}")
    lines.append(f"  platforms  {', '.join(PLATFORMS[name].title for name in shown.platforms)}")
    lines += _where_not(shown)
    lines.append(f"  needs      {', '.join(shown.requirements)}")
    for title, constraints in (("caps", shown.constraints), ("built with", shown.build_constraints)):
        for cap in constraints:
            lines += [f"  {title:<10} {cap.requirement}", f"               because: {cap.because}"]
            lines.append(f"               seen: {cap.seen}")
    for need in shown.system:
        lines += [f"  system     {_system(need)}", f"               because: {need.because}"]
        lines.append(f"               seen: {need.seen}")
    lines += [f"  sets       {name}={value}" for name, value in shown.variables.items()]
    lines += [f"  --variant  {one.name}: {one.summary}" for one in shown.variants]
    for run in shown.verified:
        seconds = f"{run.seconds:.1f} s for the model"
        lines.append(f"  verified   {run.date[:10]} on {run.platform}, CPython {run.python}, {seconds}")
    if not shown.verified:
        lines.append("  verified   not yet")
    lines += [f"  pins       {len(shown.pins)}:", *(f"    {pin}" for pin in shown.pins)] if shown.pins else []
    return lines


def _system(need: SystemNeed) -> str:
    packages = ", ".join(f"{manager}: {package}" for manager, package in need.packages.items())
    where = f", on {', '.join(PLATFORMS[name].title for name in need.platforms)}" if need.platforms else ""
    use = "needed" if need.needed else "only to be faster"
    return f"{need.name} ({use}{where})" + (f"; {packages}" if packages else "")


def _where_not(shown: Shown) -> list[str]:
    """Return where wheels are missing, and what is built everywhere."""
    lines = []
    for one in shown.wheels:
        title = PLATFORMS[one.platform].title
        if not one.pythons:
            lines.append(f"  not on     {title}: no wheels of {', '.join(one.lacking)}")
        elif len(one.pythons) < len(one.missing):
            lines.append(f"  not all    {title}: CPython {', '.join(one.pythons)} only")
    built = dict.fromkeys(pin for one in shown.wheels if one.platform in shown.platforms for pin in one.built)
    return [*lines, f"  built      {', '.join(built)}, from source"] if built else lines
