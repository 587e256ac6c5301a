"""Ask the index for which machines it has wheels of what the shipped profiles pin, and write profiles/wheels.json.

    python tools/find_wheels.py                  all of them
    python tools/find_wheels.py tf2-modern       one; what is known of the others stays

Each profile is looked at on every platform that kerasenv knows, its own or not, and on each of its Pythons: what is
`missing` there has wheels for other machines and none for that one; what is `built` is a source distribution without
compiled code, or one that the profile's author saw build.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName, parse_wheel_filename

from kerasenv.engine import Index
from kerasenv.index import IndexFile, SimpleIndex
from kerasenv.lock.cells import Cell, pythons_of
from kerasenv.lock.pins import shipped_pins
from kerasenv.lock.wheels import FILE
from kerasenv.platforms import PLATFORMS
from kerasenv.profiles.evidence import pins_digest
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import list_profiles
from kerasenv.resolution import Pin
from kerasenv.resources import shipped_profiles

if TYPE_CHECKING:
    from collections.abc import Mapping


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    place = shipped_profiles() / FILE
    known = json.loads(place.read_text("utf-8")) if place.is_file() else {}
    shipped = list_profiles(cwd=shipped_profiles()).profiles
    chosen = [
        (profile, shipped_pins(profile)[0]) for profile in shipped if not options.names or profile.name in options.names
    ]
    found = SimpleIndex(Index()).files_of({pin.name for _, pins in chosen for pin in pins})
    known |= {profile.name: _row(profile, pins, found) for profile, pins in chosen}
    rows = {name: known[name] for name in sorted(known) if name in {profile.name for profile in shipped}}
    place.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8", newline="\n")
    return 0


def _row(
    profile: Profile, pins: tuple[Pin, ...], found: Mapping[NormalizedName, tuple[IndexFile, ...]]
) -> dict[str, Any]:
    files = {pin: [file for file in found[pin.name] if file.version == pin.version] for pin in pins}
    platforms: dict[str, dict[str, dict[str, list[str]]]] = {}
    for name, platform in PLATFORMS.items():
        for python in pythons_of(profile.requires_python):
            cell = Cell(python=python, platform=platform)
            platforms.setdefault(name, {})[python] = _cell(cell, files, ours=name in profile.platforms)
    whole = [name for name, cells in platforms.items() if not any(cell["missing"] for cell in cells.values())]
    print(f"{profile.name:<24} every wheel for {', '.join(whole) or 'no platform'}", flush=True)
    return {"pins": pins_digest(profile.name, None), "platforms": platforms}


def _cell(cell: Cell, files: dict[Pin, list[IndexFile]], *, ours: bool) -> dict[str, list[str]]:
    missing: list[str] = []
    built: list[str] = []
    for pin, of_version in files.items():
        if not cell.holds(pin.marker) or any(cell.can_run(file.name) for file in of_version):
            continue
        sdists = {file.sha256 for file in of_version if not file.name.endswith(".whl")}
        accepted = ours and bool(sdists & pin.hashes)
        can_be_built = accepted or (bool(sdists) and not any(map(_holds_machine_code, of_version)))
        (built if can_be_built else missing).append(f"{pin.name} {pin.version}")
    return {"missing": missing, "built": built}


def _holds_machine_code(file: IndexFile) -> bool:
    return file.name.endswith(".whl") and any(tag.platform != "any" for tag in parse_wheel_filename(file.name)[3])


if __name__ == "__main__":
    sys.exit(main())
