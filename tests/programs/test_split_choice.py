"""Whether hubs are split: by the estimate, by what networks have learned, or as it is asked for."""

import dataclasses

import pytest

from ntkexec import graphs, pipeline, universal
from ntkexec.engines import find_engine
from ntkexec.errors import NtkexecError
from ntkexec.program import limits
from ntkexec.program.work import Work
from ntkexec.programs import ALGORITHMS, split_choice
from ntkexec.programs.split_choice import WORTH_SECONDS

ENSEMBLE = find_engine("ensemble").seconds


def seconds(work):
    """An engine whose two coefficients are easy to calculate with."""
    return work.literals * (1.0 + 0.01 * work.nodes * work.steps)


def splits(name, graph, engine=ENSEMBLE, ready=split_choice.none_ready, **asked):
    """Whether a graph is split by default."""
    found = split_choice.split_if_faster(ALGORITHMS[name], graphs.load(graph), engine, asked, ready)
    return found is not None


def test_a_split_pays_where_it_saves_more_than_it_is_worth():
    whole, parts = Work(100, 10, 10), Work(50, 20, 30)
    assert (seconds(whole), seconds(parts)) == (200, 350)
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


@pytest.mark.parametrize("graph", ["star:9", "karate", "grid:3x4"])
@pytest.mark.parametrize("name", ["bfs", "flooding", "dfs", "dfs-forest", "bellman-ford"])
def test_what_is_counted_beforehand_is_what_the_instance_has(name, graph):
    algorithm, graph = ALGORITHMS[name], graphs.load(graph)
    counted, instance = algorithm.work(graph), algorithm.prepare(graph)
    assert (counted.literals, counted.nodes) == (instance.program.num_nonzeros, graph.num_nodes)
    if instance.until == "steps":
        assert counted.steps == instance.num_steps
    else:
        assert counted.steps <= instance.num_steps
        assert counted.steps % instance.program.round_length == 0


@pytest.mark.parametrize("name", ["leader-election", "life", "neighbourhood-size"])
def test_of_a_local_algorithm_the_least_literals_are_counted_and_steps_roughly(name):
    algorithm, graph = ALGORITHMS[name], graphs.load("star:5")
    counted, instance = algorithm.work(graph), algorithm.prepare(graph)
    assert 0 < counted.literals <= instance.program.num_nonzeros
    assert 1 / 3 <= counted.steps / instance.num_steps <= 3


def test_hubs_are_split_and_small_degrees_are_not():
    assert splits("bfs", "star:100")
    assert splits("flooding", "star:1000")
    assert splits("bfs", "barabasi-albert:n=2000,m=2")
    for name in ("bfs", "flooding"):
        for graph in ("petersen", "grid:6x6", "star:5", "random-regular:n=30,d=6", "karate"):
            assert not splits(name, graph)
    # The plain kernel is set up in no time.
    assert not splits("bfs", "star:100", find_engine("kernel").seconds)


def test_where_little_could_be_saved_no_other_program_is_built(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("built")

    monkeypatch.setattr(split_choice, "prepared", refuse)
    for name in ("bfs", "flooding", "bellman-ford", "leader-election"):
        assert not splits(name, "karate")
    with pytest.raises(AssertionError, match="built"):
        splits("bfs", "star:100")


def test_the_run_that_is_weighed_is_the_one_for_the_networks_that_come_along():
    algorithm, trees = ALGORITHMS["bfs"], graphs.split(graphs.load("star:30"), 3)
    instance, parts = split_choice.prepared(algorithm, trees, {}, universal.fitted)
    assert dict(instance.sizes) == universal.SIZES["bfs-split"]
    assert parts == Work(
        instance.program.num_nonzeros, trees.graph.num_nodes, instance.num_steps, ready=True
    )
    assert ENSEMBLE(parts) < ENSEMBLE(dataclasses.replace(parts, ready=False))
    # The kernel has no networks: to it they are no news.
    kernel = find_engine("kernel").seconds
    assert kernel(parts) == kernel(dataclasses.replace(parts, ready=False))
    # Of its own sizes it is smaller, and has networks of its own to train.
    own, other = split_choice.prepared(algorithm, trees, {})
    assert not other.ready
    assert own.program.num_nonzeros < instance.program.num_nonzeros


def test_packed_execution_that_does_not_pay_is_weighed_as_what_is_taken_instead():
    packed, plain = find_engine("kernel-packed").seconds, find_engine("kernel").seconds
    long = Work(1000, 10**6, 100)
    assert packed(long, verify=False) < plain(long)
    short = Work(10_000, 100, 10)
    assert packed(short) == plain(short)


def test_more_than_the_limit_is_split_however_short_the_run(monkeypatch):
    engine = find_engine("boolean").seconds
    assert not splits("bfs", "star:20", engine)
    program = pipeline.prepare("bfs", "star:20", split_degree=3).program
    monkeypatch.setenv(limits.LITERALS_VARIABLE, str(program.num_nonzeros))
    assert splits("bfs", "star:20", engine)
    with pytest.raises(NtkexecError, match=limits.LITERALS_VARIABLE):
        pipeline.prepare("bfs", "star:20")
    monkeypatch.setenv(limits.LITERALS_VARIABLE, str(program.num_nonzeros // 2))
    assert not splits("bfs", "star:20", engine)


def test_what_cannot_be_split_is_not():
    for name in ("bfs-queue", "rule-110", "add"):
        assert ALGORITHMS[name].split is None
    assert not splits("bfs-queue", "star:100")


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
