"""The code of the documentation runs, in the order in which it stands; its commands are commands."""

import contextlib
import pathlib
import re
import shlex

import pytest
from support import networkx_backend
from support.commands import parse

from ntkexec.cli import main
from ntkexec.programs import ALGORITHMS

DOCS = pathlib.Path(__file__).parents[2] / "docs"
TEXTS = {page.relative_to(DOCS).as_posix(): page.read_text() for page in DOCS.rglob("*.md")}
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "```python" in page.read_text()]
SHELL = {
    name: [
        line.split("#")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("ntkexec ")
    ]
    for name, text in sorted(TEXTS.items())
}
# Capitals and dots stand for something that the reader fills in; a name alone is no call.
INLINE = sorted(
    {
        found
        for text in TEXTS.values()
        for found in re.findall(r"`(ntkexec [^\s`]+ [^`]+)`", text)
        if not re.search(r"\b[A-Z]{3,}\b|\b[A-Z] |NUMBER|\.\.\. ", found)
    }
)
COMMANDS = sorted({line for lines in SHELL.values() for line in lines} | set(INLINE))
QUICK = ("ntkexec check --list", "ntkexec experiment list")


# They train networks of some port, and load a language model.
LONG = ("experiments.md", "language-models.md")


def test_some_pages_have_code():
    assert PAGES
    assert len(COMMANDS) >= 15
    assert {*QUICK} <= {*COMMANDS}


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page.name in LONG else ()) for page in PAGES],
    ids=lambda page: page.name,
)
def test_the_code_of_the_page_runs(page):
    names, registered = {}, dict(ALGORITHMS)
    with networkx_backend.registered() if page.name == "networkx.md" else contextlib.nullcontext():
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            exec(block, names)
    # What a page registers is forgotten again, for the tests after it.
    ALGORITHMS.clear()
    ALGORITHMS.update(registered)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_documentation_is_one(command):
    parse(shlex.split(command)[1:])


@pytest.mark.parametrize("wrong", ["rnu bfs karate", "run bfs karate --sauce 1", "run"])
def test_what_is_no_command_would_be_found_out(wrong):
    with pytest.raises(Exception, match=r"No such|Missing"):
        parse(shlex.split(wrong))


@pytest.mark.parametrize("command", QUICK)
def test_the_quick_commands_run(command, capsys):
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("page", ["how-to.md", "tutorial.md"])
def test_the_shell_commands_of_the_page_run(page, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert SHELL[page]
    for command in SHELL[page]:
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
