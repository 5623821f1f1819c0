"""Batches of graphs hold the graphs that were put in, whichever way they are made."""

import jax
import numpy as np
import pytest

from experiments.data.graph_sets import Graph, GraphSet
from experiments.kits.graph_sets import baselines, batches, pooling
from experiments.kits.graph_sets.inputs import node_inputs
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError


def random_set(seed=0, number=9):
    drawn = np.random.default_rng(seed)
    graphs = []
    for _ in range(number):
        n = int(drawn.integers(1, 8))
        u, v = np.triu_indices(n, 1)
        kept = drawn.random(len(u)) < 0.5
        edges = np.stack([u[kept], v[kept]], 1).astype(np.int64)
        graphs.append(Graph(n, edges, drawn.integers(0, 3, n)))
    graphs[0] = Graph(2, np.array([[0, 1]]), np.array([0, 2]))
    return GraphSet("random", tuple(graphs), drawn.integers(0, 2, number))


def test_a_batch_out_of_a_store_is_the_batch_of_those_graphs():
    made = random_set()
    inputs = node_inputs(made)
    store = batches.stored(made, inputs)
    limits = batches.Limits(4, 40, 120)
    for places in ([3, 0, 8, -1], [1, -1, -1, -1], [2, 4, 5, 6]):
        found = batches.gathered(store, np.array(places), limits)
        some = [p for p in places if p >= 0]
        wanted = batches.padded_batch(
            [made.graphs[p] for p in some], num_graphs=5, num_nodes=40, num_edges=120,
            inputs=[inputs[p] for p in some],
        )  # fmt: skip
        for name in ("nodes", "edges", "senders", "receivers", "n_node", "n_edge"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name)


def test_pooling_is_that_of_each_graph_alone_in_both_kinds_of_batches():
    made = random_set(1)
    inputs = node_inputs(made)
    both = (
        batches.padded_batch(
            made.graphs, num_graphs=10, num_nodes=70, num_edges=250, inputs=inputs
        ),
        batches.dense_batch(made.graphs, 8, inputs),
    )
    for batch in both:
        for how in ("sum", "mean", "max"):
            found = pooling.pooled(batch, batch.nodes - 1, how)
            wanted = [getattr(rows - 1, how)(0) for rows in inputs]
            np.testing.assert_allclose(found, wanted, atol=1e-6)
        with pytest.raises(ExperimentError, match="median"):
            pooling.pooled(batch, batch.nodes, "median")


@pytest.mark.parametrize("network", [baselines.GIN, baselines.GCN], ids=lambda n: n.__name__)
def test_networks_compute_the_same_on_both_kinds_of_batches_and_see_no_padding(network):
    made = random_set(2, number=4)
    inputs = node_inputs(made)
    model = network(2, hidden=3, layers=1, dropout=0.0)
    sparse = batches.padded_batch(
        made.graphs, num_graphs=5, num_nodes=32, num_edges=90, inputs=inputs
    )
    dense = batches.dense_batch(made.graphs, 11, inputs)
    variables = initial_by_numpy(model, np.random.default_rng(0), sparse)
    one, other = (
        model.apply(variables, batch, train=True, mutable=["batch_stats"])
        for batch in (sparse, dense)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), one, other)


def test_batches_are_within_their_limits_and_all_graphs_are_evaluated_once():
    made = random_set(3, number=30)
    sizes, limits = batches.sizes_of(made), batches.Limits(6, 22, 60)
    among = np.arange(3, 30)
    drawn = batches.drawn_batches(
        sizes, among, limits, generator=np.random.default_rng(0), steps=50
    )
    every = batches.all_batches(sizes, limits)
    for rows in (drawn, every):
        for row in rows:
            some = row[row >= 0]
            assert (sizes[some].sum(0) <= (21, 60)).all()
            assert len(set(some)) == len(some)
    assert set(drawn[drawn >= 0]) == set(among.tolist())
    assert sorted(every[every >= 0]) == list(range(30))
    assert len(batches.all_batches(0 * sizes, batches.Limits(6))) == 5
    with pytest.raises(ExperimentError, match="graph 0 alone"):
        batches.all_batches(sizes, batches.Limits(6, 2, 60))
    with pytest.raises(ExperimentError, match="no graphs"):
        batches.drawn_batches(sizes, among[:0], limits, generator=None, steps=1)


def test_what_does_not_fit_is_refused_with_its_size():
    made = random_set()
    with pytest.raises(ExperimentError, match="2 graphs, 50 nodes"):
        batches.padded_batch(made.graphs, num_graphs=2, num_nodes=50, num_edges=200)
    with pytest.raises(ExperimentError, match="more than 1"):
        batches.dense_batch(made.graphs, 1)
    with pytest.raises(ExperimentError, match="no features"):
        node_inputs(made, kind="features")
    with pytest.raises(ExperimentError, match="none of labels"):
        node_inputs(made, kind="colours")
