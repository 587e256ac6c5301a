"""Write kerasenv/engines/tool_locks: what private environments hold, for each target Python.

Run it from anywhere: python tools/lock_tools.py, or for one file alone: python tools/lock_tools.py pip-tools-3.6
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from kerasenv import process  # noqa: E402  # a checkout need not be installed
from kerasenv.requirements_file import format_hashed, parse_hashed  # noqa: E402
from kerasenv.uv import uv_command, uv_environ  # noqa: E402

TARGET = CHECKOUT / "kerasenv" / "engines" / "tool_locks"
WANTED = {
    # The first Python that a file is for; it serves the following ones up to the next file
    "pip-tools-3.6": ("3.6", ("pip-tools",)),
    # pip-tools 6.14, the last one for 3.7, imports what pip 23.2 took away
    "pip-tools-3.7": ("3.7", ("pip-tools", "pip<23.2")),
    "pip-tools-3.8": ("3.8", ("pip-tools",)),
    "pip-tools-3.9": ("3.9", ("pip-tools",)),
    "pip-tools-3.10": ("3.10", ("pip-tools",)),
    # The last one that makes environments of 2.7; it runs under a Python that runs kerasenv
    "virtualenv-2.7": ("3.10", ("virtualenv==20.21.1",)),
}
# The last releases for 2.7, since uv resolves for no Python before 3.6: this pip-tools, what it needs, and what it asks
# the metadata of source distributions with
GIVEN = {"pip-tools-2.7": ("pip-tools==5.5.0", "click==7.1.2", "pip==20.3.4", "setuptools==44.1.1", "wheel==0.37.1")}


def locked(python: str, requirements: tuple[str, ...], *options: str) -> str:
    """Return the hashed requirements of a tool environment, good for every platform."""
    words = ["pip", "compile", "-", "--universal", "--fork-strategy=fewest", f"--python-version={python}"]
    words += ["--generate-hashes", "--no-config", "--no-header", "--no-annotate", "--quiet", "--no-python-downloads"]
    answer = process.run([*uv_command(), *words, *options], environ=uv_environ(), stdin="\n".join(requirements))
    if answer.returncode:
        sys.exit("\n".join(answer.last_lines()))
    return format_hashed(parse_hashed(answer.stdout))


def main() -> None:
    """Write every file anew, or those that are named: pip-tools-3.6."""
    contents = {name: partial(locked, *wanted) for name, wanted in WANTED.items()}
    contents |= {name: partial(locked, "3.6", pins, "--no-deps") for name, pins in GIVEN.items()}
    for name in sys.argv[1:] or contents:
        path = TARGET / f"{name}.txt"
        path.write_text(contents[name](), encoding="utf-8")
        print(path.relative_to(CHECKOUT))


if __name__ == "__main__":
    main()
