"""Make the environment into which packages are put: interpreter, activation scripts, hooks, and the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasenv import progress
from kerasenv.creators import create_environment
from kerasenv.env.hooks import write_activation_hooks, write_startup
from kerasenv.env.keras_home import write_keras_home
from kerasenv.env.relocate import relocate
from kerasenv.env.variables import keras_home, variables_of
from kerasenv.interpreters.serving import serving
from kerasenv.lock.lockfile import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from kerasenv.venv import BareEnvironment
    from kerasenv.workflow.plan import Making, Plan


def make_bare(plan: Plan, folder: Path) -> BareEnvironment:
    """Make it without any package."""
    making, interpreter = plan.making, plan.interpreter
    with progress.step("Environment") as step:
        bare = create_environment(interpreter, folder, index=making.index, prompt=making.folder.name)
        creator = serving(interpreter.version).creator
        step.done(f"Python {interpreter.version} in {making.folder}", source=creator.value)
    return bare


def hook(plan: Plan, bare: BareEnvironment) -> dict[str, str]:
    """Write what makes it the environment of a profile, which speaks of its later place; return the variables."""
    making, promise = plan.making, plan.promise
    variables = variables_of(promise, making.folder, instead=plan.findings.variables)
    with progress.step("Hooks") as step:
        write_keras_home(keras_home(bare.folder), promise)
        step.done(_write_hooks(bare, variables, making), source="backend and variables of the lock")
    relocate(bare.bin_dir, [], work=bare.folder.parent)
    # Whoever wants to know years later what it was made from finds it here
    write_file(bare.folder / plan.lock.path.name, plan.lock.content)
    return variables


def _write_hooks(bare: BareEnvironment, variables: dict[str, str], making: Making) -> str:
    """Write the hooks that are wanted and return what to say of them."""
    said = ", ".join(f"{name}={value}" for name, value in variables.items())
    where = []
    if making.activation_hooks:
        hooked = write_activation_hooks(bare.bin_dir, variables)
        where.append(f"{len(hooked.written)} activation scripts")
        for script in hooked.unknown:
            progress.note(f"{script.name} is of a shell that kerasenv doesn't know: it sets no variables.")
    if making.startup_hook:
        write_startup(bare.site_packages, variables)
        where.append("at interpreter start")
    return f"{said} ({', '.join(where) or 'set by nothing: both hooks are switched off'})"
