"""`ntkexec paper`: the papers line by line, with what checks each line here."""

import json as encoder

import typer

from ntkexec.cli import options
from ntkexec.cli import paper as lines_of

EXAMPLE = "ntkexec paper --json"


def command(
    bibtex: bool = typer.Option(False, "--bibtex", help="Print the papers' entries and stop."),
    json: options.Json = False,
) -> None:
    """Show what the papers say, line by line, with the command that checks it and the last verdict.

    Nothing is measured: the verdicts are those of a stored run, which says of what version it is.
    """
    if bibtex:
        print("\n\n".join(one.bibtex for one in lines_of.papers()))
    elif json:
        print(encoder.dumps(lines_of.as_data()))
    else:
        print("\n".join(lines_of.as_lines(lines_of.results())))
