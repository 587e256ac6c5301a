"""Write what of the documentation follows from the program itself.

    python tools/reference.py            docs/reference/cli.md and docs/reference/profiles.md
    python tools/reference.py --check    say whether the committed files are what it makes; changes nothing

The first says what the verbs and options say of themselves, the second what the shipped profiles say and what was
verified of them.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

import typer  # noqa: E402  # a checkout need not be installed

from kerasenv.cli.app import GROUPS, VERBS, load  # noqa: E402
from kerasenv.cli.full import app_with  # noqa: E402
from kerasenv.lock.cells import pythons_of  # noqa: E402
from kerasenv.lock.pins import shipped_pins  # noqa: E402
from kerasenv.lock.wheels import coverage_of  # noqa: E402
from kerasenv.platforms import PLATFORMS  # noqa: E402
from kerasenv.profiles.evidence import Evidence, evidence_of, pins_name  # noqa: E402
from kerasenv.profiles.inherit import inherit, variant_of  # noqa: E402
from kerasenv.profiles.load import RawProfile, load_profile_file  # noqa: E402
from kerasenv.profiles.profile import Constraint, Profile  # noqa: E402
from kerasenv.resources import SHIPPED_PROFILES, shipped_profiles  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.requirements import Requirement

REFERENCE = CHECKOUT / "docs" / "reference"
MADE_BY = "<!-- Made by tools/reference.py. -->"

CLI_HEAD = """\
# The command line

    kerasenv VERB [OPTIONS] [ARGUMENTS]

`python -m kerasenv` is the same program.
What it prints with `--json`, and its exit codes, stand in [JSON and exit codes](json.md).
"""
COMMON_HEAD = """\
## Options of every verb

Each verb takes these as well.
"""
PROFILES_HEAD = """\
# The shipped profiles

`kerasenv show PROFILE` prints the same, and every version that a profile pins.
What each entry means stands in [the format of a profile](profile-format.md).

