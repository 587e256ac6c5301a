"""The command line as typer reads it: help, completion, complaints, and every way in which an option can be written."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

import typer

import kerasenv
from kerasenv.cli.face import Verb
from kerasenv.cli.parameter import Parameter, taken_by
from kerasenv.errors import UsageError
from kerasenv.outcome import Outcome

# typer carries a click of its own, and shows of its errors only the leaves
_ClickError = cast("type[Exception]", typer.BadParameter.__mro__[2])


def run_fully(verbs: Mapping[str, Verb], groups: Mapping[str, str], words: Sequence[str]) -> Outcome[Any] | int:
    """Return what the verb returns, or the exit code of --help, --version and completion."""
    app = app_with(verbs, groups)
    try:
        done: Outcome[Any] | int = typer.main.get_command(app).main(
            list(words), prog_name="kerasenv", standalone_mode=False
        )
    except _ClickError as error:
        raise _told(error) from error
    return done


def app_with(verbs: Mapping[str, Verb], groups: Mapping[str, str]) -> typer.Typer:
    """Return an app of these verbs; those of two words stand in the group of the first one."""
    app = typer.Typer(
        name="kerasenv",
        help="Working Keras environments of every era: profile, lock, environment, proof.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_top)
    below: dict[str, typer.Typer] = {}
    for name, verb in verbs.items():
        group, _, last = name.rpartition(" ")
        if group and group not in below:
            below[group] = typer.Typer(help=groups[group])
            app.add_typer(below[group], name=group)
        below.get(group, app).command(last)(_for_typer(verb))
    return app


def _print_version(value: bool) -> None:  # noqa: FBT001  # typer's callback
    if value:
        typer.echo(f"kerasenv {kerasenv.__version__}")
        raise typer.Exit


def _top(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _for_typer(verb: Verb) -> Verb:
    """Return a verb whose signature says to typer what it takes."""

    def called(**arguments: Any) -> Any:
        return verb(**arguments)

    taken = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[one.annotation, _info(one.parameter)],
            default=one.default,
        )
        for one in taken_by(verb)
    ]
    called.__doc__ = verb.__doc__
    called.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in taken}
    return called


def _info(parameter: Parameter) -> Any:
    if not parameter.spellings:
        return typer.Argument(
            metavar=parameter.metavar,
            help=parameter.help,
            show_default=parameter.show_default,
            autocompletion=parameter.complete,
        )
    return typer.Option(
        *parameter.spellings,
        metavar=parameter.metavar,
        help=parameter.help,
        show_default=parameter.show_default,
        count=parameter.count,
    )


def _told(error: Any) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "kerasenv"
    usage = f"{path} [DIR] -- COMMAND..." if path.endswith(" run") else f"{path} --help"
    return UsageError(error.format_message(), hints=[usage])
