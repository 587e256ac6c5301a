"""kerasenv remove"""  # noqa: D400, D415  # the name of the verb

from dataclasses import dataclass

from kerasenv.cli import options
from kerasenv.env.environment import open_environment
from kerasenv.env.replace import heal, remove_folder
from kerasenv.outcome import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What is gone."""

    folder: str
    profile: str


def remove(folder: options.Folder = options.DEFAULT_FOLDER) -> Outcome[Removed]:
    """Remove an environment that kerasenv made; nothing else is ever removed."""
    place = options.folder_from(folder)
    heal(place)
    profile = open_environment(place).receipt.profile
    remove_folder(place)
    return Outcome(data=Removed(folder=str(place), profile=profile), text=(f"{folder} ({profile}) is gone.",))
