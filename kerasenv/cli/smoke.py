"""kerasenv smoke"""  # noqa: D400, D415  # the name of the verb

from kerasenv.cli import options
from kerasenv.outcome import Outcome
from kerasenv.smoke.prove import smoke_error
from kerasenv.smoke.run import SmokeResult
from kerasenv.workflow import smoke as prove


def smoke(folder: options.Folder = options.DEFAULT_FOLDER) -> Outcome[SmokeResult]:
    """Build, compile, train, save and load a model in an environment, to prove that it works."""
    environment, result = prove(options.folder_from(folder))
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items() if version)
    verdict = f"{folder} works" if result.passed else f"{folder} does not work"
    return Outcome(
        data=result,
        text=(f"{verdict}: {environment.receipt.profile}, {versions or 'no versions known'}.",),
        error=None if result.passed else smoke_error(result, environment.receipt.profile),
    )
