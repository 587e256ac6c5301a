"""Build shipped profiles from their pins for real, run their models, and keep what came out as evidence.

    python tools/verify_profiles.py                       every profile on every Python of this machine that it is for
    python tools/verify_profiles.py theano-legacy         one of them

A run that fails takes the evidence of the same profile, variant, platform and Python away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from packaging.specifiers import SpecifierSet

from kerasenv import process
from kerasenv.interpreters.find import find_all
from kerasenv.interpreters.interpreter import Interpreter
from kerasenv.profiles.evidence import FILE, Evidence, pins_digest
from kerasenv.profiles.profile import Profile
from kerasenv.profiles.search import list_profiles
from kerasenv.resources import shipped_profiles


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    here = {interpreter.minor: interpreter for interpreter in reversed(find_all(SpecifierSet()))}
    failed = False
    for profile in list_profiles(cwd=shipped_profiles()).profiles:
        if options.names and profile.name not in options.names:
            continue
        for interpreter in here.values():
            if profile.requires_python.contains(interpreter.version):
                failed |= not _verify(profile, interpreter)
    return int(failed)


def _verify(profile: Profile, interpreter: Interpreter) -> bool:
    with tempfile.TemporaryDirectory(prefix="kerasenv-verify-") as folder:
        words = ["create", profile.name, ".venv", "--python", str(interpreter.path), "--json", "--quiet"]
        answer = process.run(
            [sys.executable, "-m", "kerasenv", *words],
            cwd=Path(folder),
            environ={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        )
    envelope = json.loads(answer.stdout)
    platform = interpreter.platform.name if interpreter.platform else "unknown"
    smoke = envelope["data"]["smoke"] if envelope["data"] else None
    evidence = Evidence(
        profile=profile.name,
        variant=None,
        date=envelope["data"]["environment"]["receipt"]["smoke"]["at"] if smoke else "",
        platform=platform,
        python=str(interpreter.version),
        seconds=round(smoke["seconds"], 1) if smoke else 0.0,
        versions=smoke["versions"] if smoke else {},
        pins=pins_digest(profile.name, None) or "",
    )
    _keep(evidence, passed=bool(smoke and smoke["passed"]))
    said = f"{evidence.seconds} s" if smoke else envelope["error"]["message"]
    print(f"{profile.name:<24} CPython {interpreter.version}  {'passed' if smoke else 'FAILED'}  {said}", flush=True)
    return bool(smoke)


def _keep(evidence: Evidence, *, passed: bool) -> None:
    place = shipped_profiles() / FILE
    rows = json.loads(place.read_text("utf-8")) if place.is_file() else []
    same = (evidence.profile, evidence.variant, evidence.platform, evidence.python)
    rows = [row for row in rows if (row["profile"], row["variant"], row["platform"], row["python"]) != same]
    rows += [asdict(evidence)] if passed else []
    rows.sort(
        key=lambda row: (row["profile"], row["variant"] or "", row["platform"], row["python"].split(".")[1].zfill(2))
    )
    place.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
