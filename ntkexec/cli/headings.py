"""Options under headings in `--help`, in plain text: the framework has headings for rich text alone."""

from typing import Any

from typer.core import TyperCommand

OWN = "Options for your own program"
READING = "Options for reading graphs"
EXPERT = "Expert options (networks, thresholds, bounds)"
"""What the closed forms choose well by themselves."""

# Any: contexts, formatters and parameters of the framework's inner modules.


class Headed(TyperCommand):
    """A command whose help lists options by their `rich_help_panel`, in the order of the headings above."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        order = ("Arguments", "Options", OWN, READING, EXPERT)
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in order}
        for parameter in self.get_params(ctx):
            told = parameter.get_help_record(ctx)
            if told is not None:
                sections[_heading(parameter)].append(told)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _heading(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    # The option `--help` is the framework's own, and has none.
    return getattr(parameter, "rich_help_panel", None) or "Options"
