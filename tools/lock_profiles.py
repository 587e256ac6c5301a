"""Resolve shipped profiles anew and write their pins: profiles/NAME.txt, and profiles/NAME.VARIANT.txt.

    python tools/lock_profiles.py                  all of them
    python tools/lock_profiles.py tf2-modern       one, with its variants
    python tools/lock_profiles.py --check          say whether the committed files fit their profiles; resolves nothing

The pins hold for every Python and platform of the profile. They have the sha256 of each file that a lock may name, and
no address. Whoever changes them verifies them: tools/verify_profiles.py.

Where a [[build-constraints]] has no sha256 yet, the digests of that version's wheels are written into the profile;
those that are there are compared with what the index says.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from kerasenv.engine import Index, files_of
from kerasenv.engines.choose import choose_engine
from kerasenv.index import SimpleIndex
from kerasenv.interpreters.find import find_interpreter
from kerasenv.interpreters.serving import serving
from kerasenv.lock.cells import pythons_of
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.resolve import resolve
from kerasenv.lock.satisfy import unmet_by_pins
from kerasenv.lock.wish import Wish
from kerasenv.profiles.evidence import pins_name
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.load import load_profile_file
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import list_profiles
from kerasenv.requirements_file import format_hashed
from kerasenv.resolution import Pin
from kerasenv.resources import shipped_profiles

if TYPE_CHECKING:
    from packaging.pylock import Pylock


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    shipped = [
        one for one in list_profiles(cwd=shipped_profiles()).profiles if not options.names or one.name in options.names
    ]
    failed = False
    for profile in shipped:
        if options.check:
            unknown = [str(one.requirement) for one in profile.build_constraints if not one.sha256]
            failed |= bool(unknown)
            print("".join(f"{profile.name}.toml: {one} has no sha256\n" for one in unknown), end="")
        else:
            _hash_build_constraints(profile.name)
        for variant in (None, *profile.variants):
            chosen = variant_of(profile, variant) if variant else profile
            if options.check:
                faults = unmet_by_pins(shipped_pins(chosen, variant=variant)[0], chosen)
                failed |= bool(faults)
                print(f"{pins_name(profile.name, variant)}: {'; '.join(faults) or 'fits'}")
            else:
                _write(chosen, variant)
    return int(failed)


def _hash_build_constraints(name: str) -> None:
    """Give each build constraint of a profile's own file the sha256 of the wheels of its version."""
    place = shipped_profiles() / f"{name}.toml"
    text = place.read_text("utf-8")
    for one in load_profile_file(place, place.name).build_constraints:
        (pinned,) = one.requirement.specifier
        files = SimpleIndex(Index()).files(one.requirement.name)
        digests = [
            file.sha256
            for file in files
            if file.name.endswith(".whl") and pinned.contains(file.version, prereleases=True) and file.sha256
        ]
        if not digests or (one.sha256 and set(one.sha256) - set(digests)):
            sys.exit(f"{place.name}: {one.requirement}: the wheels of the index have sha256 {', '.join(digests)}")
        if not one.sha256:
            head = f'[[build-constraints]]\nrequirement = "{one.requirement}"\n'
            said = ", ".join(f'"{digest}"' for digest in sorted(digests))
            row = f"sha256 = [{said}]\n"
            if len(row) > 121:  # noqa: PLR2004  # with its line end
                row = "sha256 = [\n" + "".join(f'  "{digest}",\n' for digest in sorted(digests)) + "]\n"
            if text.count(head) != 1:
                sys.exit(f"{place.name}: 'requirement = \"{one.requirement}\"' must come first in its table")
            text = text.replace(head, head + row)
            print(f"{place.name}: {one.requirement} has {len(digests)} sha256 now")
    place.write_text(text, encoding="utf-8", newline="\n")


def _write(profile: Profile, variant: str | None) -> None:
    pythons = pythons_of(profile.requires_python)
    sees_all = "uv" in serving(pythons[0]).engines
    wanted = SpecifierSet(">=3.10") if sees_all else profile.requires_python
    interpreter = find_interpreter(wanted, who="this tool")
    engine, _ = choose_engine(None, interpreter)
    wish = Wish(profile=profile, interpreter=interpreter, index=Index())
    pins = _pins(resolve(wish, engine))
    if not sees_all:
        # It chose for this machine alone. The versions stand for the others too: nothing on CPython 2.7 differs there
        chosen = tuple(replace(pin, marker=None, hashes=frozenset()) for pin in pins)
        pins = _pins(resolve(wish, engine, pins=chosen, exactly_pins=True))
    target = shipped_profiles() / pins_name(profile.name, variant)
    title = profile.name + (f", variant {variant}" if variant else "")
    head = f"# The pins of {title}, for every Python and platform it is for.\n# Made by tools/lock_profiles.py.\n"
    target.write_text(head + format_hashed(pins), encoding="utf-8", newline="\n")
    print(f"{target.name}: {len(pins)} pins, {sum(len(pin.hashes) for pin in pins)} files")


def _pins(pylock: Pylock) -> list[Pin]:
    return [
        Pin(
            name=package.name,
            version=package.version,
            marker=str(package.marker) if package.marker else None,
            hashes=frozenset(file.hashes["sha256"] for file in files_of(package)),
        )
        for package in pylock.packages
        if package.version is not None
    ]


if __name__ == "__main__":
    sys.exit(main())
