"""Flooding by learned networks is exact: on all small graphs, many random ones, and a large one.

Every node of every graph is compared with breadth-first layers, and every bit of every step with
the program. The trained ensemble is drawn once; whether it is right on a state does not depend on
the graph, so the tests below ask for more and more of the same networks.
"""

import functools
import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkexec import ensemble, executor, graphs, pipeline
from ntkexec.ensemble import EnsembleConfig
from ntkexec.graphs import message_passing
from ntkexec.programs.graph import flooding

MESSAGE = flooding.Message.parse("1011")
ENGINES = ["kernel", "ensemble"]
# Enough for every graph below: degree up to 4, paths of up to 19 edges, 11 colours.
SIZES = {"degree": 4, "slots": 12, "message_bits": 4, "arrival_bits": 5}


@functools.cache
def engine_for(name, sizes):
    """An engine for the program of the given sizes; the ensemble as the certificate asks for."""
    program = flooding.program(**dict(sizes))
    decisions = 10**8
    certificate = pipeline.certify(program, num_decisions=decisions)
    networks = None
    if name == "ensemble":
        members = certificate.ensemble_size(delta=1e-3, num_decisions=decisions)
        width = pipeline.default_width(certificate)
        config = EnsembleConfig(members=members, width=width)
        networks = ensemble.train(certificate.problem, config)
    return pipeline.make_engine(name, certificate, networks), certificate


def assert_exact(name, graph, sources, *, sizes=SIZES, message=MESSAGE, until="steps", padded=None):
    """Executes flooding and compares every node with the reference, every bit with the program.

    `padded` gives numbers of nodes and edges to fill the graph up to, so that many graphs share
    one compiled execution.
    """
    instance = flooding.instance(graph, sources=sources, message=message, sizes=sizes)
    engine, certificate = engine_for(name, tuple(sizes.items()))
    inputs = instance.graphs if padded is None else message_passing.pad(instance.graphs, *padded)
    found = executor.execute(
        engine,
        instance.program,
        inputs,
        num_steps=instance.num_steps,
        until=until,
        node_mask=np.arange(len(inputs.nodes)) < graph.num_nodes,
    )
    answer, expected = instance.decode(found.states[: graph.num_nodes]), instance.reference()
    for field, values in expected.items():
        assert np.array_equal(answer[field], values), field
    assert found.verification.wrong_bits == 0, executor.diagnose(
        engine, instance.program, found.verification
    )
    assert found.collisions == 0
    assert certificate.covers(found.verification.largest_matches)
    return found


def batch_of(networkx_graphs):
    return graphs.batch([graphs.from_networkx(graph) for graph in networkx_graphs])


@pytest.mark.parametrize("name", ENGINES)
def test_flooding_is_exact_on_the_karate_club_from_every_source(name):
    karate = graphs.load("karate")
    sizes = {"degree": 17, "slots": 18, "message_bits": 4, "arrival_bits": 3}
    for source in range(34):
        assert_exact(name, karate, [source], sizes=sizes)


@pytest.mark.parametrize("name", ENGINES)
def test_flooding_is_exact_on_all_connected_graphs_up_to_six_nodes_and_degree_three(name):
    small = [
        g
        for g in nx.graph_atlas_g()[1:209]
        if nx.is_connected(g) and max(dict(g.degree).values()) <= 3
    ]
    # Connected graphs of degree at most 3: 1, 1, 2, 6, 10 and 29 on one to six nodes (OEIS A005964).
    assert len(small) == 49
    copies = [(graph, source) for graph in small for source in range(len(graph))]
    batch = batch_of([graph for graph, _ in copies])
    starts = [part.start for part in batch.node_ranges()]
    sources = [start + source for start, (_, source) in zip(starts, copies)]
    assert_exact(name, batch, sources)


# Where the trained networks take half a minute and more.
SLOW_ENSEMBLE = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "ensemble" else []) for name in ENGINES
]


@pytest.mark.parametrize("degree", [2, 3, 4])
@pytest.mark.parametrize("name", SLOW_ENSEMBLE)
def test_flooding_is_exact_on_a_thousand_random_graphs(name, degree):
    rng = np.random.default_rng(degree)
    sample = [
        graphs.load(f"random-bounded:n={rng.integers(5, 21)},d={degree},seed={seed}")
        for seed in range(1000)
    ]
    batch = graphs.batch(sample)
    assert batch.degree == degree
    sources = [rng.integers(part.start, part.stop) for part in batch.node_ranges()]
    assert_exact(name, batch, sources)


