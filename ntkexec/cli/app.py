"""The app: mounts the commands, and makes the settings of the whole process once for all of them."""

import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ntkexec.cli import beside
from ntkexec.cli.commands import (
    algorithms,
    cache,
    certify,
    complexity,
    live,
    paper,
    prove,
    run,
    show,
    train,
)
from ntkexec.cli.headings import Headed
from ntkexec.errors import NtkexecError
from ntkexec.runtime import settings

BESIDE = {"check": "proofs_check.command", "experiment": "experiments.command"}
"""Commands of the packages beside this one: the only place that names them."""

COMPILES_NOTHING = ("algorithms", "cache", "paper")
"""Commands that need no compiled code, and so look for none on the disk."""

# Any: contexts and commands of the framework's inner modules.


class Commands(TyperGroup):
    """A group of commands, of which those of other packages are loaded when they are asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in BESIDE:
            beside.load(BESIDE[args[0]])  # where it is not to be had, this says why
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in BESIDE:
            return super().get_command(ctx, cmd_name)
        try:
            return typer.main.get_command(beside.load(BESIDE[cmd_name]).app)
        except NtkexecError:
            return None


app = typer.Typer(
    name="ntkexec",
    cls=Commands,
    help="Execute graph algorithms exactly with networks trained on a node's local instructions.",
    epilog="Example: ntkexec run flooding karate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def make_settings(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Say on stderr what is done and how long it took."),
    ] = False,
) -> None:
    """Execute graph algorithms exactly with networks trained on a node's local instructions."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    log = logging.getLogger("ntkexec")
    log.setLevel(level)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ntkexec: %(message)s"))
    log.handlers = [handler]
    settings.check_flags(os.environ)
    settings.compile_sooner(os.environ)
    if context.invoked_subcommand not in COMPILES_NOTHING:
        settings.keep_on_disk(os.environ)


def _stand_in() -> None:
    """Gives a command of another package its place in the list."""


for _name, _module in {
    "run": run,
    "certify": certify,
    "prove": prove,
    "show": show,
    "train": train,
    "algorithms": algorithms,
    "live": live,
    "cache": cache,
    "check": None,
    "complexity": complexity,
    "paper": paper,
    "experiment": None,
}.items():
    if _module is None:
        app.command(_name)(_stand_in)
    else:
        app.command(_name, cls=Headed, epilog=f"Example: {_module.EXAMPLE}")(_module.command)
