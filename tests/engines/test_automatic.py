"""Which engine a run takes that names none, and that it decides as the one that it stands for."""

import logging

import numpy as np
import pytest

import ntkexec
from ntkexec import executor, graphs, pipeline
from ntkexec.engines import automatic
from ntkexec.engines.automatic import engine_for
from ntkexec.program.work import Work
from ntkexec.universal import checking

# What a power grid is, split: of networks that come along.
LARGE = Work(2_000, 7_414, 379, ready=True)


def taken(work, *, verify=True, margins=False, certain=False):
    return engine_for(work, verify=verify, margins=margins, certain=certain).name


def test_a_large_run_is_tabulated_and_a_small_one_keeps_its_margins():
    assert taken(LARGE) == "ensemble-memo"
    assert taken(Work(2_000, 34, 7, ready=True)) == "ensemble"
    assert taken(LARGE, verify=False) == "ensemble-memo"


def test_what_a_table_does_not_give_is_not_given_up():
    assert taken(LARGE, margins=True) == "ensemble"
    assert taken(Work(2_000, 7_414, 379, ready=True, halts=True)) == "ensemble"


def test_of_networks_to_come_nobody_knows_that_they_can_be_tabulated():
    untrained = Work(2_000, 7_414, 379)
    assert taken(untrained) == "ensemble-memo"
    assert taken(untrained, certain=True) == "ensemble"
    assert taken(LARGE, certain=True) == "ensemble-memo"


@pytest.fixture
def soon(monkeypatch):
    """Tables are worth it for any graph, and the certificate of networks that come along is known."""
    monkeypatch.setattr(automatic, "WORTH_SECONDS", -np.inf)
    monkeypatch.setattr(checking, "verify", lambda data, folder: checking.Checked("EXACT", 1, None))


def test_a_run_on_trees_is_tabulated_and_compared_with_the_program(soon, caplog):
    with caplog.at_level(logging.WARNING, "ntkexec"):
        found = ntkexec.run("bfs", "star:9", split_degree=3)
    assert found.engine == "ensemble-memo"
    assert "ensemble-memo, which decides the same" in caplog.text
    assert found.exact
    assert found.train_seconds == 0
    checked = found.execution.verification
    assert checked.exact
    assert found.compared_with == "program"
    named = ntkexec.run("bfs", "star:9", split_degree=3, engine="ensemble")
    assert named.engine == "ensemble"
    assert np.array_equal(found.execution.states, named.execution.states)


def test_a_run_that_asks_for_more_is_not_tabulated(soon):
    assert ntkexec.run("bfs", "star:9", split_degree=3, trace=True).engine == "ensemble"
    instance = pipeline.prepare("bfs-queue", graphs.load("path:4"))
    assert instance.until == "halt"
    chosen = pipeline._automatic(instance, executor.Executing(), ready=False)
    assert chosen.name == "ensemble"


def test_bellman_ford_is_compared_for_as_many_steps_as_it_takes(soon):
    found = ntkexec.run("bellman-ford", "path:6", source=2, universal=False)
    assert found.engine == "ensemble-memo"
    assert found.exact
    assert found.compared_with == "program"
    named = ntkexec.run("bellman-ford", "path:6", source=2, universal=False, engine="ensemble")
    assert found.execution.stopped == named.execution.stopped == "fixed-point"
    assert found.execution.steps == named.execution.steps
    assert np.array_equal(found.execution.states, named.execution.states)


def test_networks_that_cannot_be_tabulated_run_at_every_node(soon, caplog):
    with caplog.at_level(logging.WARNING, "ntkexec"):
        found = ntkexec.run("flooding", "path:3", draw="gaussian", members=1)
    assert found.engine == "ensemble"
    assert "gaussian draws" in caplog.text
    assert found.execution.verification is not None