def trees(num_nodes, degree):
    """All labelled trees with a bounded degree, by their Prüfer sequences."""
    for sequence in itertools.product(range(num_nodes), repeat=num_nodes - 2):
        if max(map(sequence.count, sequence)) < degree:
            yield nx.from_prufer_sequence(list(sequence))


@pytest.mark.parametrize("name", SLOW_ENSEMBLE)
def test_flooding_is_exact_on_all_labelled_trees_with_seven_nodes_and_degree_four(name):
    # All labellings: the source 0 stands at every place of every tree.
    every = list(trees(7, 4))
    # 16807 trees, less those with a node of degree 5 (7 * C(5,4) * 6 = 210) or 6 (7).
    assert len(every) == 7**5 - 210 - 7
    batch = batch_of(every)
    assert_exact(name, batch, [part.start for part in batch.node_ranges()])


@pytest.mark.parametrize("name", SLOW_ENSEMBLE)
def test_flooding_is_exact_on_ten_thousand_nodes(name):
    graph = graphs.load("random-regular:n=10000,d=3,seed=0")
    assert_exact(name, graph, [0])


@st.composite
def flooding_cases(draw):
    """A graph of degree at most 4, directed or not, perhaps not connected, with sources."""
    num_nodes = draw(st.integers(1, 9))
    pairs = st.tuples(st.integers(0, num_nodes - 1), st.integers(0, num_nodes - 1))
    graph = draw(st.sampled_from([nx.Graph, nx.DiGraph]))()
    graph.add_nodes_from(range(num_nodes))
    for u, v in draw(st.lists(pairs, max_size=14)):
        if u != v and all(
            len(set(nx.all_neighbors(graph, x)) | {y}) <= 4 for x, y in [(u, v), (v, u)]
        ):
            graph.add_edge(u, v)
    sources = draw(st.lists(st.integers(0, num_nodes - 1), min_size=1, max_size=3, unique=True))
    message = "".join(draw(st.lists(st.sampled_from("01"), min_size=4, max_size=4)))
    return graph, sources, flooding.Message.parse(message)


@pytest.mark.parametrize("name", ENGINES)
@given(case=flooding_cases())
def test_flooding_is_exact_on_any_graph(name, case):
    graph, sources, message = case
    loaded = graphs.from_networkx(graph)
    assert_exact(name, loaded, sources, message=message, padded=(10, 40))


def test_a_connected_graph_comes_to_rest_after_the_last_arrival():
    graph = graphs.load("grid:4x5")
    found = assert_exact("kernel", graph, [0], until="fixed-point")
    assert found.stopped == "steps"  # the answer is complete before a whole round is quiet
    instance = flooding.instance(graph, sources=[0], message=MESSAGE, sizes=SIZES)
    engine, _ = engine_for("kernel", tuple(SIZES.items()))
    longer = executor.execute(
        engine, instance.program, instance.graphs, num_steps=1000, until="fixed-point"
    )
    # In the next round the last nodes to be informed send in vain.
    assert longer.stopped == "fixed-point"
    assert longer.steps == instance.num_steps + flooding.STEPS_PER_ROUND
    answer = instance.decode(longer.states)
    assert np.array_equal(answer["arrival"], instance.reference()["arrival"])


def test_a_message_of_zeros_is_not_silence():
    graph = graphs.load("path:5")
    silent = flooding.Message.parse("0000")
    found = assert_exact("ensemble", graph, [0], message=silent)
    assert found.steps == 8


def test_a_wrong_colouring_is_noticed_by_the_executor():
    graph = graphs.load("path:3")
    instance = flooding.instance(graph, sources=[0, 2], message=MESSAGE, sizes=SIZES)
    fields = instance.program.layout.unpack(instance.initial)
    clash = instance.program.layout.pack(3, fields | {"colour": 0})
    engine, _ = engine_for("kernel", tuple(SIZES.items()))
    found = executor.execute(
        engine, instance.program, instance.graphs._replace(nodes=clash), num_steps=4
    )
    assert found.collisions > 0
