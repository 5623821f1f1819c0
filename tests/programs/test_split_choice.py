"""Whether hubs are split: by the estimate, by what networks have learned, or as it is asked for."""

import dataclasses

import pytest

from ntkexec import graphs, pipeline
from ntkexec.engines import find_engine
from ntkexec.errors import NtkexecError
from ntkexec.program import limits
from ntkexec.programs import ALGORITHMS, split_choice
from ntkexec.programs.split_choice import WORTH_SECONDS, Work

ENSEMBLE = find_engine("ensemble").seconds


def seconds(*, literals, nodes, steps):
    """An engine whose two coefficients are easy to calculate with."""
    return literals * (1.0 + 0.01 * nodes * steps)


def chosen(name, graph, engine=ENSEMBLE, **given):
    return split_choice.chosen_degree(ALGORITHMS[name], graphs.load(graph), engine, given)


def test_a_split_pays_where_it_saves_more_than_it_is_worth():
    whole, parts = Work(100, 10, 10), Work(50, 20, 30)
    assert (seconds(**vars(whole)), seconds(**vars(parts))) == (200, 350)
    assert not split_choice.pays(whole, parts, seconds, limit=1000)
    # The same program, smaller by so much that the longer run does not matter.
    parts = dataclasses.replace(parts, literals=20)
    assert split_choice.pays(whole, parts, seconds, limit=1000)
    just = Work(200 - int(WORTH_SECONDS), 0, 0)
    assert not split_choice.pays(whole, just, seconds, limit=1000)
    assert split_choice.pays(whole, dataclasses.replace(just, literals=1), seconds, limit=1000)


def test_what_cannot_be_built_is_split_unless_its_split_cannot_either():
    whole, parts = Work(100, 10, 10), Work(50, 20, 30)
    assert split_choice.pays(whole, parts, seconds, limit=99)
    assert not split_choice.pays(whole, parts, seconds, limit=49)


@pytest.mark.parametrize("name", ["bfs", "flooding", "dfs", "bellman-ford"])
def test_what_is_estimated_for_the_graph_as_it_is_is_what_its_instance_has(name):
    algorithm, graph = ALGORITHMS[name], graphs.load("star:9")
    trees = graphs.split(graph, 3)
    split = algorithm.split(trees)
    whole, parts = split_choice.works(algorithm, trees, split)
    plain = algorithm.prepare(graph)
    assert whole.nodes == graph.num_nodes
    assert parts.nodes == trees.graph.num_nodes
    assert parts.literals == split.program.num_nonzeros
    # Numbers may have more bits on the trees.
    assert 1 <= whole.literals / plain.program.num_nonzeros < 1.5
    if plain.until == "steps":
        assert parts.steps == split.num_steps
        # But for the ends of the search.
        assert abs(whole.steps - plain.num_steps) <= 2
    else:
        assert parts.steps <= split.num_steps
        assert whole.steps < parts.steps


def test_hubs_are_split_and_small_degrees_are_not():
    assert chosen("bfs", "star:100") == 3
    assert chosen("flooding", "star:1000") == 3
    assert chosen("bfs", "barabasi-albert:n=2000,m=2") == 3
    for name in ("bfs", "flooding"):
        for graph in ("petersen", "grid:6x6", "star:5", "random-regular:n=30,d=6", "karate"):
            assert chosen(name, graph) is None
    # The plain kernel is set up in no time.
    assert chosen("bfs", "star:100", find_engine("kernel").seconds) is None


def test_packed_execution_that_does_not_pay_is_weighed_as_what_is_taken_instead():
    packed, plain = find_engine("kernel-packed"), find_engine("kernel")
    long = {"literals": 1000, "nodes": 10**6, "steps": 100}
    assert packed.seconds(**long) < plain.seconds(**long)
    short = long | {"nodes": 1000}
    assert packed.seconds(**short) == plain.seconds(**short)


def test_more_than_the_limit_is_split_however_short_the_run(monkeypatch):
    engine = find_engine("boolean").seconds
    assert chosen("bfs", "star:20", engine) is None
    program = pipeline.prepare("bfs", "star:20", split_degree=3).program
    monkeypatch.setenv(limits.LITERALS_VARIABLE, str(program.num_nonzeros))
    assert chosen("bfs", "star:20", engine) == 3
    with pytest.raises(NtkexecError, match=limits.LITERALS_VARIABLE):
        pipeline.prepare("bfs", "star:20")
    monkeypatch.setenv(limits.LITERALS_VARIABLE, str(program.num_nonzeros // 2))
    assert chosen("bfs", "star:20", engine) is None


def test_what_cannot_be_split_is_not():
    for name in ("bfs-queue", "rule-110", "add"):
        assert ALGORITHMS[name].split is None
    assert chosen("bfs-queue", "star:100") is None


def test_networks_decide_by_what_they_have_learned():
    star, path = graphs.load("star:9"), graphs.load("path:4")

    def degree(name, graph, **sizes):
        return split_choice.degree_learned(ALGORITHMS[name], graph, sizes)

    assert degree("bfs", star, degree=4, depth_bits=2) == 4
    # A program for split graphs runs on those, whether anything is split or not.
    assert degree("bfs", path, degree=3, depth_bits=1) == 3
    # That of the graph as it is runs on no other, and refuses what does not fit.
    assert degree("bfs", star, degree=3) is None
    # One for both, which splits what does not fit.
    assert degree("bellman-ford", star, degree=3) == 3
    assert degree("bellman-ford", star, degree=8) is None
    assert degree("bellman-ford", star, degree=2) is None


def test_asking_for_what_cannot_be_is_refused():
    with pytest.raises(NtkexecError, match="bfs-queue does not run on split graphs"):
        pipeline.run("bfs-queue", "star:9", engine="kernel", split_degree=3)
    with pytest.raises(NtkexecError, match=r"rule-110 does not run .* it sees at which port"):
        pipeline.run("rule-110", "path:4", engine="kernel", split_degree=3)
    with pytest.raises(NtkexecError, match=r"add does not run .* it computes on one node"):
        pipeline.prepare("add", "path:1", split_degree=3)
    with pytest.raises(NtkexecError, match="bfs runs on the graph as it is"):
        pipeline.run("bfs-split", "star:9", engine="kernel", split_degree=None)
    program = pipeline.prepare("bfs", "path:2").program
    with pytest.raises(NtkexecError, match="program of one's own runs on the graph"):
        pipeline.run(program, "path:2", initial=[], steps=1, split_degree=3)
    with pytest.raises(NtkexecError, match="at least 3"):
        pipeline.run("bfs", "star:9", engine="kernel", split_degree=2)


def test_the_answer_is_the_original_graph_s():
    whole = pipeline.run("bfs", "star:9", engine="kernel", source=3, split_degree=None)
    parts = pipeline.run("bfs", "star:9", engine="kernel", source=3, split_degree=4)
    assert whole.exact
    assert parts.exact
    assert whole.by_node() == parts.by_node()
    assert whole.to_data()["split"] is None
    told = parts.to_data()["split"]
    assert told["degree"] == 4
    assert told["nodes"] == len(parts.execution.states) == 11
    assert told["steps_factor"] == 2 * told["depth"] + 1
    assert (parts.execution.steps - 1) == told["steps_factor"] * (whole.execution.steps - 1)
