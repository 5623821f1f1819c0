"""A wrong run of any algorithm is a result: wrong, diagnosed, and shown; never an exception."""

import dataclasses

import numpy as np
import pytest

from ntkexec import pipeline, report
from ntkexec.cli import main
from ntkexec.program.fields import INVALID
from ntkexec.programs import ALGORITHMS

ARITHMETIC = ("permute", "add", "multiply", "sbn")
GRAPHS = {"cole-vishkin": "path:5", "rule-110": "cycle:5"}
# One of each way to read an answer; the others are tried on demand.
QUICK = ("flooding", "bellman-ford", "spanning-tree")


@pytest.fixture
def all_ones(monkeypatch):
    """Thresholds below every mean: after a step all bits are 1, two choices at once among them."""
    right = pipeline.make_engine

    def wrong(*arguments):
        update = right(*arguments)
        return dataclasses.replace(update, thresholds=update.thresholds - 5)

    monkeypatch.setattr(pipeline, "make_engine", wrong)


@pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in ALGORITHMS
        if name not in ARITHMETIC
    ],
)
def test_a_wrong_run_is_a_result(all_ones, algorithm):
    graph = GRAPHS.get(algorithm, "path:4")
    result = pipeline.run(algorithm, graph, engine="kernel", trace=True)
    assert not result.exact
    assert result.diagnosis is not None
    assert result.execution.verification.wrong_bits > 0
    assert "NOT EXACT" in str(result)
    assert "NOT EXACT" in result._repr_html_()
    assert result.to_data()["exact"] is False
    assert len(report.trace_data(result)["wrong_nodes"]) == len(result.wrong_nodes) > 0


def test_two_parents_at_once_are_no_parent_and_never_right(all_ones):
    result = pipeline.run("bfs", "path:4", engine="kernel")
    assert (result.answer["parent"] == INVALID).all()
    assert (result.expected["parent"] == -1).any()
    assert {row["parent"] for row in result.by_node().values()} == {"invalid"}
    assert np.array_equal(result.wrong_nodes, np.arange(4))


@pytest.mark.parametrize("words", [["bfs", "path:4"], ["add", "13", "29"]])
def test_the_command_says_so_and_ends_with_one(all_ones, capsys, tmp_path, words):
    page = tmp_path / "page.html"
    assert main(["run", *words, "--engine", "kernel", "--html", str(page)]) == 1
    assert "NOT EXACT" in capsys.readouterr().out
    assert page.stat().st_size > 10_000
