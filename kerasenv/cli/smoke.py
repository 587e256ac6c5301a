"""kerasenv smoke"""  # noqa: D400, D415  # the name of the verb

from typing import Annotated

from kerasenv.cli import options
from kerasenv.cli.parameter import option
from kerasenv.outcome import Outcome
from kerasenv.smoke.prove import smoke_error
from kerasenv.smoke.run import SmokeResult
from kerasenv.workflow.smoke import smoke as prove


def smoke(
    folder: options.Folder = options.DEFAULT_FOLDER,
    *,
    full: Annotated[
        bool, option("--full", help="Then try the imports, layers and ways of training of the profile's era.")
    ] = False,
    require_gpu: Annotated[bool, option("--require-gpu", help="Fail if the backend sees no GPU.")] = False,
) -> Outcome[SmokeResult]:
    """Build, compile, train, save and load a model in an environment, to prove that it works."""
    environment, result = prove(options.folder_from(folder), full=full, gpu=require_gpu)
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items() if version)
    devices = f", on {', '.join(result.devices)}" if result.devices else ""
    verdict = f"{folder} works" if result.passed else f"{folder} does not work"
    return Outcome(
        data=result,
        text=(f"{verdict}: {environment.receipt.profile}, {versions or 'no versions known'}{devices}.",),
        error=None if result.passed else smoke_error(result, environment.receipt.profile),
    )
