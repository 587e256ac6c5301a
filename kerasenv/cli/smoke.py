"""kerasenv smoke"""  # noqa: D400, D415  # the name of the verb

from kerasenv import progress
from kerasenv.cli import options
from kerasenv.outcome import Outcome
from kerasenv.smoke.run import SmokeResult
from kerasenv.workflow import smoke as prove
from kerasenv.workflow import smoke_error


def smoke(folder: options.Folder = options.DEFAULT_FOLDER) -> Outcome[SmokeResult]:
    """Build, compile, train, save and load a model in an environment, to prove that it works."""
    with progress.step("Smoke test") as step:
        environment, result = prove(options.folder_from(folder))
        step.failed = not result.passed
        step.done("passed" if result.passed else "failed", source=str(folder))
    text = [f"{one.name:<12} {one.status:<8} {one.seconds:6.2f} s  {one.detail or ''}".rstrip() for one in result.steps]
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items() if version)
    return Outcome(
        data=result,
        text=(*text, versions) if versions else tuple(text),
        error=None if result.passed else smoke_error(result, environment.receipt.profile),
    )
