"""`python -m benchmarks.commands`: writes docs/commands.md, the help of every command."""

import pathlib
from collections.abc import Iterator
from typing import Any

import typer

from ntkexec.cli.app import app
from ntkexec.runtime import files

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "commands.md"
COLUMNS = 88
HEAD = """# Commands

Written by `python -m benchmarks.commands` from what `--help` prints. Exit statuses are in
[limits](limits.md), words and symbols in the [glossary](glossary.md).
"""


# Any: commands and contexts of the framework's inner modules.
def helps(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """The words of every command below this one that is no group, and its help."""
    if not hasattr(command, "list_commands"):
        yield context.command_path, command.get_help(context)
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            yield from helps(
                inner,
                type(context)(
                    inner,
                    info_name=name,
                    parent=context,
                    terminal_width=COLUMNS,
                    max_content_width=COLUMNS,
                ),
            )


def page() -> str:
    """The page, from the commands as they are."""
    command = typer.main.get_command(app)
    parts = [HEAD]
    for words, text in helps(command, typer.Context(command, info_name="ntkexec")):
        parts.append(f"## {words}\n\n```text\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Writes the page."""
    files.write(PAGE, page().encode("utf-8"))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
