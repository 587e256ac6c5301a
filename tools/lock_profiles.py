"""Resolve shipped profiles anew and write their pins: profiles/NAME.txt, and profiles/NAME.VARIANT.txt.

    python tools/lock_profiles.py                  all of them
    python tools/lock_profiles.py tf2-modern       one, with its variants
    python tools/lock_profiles.py --check          say whether the committed files fit their profiles; resolves nothing

The pins hold for every Python and platform of the profile. They have the sha256 of each file that a lock may name, and
no address. Whoever changes them verifies them: tools/verify_profiles.py.
"""

from __future__ import annotations

import argparse
import sys

from packaging.specifiers import SpecifierSet

from kerasenv.engine import Index, Pin, files_of
from kerasenv.engines.uv import UvEngine
from kerasenv.interpreters.find import find_interpreter
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.resolve import Wish, resolve
from kerasenv.lock.satisfy import unmet_by_pins
from kerasenv.profiles.evidence import pins_name
from kerasenv.profiles.inherit import variant_of
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import list_profiles
from kerasenv.requirements_file import format_hashed
from kerasenv.resources import shipped_profiles


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
        for variant in (None, *profile.variants):
            chosen = variant_of(profile, variant) if variant else profile
            if options.check:
                faults = unmet_by_pins(shipped_pins(chosen, variant=variant)[0], chosen)
                failed |= bool(faults)
                print(f"{pins_name(profile.name, variant)}: {'; '.join(faults) or 'fits'}")
            else:
                _write(chosen, variant)
    return int(failed)


def _write(profile: Profile, variant: str | None) -> None:
    interpreter = find_interpreter(SpecifierSet(">=3.10"), who="this tool")
    wish = Wish(profile=profile, interpreter=interpreter, index=Index())
    pylock = resolve(wish, UvEngine())
    pins = [
        Pin(
            name=package.name,
            version=package.version,
            marker=str(package.marker) if package.marker else None,
            hashes=frozenset(file.hashes["sha256"] for file in files_of(package)),
        )
        for package in pylock.packages
        if package.version is not None
    ]
    target = shipped_profiles() / pins_name(profile.name, variant)
    title = profile.name + (f", variant {variant}" if variant else "")
    head = f"# The pins of {title}, for every Python and platform it is for.\n# Made by tools/lock_profiles.py.\n"
    target.write_text(head + format_hashed(pins), encoding="utf-8", newline="\n")
    print(f"{target.name}: {len(pins)} pins, {sum(len(pin.hashes) for pin in pins)} files")


if __name__ == "__main__":
    sys.exit(main())
