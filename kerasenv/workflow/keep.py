"""Let the store keep what an environment was made of, in a process that goes on when the command is done.

python -m kerasenv.workflow.keep ENVIRONMENT NANOSECONDS
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kerasenv import process
from kerasenv.errors import KerasenvError
from kerasenv.folders import cache_folder
from kerasenv.store.place import announce, is_switched_on, withdraw
from kerasenv.store.sources import compiled_source, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.pylock import Package

    from kerasenv.engine import BuildConstraint
    from kerasenv.interpreters.interpreter import Interpreter
    from kerasenv.store.sources import Source

_LESS_URGENT = 10


def sources_for(
    packages: Iterable[Package], interpreter: Interpreter, build_constraints: Sequence[BuildConstraint]
) -> list[Source]:
    """Return what packages are installed from, of those that the store can keep."""
    found = (source_of(package, interpreter, build_constraints) for package in packages)
    return [source for source in found if source is not None]


def keep_afterwards(environment: Path) -> None:
    """Start the process that does it."""
    if not is_switched_on():
        return
    cache = cache_folder()
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        announce(environment)
    words = [sys.executable, "-m", __name__, str(environment), str(time.time_ns())]
    process.leave_behind(words, environ=os.environ, cwd=cache)


def main(environment: Path, since: int) -> None:
    """Put into the store what an environment holds, if it is still the one that was made."""
    from kerasenv.env.environment import open_environment  # noqa: PLC0415  # only this process needs all that follows
    from kerasenv.interpreters.find import inspect  # noqa: PLC0415
    from kerasenv.lock.lockfile import read_lock  # noqa: PLC0415
    from kerasenv.lock.machine import packages_here  # noqa: PLC0415
    from kerasenv.store.keep import keep  # noqa: PLC0415

    receipt = open_environment(environment).receipt
    lock = read_lock(environment / receipt.lock_name)
    interpreter = inspect(Path(receipt.python_path), source="as in the environment")
    constraints = lock.promise.build_constraints if lock.promise else ()
    sources = sources_for(packages_here(lock.pylock, interpreter), interpreter, constraints)
    if lock.promise is None:  # it was built with what the profile says, which may be another one by now
        sources = [source for source in sources if source.tags is not None]
    proven = receipt.smoke is not None and receipt.smoke["passed"]
    templates = lock.promise.variables if lock.promise and proven else {}
    compiled = compiled_source(templates, receipt.lock_digest, interpreter)
    keep(environment, sources, interpreter, compiled=compiled, own=receipt.files or {}, since=since)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(_LESS_URGENT)
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except KerasenvError:  # it was taken away meanwhile, and nobody listens
        pass
    finally:
        withdraw(Path(sys.argv[1]))
