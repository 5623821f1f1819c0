"""`ntkexec paper`: every line names checks that there are, and the page says what is stored."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import ntkexec
from benchmarks import paper as writer
from ntkexec.check import VERDICTS
from ntkexec.cli import main, paper
from proofs_check import registry

DOCS = Path(__file__).parents[2] / "docs"


def test_every_line_names_checks_and_commands_that_there_are():
    known = registry.checks()
    assert len(paper.results()) >= 20
    assert {one.paper for one in paper.results()} == {one.name for one in paper.papers()}
    for one in paper.results():
        assert one.commands, one.what
        assert not set(one.checks) - known.keys()
        for command in one.commands:
            assert shlex.split(command)[0] in ("ntkexec", "python")


def test_the_stored_run_has_the_verdict_of_every_check_that_is_named():
    run = paper.stored_run()
    assert set(run["checks"]) == set(writer.named())
    known = registry.checks()
    for name, one in run["checks"].items():
        assert one["verdict"] in VERDICTS
        # A check whose bound was changed since is no longer what was run.
        assert (one["bound"], one["relation"]) == (known[name].bound, known[name].relation), name


def test_the_page_is_written_from_the_table_and_the_stored_run():
    assert (DOCS / "paper.md").read_text() == writer.page()


def test_a_verdict_that_is_not_alike_names_each_check():
    one = paper.Result("graphs", "lemma", "x", checks=("a", "b", "c"))
    run = {"checks": {"a": {"verdict": "holds"}, "b": {"verdict": "fails"}}}
    assert one.verdict(run) == "a: holds; b: fails; c: not in the stored run"
    run["checks"] = {name: {"verdict": "holds"} for name in "abc"}
    assert one.verdict(run) == "all 3 hold"


def test_the_command_prints_lines_data_and_entries_without_jax(capsys):
    assert main(["paper"]) == 0
    out = capsys.readouterr().out
    assert "not read:" in out
    assert "69, 103, 117, 157, 175" in out
    assert "verdicts of the last stored run" in out
    assert main(["paper", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["results"]) == len(paper.results())
    assert {one["arxiv"] for one in data["papers"]} == {"2601.23207", "2502.16763"}
    assert main(["paper", "--bibtex"]) == 0
    assert len(re.findall(r"^@misc\{", capsys.readouterr().out, re.MULTILINE)) == 2
    code = (
        "import sys; from ntkexec.cli import main; main(['paper']); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_citation_file_names_software_and_papers():
    text = (DOCS.parent / "CITATION.cff").read_text()
    for one in paper.papers():
        assert one.title in text
        assert one.arxiv in text
    assert text.startswith("cff-version: 1.2.0")
    assert f"\nversion: {ntkexec.__version__}\n" in text
