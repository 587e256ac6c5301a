"""What a verb takes: its arguments and options, said without typer, which takes long to import."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """What stands beside the type in an annotation; one without spellings is an argument."""

    spellings: tuple[str, ...] = ()
    metavar: str | None = None
    help: str
    show_default: bool = True
    count: bool = False
    """Its value is how often it is given."""
    complete: Callable[[str], list[str]] | None = None
    """Returns what it can become that has been begun."""


def argument(
    *,
    metavar: str,
    help: str,  # noqa: A002  # the word that typer has for it
    show_default: bool = True,
    complete: Callable[[str], list[str]] | None = None,
) -> Parameter:
    """Return what is given by its place on the command line."""
    return Parameter(metavar=metavar, help=help, show_default=show_default, complete=complete)


def option(
    *spellings: str,
    metavar: str | None = None,
    help: str,  # noqa: A002  # as above
    show_default: bool = True,
    count: bool = False,
) -> Parameter:
    """Return what is given by its name; one without a metavar has no value."""
    return Parameter(spellings=spellings, metavar=metavar, help=help, show_default=show_default, count=count)


class Taken:
    """A parameter of a verb's function, with what is said of it; without a default it must be given."""

    def __init__(self, of_function: inspect.Parameter) -> None:
        self.name: str = of_function.name
        self.default: Any = of_function.default
        self.annotation: Any
        self.parameter: Parameter
        self.annotation, self.parameter = get_args(of_function.annotation)

    @property
    def required(self) -> bool:
        """Say whether the verb can't do without it."""
        return self.default is inspect.Parameter.empty

    @property
    def several(self) -> bool:
        """Say whether it can be given more than once."""
        return get_origin(self._type) is list

    def read(self, word: str) -> Any:
        """Return what one word is for the function."""
        of: type = get_args(self._type)[0] if self.several else self._type
        return of(word)

    @property
    def _type(self) -> Any:
        if isinstance(self.annotation, UnionType):
            return next(one for one in get_args(self.annotation) if one is not NoneType)
        return self.annotation


def taken_by(function: Callable[..., Any]) -> list[Taken]:
    """Return all that a verb's function takes, in its order."""
    return [Taken(one) for one in inspect.signature(function).parameters.values()]
