"""Every symbol that the command line prints is in the glossary, once, and pages lead there."""

import pathlib
import re

import pytest

from ntkexec.cli import main

ROOT = pathlib.Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in GLOSSARY.splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| symbol", "| word"))
]
ENTRIES = [entry.strip() for row in ROWS for entry in row[0].split(",")]
# A letter or n0 by itself; no article, no node of an example, no part of a word or a path, no unit.
SYMBOL = re.compile(r"(?<!\d )(?<![\w.:/<'=(-])(n0|[b-zB-HJ-Z])(?![\w.:/'=(-])")
PAGES = ("index", "explanation", "ensembles", "proofs", "tutorial", "language", "raw-templates")


def symbols(text):
    return {found[1] for found in SYMBOL.finditer(text)}


@pytest.mark.parametrize("command", ["run", "certify", "show", "train", "prove", "complexity"])
def test_every_symbol_of_the_help_is_there(command, capsys):
    assert main([command, "--help"]) == 0
    assert symbols(capsys.readouterr().out) <= {*ENTRIES}


def test_every_symbol_and_row_of_a_run_is_there():
    (sample,) = re.findall(r"```text\n(graph .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    told, _, _ = sample.partition("\n\n")
    assert symbols(told) <= {*ENTRIES}
    rows = {line[:15].strip() for line in told.splitlines()} - {"graph", "training", "in the limit"}
    assert {"certificate", "ensemble", "verification"} <= rows
    assert [row for row in rows if row not in GLOSSARY] == []


@pytest.mark.parametrize("text", ["w of them", "at most q templates", "N = 8"])
def test_a_symbol_is_told_from_a_word(text):
    assert len(symbols(text)) == 1
    assert not symbols("a node's own v-shaped path:3, e.g. karate")


def test_an_entry_has_one_meaning():
    assert len(ENTRIES) == len({*ENTRIES}) > 60
    assert all(len(row) in (2, 3) and all(row[:2]) for row in ROWS)


@pytest.mark.parametrize("page", PAGES)
def test_pages_lead_there(page):
    assert "(glossary.md" in (ROOT / "docs" / f"{page}.md").read_text()
