"""The group `ntkexec experiment`, and options and words that its commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ntkexec import vocabulary

app = typer.Typer(
    help="Ports of other papers: run them, measure their claims, judge them.",
    epilog="Example: ntkexec experiment list",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


Scale = Annotated[
    vocabulary.Scale, typer.Option(help="How much to measure; the claims stay the same.")
]
Seeds = Annotated[
    int | None, typer.Option(help="Number of seeds; by default what the experiment says.")
]
FirstSeed = Annotated[
    int, typer.Option(help="Seeds count from here; those below 1000 are for pilots.")
]
Change = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the configuration."),
]
Study = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Measure this study alone; again for another."),
]
Out = Annotated[
    Path, typer.Option(help="Folder for results; what is there already is not measured again.")
]
Data = Annotated[
    Path | None,
    typer.Option(envvar="NTKEXEC_DATA", help="Folder with real data sets; see experiment data."),
]


def chosen_slugs(names: Sequence[str]) -> tuple[str, ...]:
    """The ports that are named, each once; "all" among the names is all of them."""
    from experiments.harness import registry

    return registry.slugs() if "all" in names else tuple(dict.fromkeys(names))


def raise_failed(failures: dict[str, str], num: int) -> None:
    """Says what could not be done, by port, a line each: one line would be cut."""
    from ntkexec.errors import ExperimentError, clean

    if len(failures) > 1:
        for slug, why in failures.items():
            typer.echo(f"ntkexec: {clean(f'{slug}: {why}')}", err=True)
        raise ExperimentError(f"{len(failures)} of {num} experiments failed: {', '.join(failures)}")
    for slug, why in failures.items():
        raise ExperimentError(why if why.startswith(f"{slug} ") else f"{slug}: {why}")


def print_json(data: dict[str, Any]) -> None:
    """Prints an object, in which no number may be infinite."""
    import json

    print(json.dumps(data, allow_nan=False))
