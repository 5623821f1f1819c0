"""`ntkexec cache`: what commands keep on the disk, and where."""

import json as encoder
import os
from typing import Annotated

import typer

EXAMPLE = "ntkexec cache"


def command(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Show what commands keep on the disk: compiled code, and which certificates were checked.

    NTKEXEC_CACHE is the folder, or 0 to keep nothing; by default it is in the user's cache folder.
    """
    from ntkexec.runtime import kept_code, settings

    folder = settings.cache_folder(os.environ)
    if folder is None:
        nothing = {"folder": None, "entries": 0, "bytes": 0, "checked": 0}
        print(
            encoder.dumps(nothing) if json else f"nothing is kept: {settings.CACHE_VARIABLE} is 0"
        )
        return
    code, checked = folder / settings.CODE, folder / settings.CHECKED
    if clear:
        kept_code.clear(code)
        for note in checked.glob("*-*"):
            note.unlink(missing_ok=True)
    sizes, notes = kept_code.sizes(code), len(list(checked.glob("*-*")))
    if json:
        said = {"folder": str(folder), "entries": len(sizes), "bytes": sum(sizes), "checked": notes}
        print(encoder.dumps(said))
        return
    most = kept_code.MOST_BYTES / 1e6
    print(
        f"{folder}\ncompiled code  {len(sizes)} entries, {sum(sizes) / 1e6:.1f} of {most:.0f} MB\n"
        f"certificates   {notes} that were checked"
    )
