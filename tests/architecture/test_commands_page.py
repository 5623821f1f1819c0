"""The page of the commands is what `--help` says now."""

import re

import pytest
import typer

from benchmarks.commands import PAGE, page


@pytest.mark.skipif(
    not typer.__version__.startswith("0.29."), reason="another version sets help otherwise"
)
def test_the_page_is_what_help_says():
    assert PAGE.read_text() == page(), "run python -m benchmarks.commands"


def test_every_command_has_a_heading_and_its_options():
    headings = re.findall(r"^## ntkexec (.*)$", page(), re.MULTILINE)
    assert {"run", "certify", "prove", "check", "experiment run"} <= {*headings}
    assert page().count("\nUsage: ntkexec ") == len(headings)
    assert page() != page().replace("--message", "--massage")
