"""Write kerasenv/engines/tool_locks: what the private environments of pip-tools hold, for each target Python.

Run it from anywhere: python tools/lock_tools.py
"""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from kerasenv import process  # noqa: E402  # a checkout need not be installed
from kerasenv.requirements_file import format_hashed, parse_hashed  # noqa: E402
from kerasenv.uv import uv_command, uv_environ  # noqa: E402

TARGET = CHECKOUT / "kerasenv" / "engines" / "tool_locks"
WANTED = {
    # The first Python that a file is for; it serves the following ones up to the next file
    "3.6": ("pip-tools",),
    # pip-tools 6.14, the last one for 3.7, imports what pip 23.2 took away
    "3.7": ("pip-tools", "pip<23.2"),
    "3.8": ("pip-tools",),
    "3.9": ("pip-tools",),
    "3.10": ("pip-tools",),
}


def locked(python: str, requirements: tuple[str, ...]) -> str:
    """Return the hashed requirements of a tool environment, good for every platform."""
    words = ["pip", "compile", "-", "--universal", "--fork-strategy=fewest", f"--python-version={python}"]
    words += ["--generate-hashes", "--no-config", "--no-header", "--no-annotate", "--quiet", "--no-python-downloads"]
    answer = process.run([*uv_command(), *words], environ=uv_environ(), stdin="\n".join(requirements))
    if answer.returncode:
        sys.exit("\n".join(answer.last_lines()))
    return format_hashed(parse_hashed(answer.stdout))


def main() -> None:
    """Write every file anew."""
    for python, requirements in WANTED.items():
        path = TARGET / f"pip-tools-{python}.txt"
        path.write_text(locked(python, requirements), encoding="utf-8")
        print(path.relative_to(CHECKOUT))


if __name__ == "__main__":
    main()
