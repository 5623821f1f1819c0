"""Packed execution is not taken where compiling it takes longer than the plain kernel runs."""

import logging

from ntkexec import graphs, pipeline
from ntkexec.engines.packed import plan
from ntkexec.program.work import Work
from ntkexec.programs.graph import bfs

POWER_GRID = bfs.program(degree=19, slots=20, word=6)


def test_a_large_program_on_a_small_graph_does_not_pay_and_on_a_large_one_does():
    # Measured: 26 s of compilation for 0.1 s of execution; the plain kernel executes in 0.2 s.
    literals = POWER_GRID.num_nonzeros
    assert plan.compile_seconds(literals) > 20
    assert not plan.pays(Work(literals, nodes=4941, steps=93))
    assert plan.pays(Work(literals, nodes=10**7, steps=1000))
    small = bfs.program(degree=3, slots=5, word=4)
    assert plan.pays(Work(small.num_nonzeros, nodes=5, steps=10))


def test_then_the_plain_kernel_is_taken_and_said_to_be(monkeypatch, caplog):
    monkeypatch.setattr(plan, "SHORT_COMPILATION", 0.0)
    with caplog.at_level(logging.WARNING, logger="ntkexec"):
        result = pipeline.run("flooding", graphs.load("path:3"), engine="kernel-packed")
    assert result.exact
    assert result.engine == "kernel"
    assert result.to_data()["engine"] == "kernel"
    assert "kernel-packed would compile for about" in caplog.text


def test_elsewhere_it_is_taken():
    result = pipeline.run("flooding", "path:3", engine="kernel-packed")
    assert (result.engine, result.relies_on is None) == ("kernel-packed", False)
