"""Graph algorithms by learned networks are exact: one table of algorithms, families of graphs and engines.

Every node of every graph is compared with the reference, every bit of every step with the program.
What is particular to an algorithm is in its own tests.
"""

import functools
import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engines import engine_for
from support.instances import batch_of, connected_atlas, from_every_source, random_copies

from ntkexec import executor, graphs
from ntkexec.graphs import message_passing
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs, flooding

MESSAGE = flooding.Message.parse("1011")
# Enough for flooding every graph below but karate: degree up to 4, paths of up to 19 edges, 11 colours.
SIZES = {"degree": 4, "slots": 12, "message_bits": 4, "arrival_bits": 5}


def flooded(graph, sources, message=MESSAGE):
    sizes = SIZES if graph.degree <= SIZES["degree"] else None
    return flooding.instance(graph, sources=sources, message=message, sizes=sizes)


ALGORITHMS = {
    "flooding": flooded,
    "bfs": lambda graph, sources: bfs.instance(graph, sources=sources),
    "bfs-queue": lambda graph, sources: bfs_queue.instance(graph, sources=sources),
    "dfs": lambda graph, sources: dfs.instance(graph, sources=sources),
    "dfs-forest": lambda graph, sources: dfs.forest_instance(graph),
    "bellman-ford": lambda graph, sources: bellman_ford.instance(graph, sources=sources),
}


def weighted(networkx_graphs):
    """The same with weights, which Bellman-Ford alone reads."""
    for graph in networkx_graphs:
        copy = nx.convert_node_labels_to_integers(graph)
        nx.set_edge_attributes(copy, {e: 1 + 3 * sum(e) % 4 for e in copy.edges}, "weight")
        yield copy


def trees(num_nodes, degree):
    """All labelled trees with a bounded degree, by their Prüfer sequences."""
    for sequence in itertools.product(range(num_nodes), repeat=num_nodes - 2):
        if max(map(sequence.count, sequence)) < degree:
            yield nx.from_prufer_sequence(list(sequence))


def up_to_five_nodes():
    return from_every_source(list(weighted(connected_atlas(5))))


def up_to_six_nodes_and_degree_three():
    found = [g for g in connected_atlas(6) if max(dict(g.degree).values()) <= 3]
    # Connected graphs of degree at most 3: 1, 1, 2, 6, 10 and 29 on one to six nodes (OEIS A005964).
    assert len(found) == 49
    return from_every_source(found)


def labelled_trees(num_nodes):
    """Of degree at most four; all labellings: the source 0 stands at every place of every tree."""
    found = list(trees(num_nodes, 4))
    # n^(n - 2) trees, less those with a node of degree 5 (6 stars; 7 * C(5,4) * 6 = 210) or 6 (7).
    assert len(found) == {6: 6**4 - 6, 7: 7**5 - 210 - 7}[num_nodes]
    return [(tree, 0) for tree in found]


def a_thousand_random_graphs(degree):
    found = list(random_copies(1000, max_nodes=20, degree=degree, seed=degree))
    assert max(max(dict(graph.degree).values()) for graph, _ in found) == degree
    return found


FAMILIES = {
    "connected, up to five nodes": up_to_five_nodes,
    "connected, up to six nodes and degree three": up_to_six_nodes_and_degree_three,
    "karate": lambda: from_every_source(
        [nx.convert_node_labels_to_integers(nx.karate_club_graph())]
    ),
    **{
        f"a thousand random ones of degree {degree}": functools.partial(
            a_thousand_random_graphs, degree
        )
        for degree in (2, 3, 4)
    },
    "labelled trees of six nodes": functools.partial(labelled_trees, 6),
    "labelled trees of seven nodes": functools.partial(labelled_trees, 7),
    "ten thousand nodes": lambda: [(nx.random_regular_graph(3, 10_000, seed=0), 0)],
}
ENGINES = ("kernel", "ensemble")
# What takes seconds and more: to train, what the trained networks do, to read many graphs.
QUICK_ENSEMBLES = [("ensemble", "flooding", "connected, up to six nodes and degree three")]
SLOW = {
    *(set(itertools.product(["ensemble"], ALGORITHMS, FAMILIES)) - {*QUICK_ENSEMBLES}),
    # The default suite has random graphs of one degree, and other families with trees among them.
    ("kernel", "flooding", "a thousand random ones of degree 2"),
    ("kernel", "flooding", "a thousand random ones of degree 4"),
    ("kernel", "flooding", "labelled trees of six nodes"),
    ("kernel", "flooding", "labelled trees of seven nodes"),
}
TABLE = [
    *itertools.product(ENGINES, ALGORITHMS, ["connected, up to five nodes"]),
    *itertools.product(ENGINES, ["flooding"], [*FAMILIES][1:]),
]


