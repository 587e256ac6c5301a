"""kerasenv verify"""  # noqa: D400, D415  # the name of the verb

from pathlib import Path

from kerasenv import progress
from kerasenv.cli import options
from kerasenv.cli.making import as_typed
from kerasenv.env.environment import open_environment
from kerasenv.env.verify import Verified, lock_of
from kerasenv.env.verify import verify as compare
from kerasenv.errors import VerifyError
from kerasenv.outcome import Outcome

_SHOWN = 50


def verify(
    folder: options.Folder = options.DEFAULT_FOLDER, *, lock: options.LockOfEnvironment = None
) -> Outcome[Verified]:
    """Compare an environment with its lock, file by file; nothing of the environment is executed.

    Packages, every installed file, activation hooks, Python and receipt: each difference is named.
    """
    environment = open_environment(options.folder_from(folder))
    with progress.step("Lock") as step:
        found, source = lock_of(environment, options.file_from(lock) if lock else None, cwd=Path.cwd())
        step.done(found.path.name, source=source)
    with progress.step("Files") as step:
        verified = compare(environment, found)
        step.done(f"{verified.packages} packages, {verified.files} files", source="RECORDs and receipt")
    count = len(verified.differences)
    if not count:
        return Outcome(data=verified, text=(f"{folder} is as {found.path.name} says.",))
    shown = [f"{one}" for one in verified.differences[:_SHOWN]]
    if count > _SHOWN:
        shown.append(f"and {count - _SHOWN} more: --json names them all")
    named = f" --lock {as_typed(lock)}" if lock else ""
    error = VerifyError(
        f"{folder} differs from {found.path.name} in {count} {'thing' if count == 1 else 'things'}.",
        looked_at=shown,
        hints=[f"Make it as the lock says: kerasenv sync {as_typed(folder)}{named}"],
    )
    return Outcome(data=verified, error=error)
