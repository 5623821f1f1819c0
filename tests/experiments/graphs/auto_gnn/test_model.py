"""Seven attentions by their formulas, and one network that is all of a small space."""

import jax
import networkx as nx
import numpy as np
import pytest

from experiments.graphs.auto_gnn import ArchitectureSpace, Layer, build
from experiments.graphs.auto_gnn.model import NEEDS, SearchedLayer, Weights, edge_weights
from experiments.graphs.auto_gnn.space import ATTENTIONS
from experiments.graphs.auto_gnn.switched import switched_network, switches
from experiments.graphs.auto_gnn.table import SPACE
from experiments.kits.graph.convert import from_edges, from_networkx
from experiments.kits.graph.equivariance import equivariance_error
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(12, 5))
EDGES = np.array(nx.gnm_random_graph(12, 20, seed=1).edges)
GRAPH = normalised(from_edges(EDGES, X), how="none")._replace(edges=None)
HEADS, WIDTH = 2, 3
ROWS = GENERATOR.normal(size=(12, HEADS, WIDTH))
WEIGHTS = Weights(
    *(GENERATOR.normal(size=(HEADS, WIDTH)) for _ in range(2)),
    *(GENERATOR.normal(size=(5, HEADS * WIDTH)) for _ in range(2)),
    GENERATOR.normal(size=(HEADS, WIDTH)),
)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def score(attention, i, j):
    """Of the edge from j to i, head by head, in plain NumPy."""
    left, right, neighbour, centre, mixer = WEIGHTS
    own, other = ((X @ w).reshape(12, HEADS, WIDTH) for w in (centre, neighbour))

    def gat(i, j):
        return leaky((left * ROWS[j]).sum(-1) + (right * ROWS[i]).sum(-1))

    return {
        "gat": lambda: gat(i, j),
        "sym-gat": lambda: gat(i, j) + gat(j, i),
        "cos": lambda: (own[i] * other[j]).sum(-1),
        "linear": lambda: np.tanh(other[j].sum(-1)),
        "gene-linear": lambda: (mixer * np.tanh(own[i] + other[j])).sum(-1),
    }[attention]()


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_weights_of_edges_are_the_formulas_and_learned_ones_sum_to_one(attention):
    with jax.enable_x64(True):
        found = np.asarray(edge_weights(attention, X, ROWS, WEIGHTS, GRAPH))
    degrees = np.bincount(GRAPH.receivers)
    arrived = np.zeros((12, HEADS))
    np.add.at(arrived, GRAPH.receivers, found)
    for edge, (j, i) in enumerate(zip(GRAPH.senders, GRAPH.receivers)):
        if attention == "const":
            wanted = np.ones(HEADS)
        elif attention == "gcn":
            wanted = np.full(HEADS, (degrees[i] * degrees[j]) ** -0.5)
        else:
            around = GRAPH.senders[GRAPH.receivers == i]
            scores = np.exp([score(attention, i, k) for k in around])
            wanted = np.exp(score(attention, i, j)) / scores.sum(0)
        np.testing.assert_allclose(found[edge], wanted, rtol=1e-12)
    if attention not in ("const", "gcn"):
        np.testing.assert_allclose(arrived, 1, rtol=1e-12)


def layer(**choice):
    chosen = Layer(**{"hidden": 4, "attention": "gcn", "heads": 1, "aggregate": "sum",
                      "combine": "identity", "activation": "identity", **choice})  # fmt: skip
    return SearchedLayer(chosen, use_bias=False)