A profile is *verified* on a Python when its shipped pins were installed there and its model was built, trained, saved
and loaded; where no date is given, nobody has done that yet.
"""
# What was verified is told by these of the versions that took part
TELLING = ("keras", "tensorflow", "theano", "torch", "jax", "numpy", "h5py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = False
    for name, content in pages().items():
        place = REFERENCE / name
        committed = place.read_text("utf-8") if place.is_file() else ""
        if committed == content:
            print(f"{name}: as it should be")
        elif options.check:
            stale = True
            lines = committed.splitlines(), content.splitlines()
            print("\n".join(difflib.unified_diff(*lines, f"{name} (committed)", f"{name} (made)", n=1, lineterm="")))
        else:
            place.write_text(content, encoding="utf-8", newline="\n")
            print(f"{name}: written")
    if stale:
        print("Write them anew: python tools/reference.py")
    return int(stale)


def pages() -> dict[str, str]:
    """Return the content of every page by its file name."""
    return {"cli.md": cli_page(), "profiles.md": profiles_page()}


def cli_page() -> str:
    group: Any = typer.main.get_command(app_with({name: load(name) for name in VERBS}, GROUPS))
    verbs: dict[str, Any] = {}
    for name, command in group.commands.items():
        within = getattr(command, "commands", None)  # python list, python install
        verbs |= {f"{name} {verb}": one for verb, one in within.items()} if within else {name: command}
    spelled = [{_spelled(option) for option in _options(verb)} for verb in verbs.values()]
    spoken = set.intersection(*spelled)
    common = [option for option in _options(verbs["create"]) if _spelled(option) in spoken]
    parts = [MADE_BY, CLI_HEAD]
    for name, verb in verbs.items():
        own = [option for option in _options(verb) if _spelled(option) not in spoken]
        parts += [f"## kerasenv {name}\n", f"    {_usage(name, verb)}\n", f"{_help(verb)}\n"]
        arguments = [(f"`{_argument_name(one)}`", _meaning(one)) for one in _arguments(verb)]
        parts += _table(("argument", "meaning"), arguments)
        parts += _table(("option", "meaning"), [(_spelled(one), _meaning(one)) for one in own])
    parts += [COMMON_HEAD, *_table(("option", "meaning"), [(_spelled(one), _meaning(one)) for one in common])]
    alone = [option for option in _options(group) if _spelled(option) not in spoken]
    parts += ["## Options without a verb\n"]
    parts += _table(("option", "meaning"), [(_spelled(one), _meaning(one)) for one in alone])
    return _joined(parts)


def _options(command: Any) -> list[Any]:
    context = command.context_class(command)
    shown = [one for one in command.get_params(context) if one.param_type_name == "option" and not one.hidden]
    return sorted(shown, key=lambda one: "--help" in one.opts)


def _arguments(command: Any) -> list[Any]:
    return [one for one in command.params if one.param_type_name == "argument" and not one.hidden]


def _usage(name: str, command: Any) -> str:
    """Return how a verb is called: in its own words if it has any, since click knows nothing of what follows `--`."""
    own = re.search(rf"kerasenv {name} (.+)", _help(command))
    return " ".join(["kerasenv", name, "[OPTIONS]", *([own[1]] if own else map(_argument_name, _arguments(command)))])


def _argument_name(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).strip("[]")
    return name if argument.required else f"[{name}]"


def _spelled(option: Any) -> str:
    """Return an option as it is typed, the long form first."""
    takes_value = not option.is_flag and not option.count
    value = f" {option.metavar}" if takes_value and option.metavar else ""
    names = sorted(option.opts, key=lambda one: not one.startswith("--"))
    return ", ".join(f"`{one}{value}`" for one in names).replace("|", "\\|")


def _meaning(parameter: Any) -> str:
    default = parameter.default if isinstance(parameter.default, (str, Path)) else None
    said = " ".join((getattr(parameter, "help", None) or "").split()).replace("*", "\\*").replace("|", "\\|")
    return f"{said} Default: `{default}`." if default else said


def _help(command: Any) -> str:
    paragraphs = (command.help or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def profiles_page() -> str:
    names = sorted(path.stem for path in shipped_profiles().glob("*.toml"))
    profiles = [_shipped(name) for name in names]
    rows = [
        (
            f"[`{profile.name}`](#{profile.name})",
            profile.summary,
            ", ".join(pythons_of(profile.requires_python)),
            ", ".join(PLATFORMS[name].title for name in profile.platforms),
            _latest(evidence_of(profile)),
        )
        for profile in profiles
    ]
    parts = [MADE_BY, PROFILES_HEAD, *_table(("profile", "what it is", "CPython", "platforms", "last verified"), rows)]
    for profile in profiles:
        parts += _profile(profile)
    return _joined(parts)


def _shipped(name: str) -> Profile:
    """Return a shipped profile, whatever profiles of their own the one who runs this has."""
    return inherit(_load(name), lambda chain: _load(chain[-1].extends or ""))


def _load(name: str) -> RawProfile:
    return load_profile_file(shipped_profiles() / f"{name}.toml", f"{SHIPPED_PROFILES}/{name}.toml", name=name)


def _profile(profile: Profile) -> Iterator[str]:
    yield f"## {profile.name}\n"
    yield f"{profile.summary}.\n"
    yield f"- For: {profile.era}."
    yield f"- Needs: {', '.join(f'`{_spoken(one)}`' for one in profile.requirements)}."
    if profile.backend:
        yield f"- Backend: `{profile.backend}`."
    for name, value in profile.variables.items():
        yield f"- Sets: `{name}={value}`."
    yield f"- Pins: {_count(profile, None)}."
    yield from _wheels(profile)
    for variant in profile.variants.values():
        where = ", ".join(PLATFORMS[name].title for name in variant.platforms) or "all its platforms"
        count = _count(variant_of(profile, variant.name), variant.name)
        yield f"- Variant `{variant.name}`: {variant.summary}. On {where}; {count}."
    yield ""
    yield from _caps("Caps", profile.constraints)
    yield from _caps("Caps on what builds source distributions", profile.build_constraints)
    yield from _system(profile)
    yield from _verified(evidence_of(profile))


def _count(profile: Profile, variant: str | None) -> str:
    pins, _ = shipped_pins(profile, variant=variant)
    if not pins:
        return "no shipped pins"
    return f"{len({pin.name for pin in pins})} packages in `{pins_name(profile.name, variant)}`"


def _wheels(profile: Profile) -> Iterator[str]:
    for one in coverage_of(profile):
        title = PLATFORMS[one.platform].title
        if not one.pythons:
            yield f"- Not on {title}: there are no wheels of {', '.join(one.lacking)}."
        elif len(one.pythons) < len(one.missing):
            yield f"- On {title} there are wheels for CPython {', '.join(one.pythons)} only."
    ours = [one for one in coverage_of(profile) if one.platform in profile.platforms]
    if built := dict.fromkeys(pin for one in ours for pin in one.built):
        yield f"- Built from source: {', '.join(built)}."


def _caps(title: str, constraints: Iterable[Constraint]) -> Iterator[str]:
    rows = [(f"`{_spoken(one.requirement)}`", _text(one.because), _text(one.seen)) for one in constraints]
    if rows:
        yield f"{title}:\n"
        yield from _table(("cap", "without it", "seen with"), rows)


def _system(profile: Profile) -> Iterator[str]:
    rows = [
        (
            need.name,
            "all its platforms" if not need.platforms else ", ".join(PLATFORMS[name].title for name in need.platforms),
            "" if need.needed else "only to be faster",
            _text(need.because),
            ", ".join(f"{manager}: `{package}`" for manager, package in need.packages.items()),
        )
        for need in profile.system
    ]
    if rows:
        yield "What must come from the system:\n"
        yield from _table(("what", "where", "", "without it", "packages"), rows)


def _verified(runs: Iterable[Evidence]) -> Iterator[str]:
    rows = [
        (
            run.date[:10],
            PLATFORMS[run.platform].title if run.platform in PLATFORMS else run.platform,
            run.python,
            run.variant or "",
            ", ".join(f"{name} {run.versions[name]}" for name in TELLING if name in run.versions),
        )
        for run in runs
    ]
    if rows:
        yield "Verified:\n"
        yield from _table(("when", "where", "CPython", "variant", "with"), rows)
    else:
        yield "Not verified yet.\n"


def _latest(runs: Iterable[Evidence]) -> str:
    return max((run.date[:10] for run in runs), default="not yet")


def _spoken(requirement: Requirement) -> str:
    """Return a requirement with its bounds in the order in which people write them, the lower one first."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    bounds = ",".join(sorted(map(str, requirement.specifier), reverse=True))
    return f"{requirement.name}{extras}{bounds}" + (f" ; {requirement.marker}" if requirement.marker else "")


def _text(words: str) -> str:
    """Return words as Markdown that shows them as they are, in one cell of a table."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_<>[]|" else letter for letter in words)
    return " ".join(escaped.split())


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    for cells in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(cells)} |"
    yield ""


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
