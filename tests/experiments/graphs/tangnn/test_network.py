import jax
import networkx as nx
import numpy as np
import pytest

from experiments.graphs.tangnn import tasks
from experiments.graphs.tangnn.layers import TANGNNLayer
from experiments.graphs.tangnn.network import TANGNN, auxiliary_rules
from experiments.graphs.tangnn.stability import replacement_cost
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph_sets.batches import DenseBatch
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

RING = np.stack([np.arange(9), (np.arange(9) + 1) % 9], 1)


def drawn(model, *inputs, **given):
    generator = np.random.default_rng(0)
    found = initial_by_numpy(model, generator, *inputs, rules=auxiliary_rules(), **given)
    return jax.tree.map(lambda leaf: np.asarray(leaf, float), found)


@pytest.mark.slow
def test_graphs_of_one_size_and_padding_and_sparse_features_change_nothing():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(9, 4)) * (generator.random((9, 4)) < 0.6)
    graph = from_edges(RING, x)
    adjacency, nodes = np.zeros((2, 12, 12)), np.zeros((2, 12, 4))
    adjacency[:, RING[:, 0], RING[:, 1]] = adjacency[:, RING[:, 1], RING[:, 0]] = 1
    nodes[:, :9] = x
    dense = DenseBatch(adjacency, nodes, np.tile(np.arange(12) < 9, (2, 1)))
    model = TANGNN(3, hidden=4, m=3, layers=1, readout="graph")
    variables = drawn(model, graph)
    with float64():
        wanted, found, sparse = jax.jit(
            lambda *graphs: [model.apply(variables, g) for g in graphs]
        )(graph, dense, graph._replace(nodes=SparseFeatures.of(x)))
    np.testing.assert_allclose(found, np.stack([wanted, wanted]), atol=1e-12)
    np.testing.assert_allclose(sparse, wanted, atol=1e-12)
    two = graph._replace(n_node=np.array([4, 5]))
    with pytest.raises(ExperimentError, match="2 graphs"):
        model.apply(variables, two)


@pytest.mark.slow
def test_per_node_asks_for_each_node_by_itself_and_needs_dense_features():
    x = np.random.default_rng(1).normal(size=(9, 4))
    graph = from_edges(RING, x)
    layer = TANGNNLayer(4, 3, per_node=True)
    variables = drawn(layer, x, graph)
    found, told = jax.jit(lambda *given: layer.apply(*given, mutable=["intermediates"]))(
        variables, x, graph
    )
    shares = np.asarray(told["intermediates"]["attention"]["attention"][0])
    assert shares.shape == (9, 3)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    assert np.ptp(np.asarray(found)[:, 4:], axis=0).max() > 1e-2
    with pytest.raises(ExperimentError, match="dense"):
        layer.apply(variables, SparseFeatures.of(x), graph)


def test_a_pair_is_both_rows_beside_each_other_in_order():
    graph = from_edges(RING, np.random.default_rng(2).normal(size=(9, 4)))
    pairs = np.array([[0, 4], [4, 0], [2, 2]])
    model = TANGNN(2, hidden=4, m=3, layers=1, readout="pair")
    variables = drawn(model, graph, pairs=pairs)
    found = np.asarray(jax.jit(model.apply)(variables, graph, pairs=pairs))
    rows = variables["params"]["head"]["kernel"]
    assert rows.shape == (16, 8)
    assert found.shape == (3, 2)
    assert abs(found[0] - found[1]).max() > 1e-3
    with pytest.raises(ExperimentError, match="pairs"):
        model.apply(variables, graph)


@pytest.mark.slow
def test_the_released_wiring_attends_over_all_nodes_at_a_quadratic_cost():
    counted = {}
    for variant in ("public_tiled_LC", "LC"):
        for n in (1024, 4096):
            ring = np.stack([np.arange(n), (np.arange(n) + 1) % n], 1)
            graph = from_edges(ring, np.zeros((n, 8), np.float32))
            model = TANGNN(2, hidden=8, m=4, variant=variant)
            shapes = jax.eval_shape(
                lambda model=model, graph=graph: model.init(jax.random.key(0), graph)
            )
            lowered = jax.jit(model.apply).lower(shapes, graph)
            counted[variant, n] = lowered.cost_analysis()["flops"]
    assert (
        np.log(counted["public_tiled_LC", 4096] / counted["public_tiled_LC", 1024]) / np.log(4)
        > 1.8
    )
    assert np.log(counted["LC", 4096] / counted["LC", 1024]) / np.log(4) < 1.05


def test_selecting_others_costs_nothing_where_nothing_is_attended():
    graph = from_edges(RING, np.random.default_rng(3).normal(size=(9, 4)))
    model = TANGNN(3, hidden=4, m=3, layers=1, attended=0.0)
    labels, mask = np.arange(9) % 3, np.ones(9, bool)
    given = (model, drawn(model, graph), graph, labels, mask, np.random.default_rng(0))
    assert replacement_cost(*given, draws=2) == 0


@pytest.mark.parametrize(
    "fields", [{"variant": "XL"}, {"readout": "edge"}, {"layers": 0}, {"heads": 3}]
)
def test_a_network_that_there_is_not_is_refused(fields):
    graph = from_edges(RING, np.ones((9, 2)))
    model = TANGNN(2, **{"hidden": 4, "m": 2, **fields})
    with pytest.raises(ExperimentError, match=str(next(iter(fields.values())))):
        jax.eval_shape(lambda: model.init(jax.random.key(0), graph))


def test_moods_lie_beyond_the_hops_and_decide_with_what_the_cited_holds():
    drawn = tasks.citations(np.random.default_rng(0), 3)
    for x, adjacency, pairs, labels in zip(
        drawn.graphs.nodes, drawn.graphs.adjacency, drawn.pairs, drawn.labels, strict=True
    ):
        hops = dict(nx.all_pairs_shortest_path_length(nx.Graph(adjacency)))
        shown = np.flatnonzero(x[:, 2])
        mood = x[shown[0], 3]
        for (citing, cited), label in zip(pairs, labels, strict=True):
            assert adjacency[citing, cited] == 1
            assert min(hops[node][end] for node in shown for end in (citing, cited)) >= 5
            assert label == (1 if x[citing, 1] else 1 + mood * x[cited, 0])


@pytest.mark.slow
def test_cycles_are_networkx_s_and_held_out_links_are_no_edges_of_the_graph():
    graphs, counts = tasks.counted_cycles(np.random.default_rng(0), 3)
    for adjacency, count in zip(graphs.adjacency, counts[:, 0], strict=True):
        cycles = nx.simple_cycles(nx.Graph(adjacency), length_bound=4)
        assert sum(1 for _ in cycles) == count
    data = contextual_sbm(np.random.default_rng(0), nodes=60, train=2, validation=10)
    links = tasks.held_out_links(data, np.random.default_rng(1))
    edges = set(map(tuple, data.edges.tolist()))
    seen = set(zip(links.graph.senders.tolist(), links.graph.receivers.tolist(), strict=True))
    for pairs, labels in (
        (links.test, links.test_labels),
        (links.validation, links.validation_labels),
    ):
        assert [tuple(pair) in edges for pair in pairs.tolist()] == (labels == 1).tolist()
        assert not seen & set(map(tuple, pairs.tolist()))
    assert len(links.train) + links.test_labels.sum() + links.validation_labels.sum() == len(edges)
