"""`ntkexec live`: the page on which one plays with a learned algorithm."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "ntkexec live --html live.html"


def command(
    html: Annotated[Path, typer.Option(help="The file to write.")] = Path("live.html"),
) -> None:
    """Write a page that runs learned algorithms in a browser: your graph, networks, thresholds.

    One file that asks the network for nothing. It simulates the Gaussian limit of infinitely wide networks,
    and names the commands that certify and prove.
    """
    from ntkexec.report import live_page
    from ntkexec.runtime import files

    files.check_target(html)
    live_page.save_live(html)
    print(f"{html}: open it in a browser")
