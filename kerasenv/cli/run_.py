"""kerasenv run"""  # noqa: D400, D415  # the name of the verb

import os

from kerasenv.cli import face, options
from kerasenv.cli.making import as_typed
from kerasenv.env.environment import open_environment
from kerasenv.env.variables import activated
from kerasenv.errors import UsageError
from kerasenv.outcome import Outcome
from kerasenv.process import hand_over


def run(folder: options.Folder = options.DEFAULT_FOLDER) -> Outcome[None]:
    """Run a command in an environment without activating it: kerasenv run [DIR] -- COMMAND..."""
    words = face.current.get().words
    if not words:
        raise UsageError(
            "There is no command to run.", hints=[f"kerasenv run {as_typed(folder)} -- python your_script.py"]
        )
    place = options.folder_from(folder)
    environment = open_environment(place)
    environ = activated(os.environ, place, environment.receipt.variables)
    raise face.Leave(hand_over(words, environ=environ))