def test_gcn_and_const_layers_are_the_usual_operators():
    kernel = GENERATOR.normal(size=(5, 4))
    params = {"params": {"value": {"kernel": kernel}}}
    graph = from_edges(EDGES, X)
    usual, mean = (dense(normalised(graph, how=how)) for how in ("sym", "row"))
    with jax.enable_x64(True):
        gcn = layer().apply(params, X, GRAPH)
        const = layer(attention="const", aggregate="mean").apply(params, X, GRAPH)
        most = layer(attention="const", aggregate="max", activation="relu6").apply(params, X, GRAPH)
    np.testing.assert_allclose(gcn, usual @ X @ kernel, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(const, mean @ X @ kernel, rtol=1e-12, atol=1e-14)
    linked = (mean > 0)[..., None]
    wanted = np.where(linked, (X @ kernel)[None], -np.inf).max(1)
    np.testing.assert_allclose(most, np.clip(wanted, 0, 6), rtol=1e-12)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_layers_follow_the_numbering_of_nodes_and_learn_what_they_need(attention):
    model = layer(hidden=WIDTH, attention=attention, heads=HEADS)
    variables = initial_by_numpy(model, GENERATOR, GRAPH.nodes, GRAPH)
    with jax.enable_x64(True):
        moved = equivariance_error(lambda g: model.apply(variables, g.nodes, g), GRAPH, GENERATOR)
    assert moved < 1e-12
    assert set(variables["params"]) == {"value", *NEEDS[attention]}


def same(space, architectures):
    model = switched_network(space, 3)
    variables = initial_by_numpy(model, GENERATOR, GRAPH)
    params = variables["params"]
    for architecture in architectures:
        needed = {
            f"layer_{place}": {
                name: params[f"layer_{place}"][name]
                for name in ("value", "bias", *NEEDS[choice.attention])
            }
            for place, choice in enumerate(architecture)
        }
        with jax.enable_x64(True):
            one = model.clone(**switches(space, architecture)).apply(variables, GRAPH)
            other = build(architecture, 3).apply({"params": needed}, GRAPH)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_the_switched_network_is_the_built_one_of_the_architecture_it_is_switched_to():
    few = {"attention": ("gcn", "gat"), "aggregate": ("sum", "max"), "hidden": (3,)}
    space = ArchitectureSpace(options={**SPACE.options, **few})
    gat, gcn = (Layer(3, a, 1, g, "identity", f) for a, g, f in (
        ("gat", "sum", "identity"), ("gcn", "max", "relu")))  # fmt: skip
    same(space, [(gat, gcn)])


@pytest.mark.slow
def test_the_switched_network_is_every_architecture_of_the_table():
    same(SPACE, [SPACE.decode(n) for n in GENERATOR.integers(SPACE.size, size=20).tolist()])


@pytest.mark.parametrize(
    ("choice", "fits"),
    [
        ({"attention": "dot"}, "gene-linear, not 'dot'"),
        ({"aggregate": "min"}, "sum, mean, max, not 'min'"),
        ({"combine": "add"}, "identity, mlp, not 'add'"),
        ({"activation": "gelu"}, "elu, not 'gelu'"),
        ({"hidden": 0}, "above 0, not 0"),
        ({"heads": 0}, "above 0, not 0"),
        ({"heads": 2.0}, "whole number above 0, not 2.0"),
    ],
)
def test_choices_that_there_are_not_are_refused_by_name(choice, fits):
    good = layer().choice
    (kind,) = choice
    with pytest.raises(ExperimentError, match=f"{kind} of layer 1 is .*{fits}"):
        build((good, good._replace(**choice)), 3)
    with pytest.raises(ExperimentError, match="at least one class, not 0"):
        build((good,), 0)
    build((good._replace(heads=np.int64(2)),), 3)


@pytest.mark.slow
def test_sampled_architectures_run_and_have_finite_gradients():
    karate = from_networkx(
        nx.karate_club_graph(), GENERATOR.normal(size=(34, 8)).astype(np.float32)
    )
    graph = normalised(karate._replace(edges=None), how="none")._replace(edges=None)
    space = ArchitectureSpace()
    for _ in range(30):
        architecture = space.sample(GENERATOR)
        model = build(architecture, 4, dropout=0.5)
        variables = initial_by_numpy(model, GENERATOR, graph)

        def loss(params, model=model):
            logits = model.apply(
                {"params": params}, graph, train=True, rngs={"dropout": jax.random.key(1)}
            )
            assert logits.shape == (34, 4)
            return (logits**2).mean()

        value, gradient = jax.value_and_grad(loss)(variables["params"])
        assert np.isfinite(value), architecture
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)), architecture
