"""`ntkexec algorithms`: what can be run."""

import json as encoder
from typing import Annotated

import typer

EXAMPLE = "ntkexec algorithms"


def command(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """List the algorithms, one a line."""
    from ntkexec.programs import ALGORITHMS

    if json:
        print(encoder.dumps({name: found.summary for name, found in ALGORITHMS.items()}))
        return
    width = max(map(len, ALGORITHMS))
    for name, found in ALGORITHMS.items():
        print(f"{name:<{width}}  {found.summary}")