@functools.cache
def family_of(family, weight):
    return batch_of(FAMILIES[family](), weight=weight)


def assert_exact(engine, instance, *, padded=None, **options):
    """Executes an instance, and compares every node with the reference, every bit with the program.

    `padded` gives numbers of nodes and edges to fill the graph up to, so that many graphs share
    one compiled execution.
    """
    update, certificate = engine_for(engine, instance.program)
    num_nodes = instance.graph.num_nodes
    inputs = instance.graphs if padded is None else message_passing.pad(instance.graphs, *padded)
    found = executor.execute(
        update,
        instance.program,
        inputs,
        num_steps=instance.num_steps,
        node_mask=np.arange(len(inputs.nodes)) < num_nodes,
        **options,
    )
    answer, expected = instance.decode(found.states[:num_nodes]), instance.reference()
    for field, values in expected.items():
        assert np.array_equal(answer[field], values), field
    assert found.verification.wrong_bits == 0, executor.diagnose(
        update, instance.program, found.verification
    )
    assert found.collisions == 0
    assert certificate.covers(found.verification.largest_matches)
    return found


@pytest.mark.parametrize(
    ("engine", "algorithm", "family"),
    [pytest.param(*row, marks=[pytest.mark.slow] if row in SLOW else []) for row in TABLE],
)
def test_an_algorithm_is_exact_on_every_graph_of_a_family(engine, algorithm, family):
    batch, sources = family_of(family, "weight" if algorithm == "bellman-ford" else None)
    assert_exact(engine, ALGORITHMS[algorithm](batch, sources))


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


@pytest.mark.parametrize("engine", ENGINES)
@given(case=flooding_cases())
def test_flooding_is_exact_on_any_graph(engine, case):
    graph, sources, message = case
    assert_exact(engine, flooded(graphs.from_networkx(graph), sources, message), padded=(10, 40))


def test_a_connected_graph_comes_to_rest_after_the_last_arrival():
    instance = flooded(graphs.load("grid:4x5"), [0])
    found = assert_exact("kernel", instance, until="fixed-point")
    assert found.stopped == "steps"  # the answer is complete before a whole round is quiet
    update, _ = engine_for("kernel", instance.program)
    longer = executor.execute(
        update, instance.program, instance.graphs, num_steps=1000, until="fixed-point"
    )
    # In the next round the last nodes to be informed send in vain.
    assert longer.stopped == "fixed-point"
    assert longer.steps == instance.num_steps + flooding.STEPS_PER_ROUND
    answer = instance.decode(longer.states)
    assert np.array_equal(answer["arrival"], instance.reference()["arrival"])


def test_a_message_of_zeros_is_not_silence():
    silent = flooding.Message.parse("0000")
    found = assert_exact("ensemble", flooded(graphs.load("path:5"), [0], silent))
    assert found.steps == 8


def test_a_wrong_colouring_is_noticed_by_the_executor():
    instance = flooded(graphs.load("path:3"), [0, 2])
    fields = instance.program.layout.unpack(instance.initial)
    clash = instance.program.layout.pack(3, fields | {"colour": 0})
    update, _ = engine_for("kernel", instance.program)
    found = executor.execute(
        update, instance.program, instance.graphs._replace(nodes=clash), num_steps=4
    )
    assert found.collisions > 0
