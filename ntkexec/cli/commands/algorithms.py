"""`ntkexec algorithms`: what can be run."""

import json as encoder
from typing import Annotated

import typer

from ntkexec.vocabulary import SUMMARIES

EXAMPLE = "ntkexec algorithms"


def command(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """List the algorithms, one a line."""
    if json:
        print(encoder.dumps(SUMMARIES))
        return
    width = max(map(len, SUMMARIES))
    for name, summary in SUMMARIES.items():
        print(f"{name:<{width}}  {summary}")
