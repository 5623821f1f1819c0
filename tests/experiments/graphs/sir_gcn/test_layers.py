import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.graphs.sir_gcn.layers import AGGREGATES, SIRConv, SIREdgeConv
from experiments.kits.graph.convert import assembled
from experiments.kits.graph.equivariance import equivariance_error
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

# Node 0 sends to three and receives from one; nobody sends to node 4, and node 3 sends to nobody.
SENDERS, RECEIVERS = np.array([0, 0, 0, 1, 4, 4]), np.array([1, 2, 3, 0, 2, 3])
EDGES = np.random.default_rng(1).normal(size=(6, 2))
BIAS = np.array([0.5, -2.0])


def made(generator, edges=None):
    """A graph of five nodes, and variables for both layers, in float64."""
    graph = assembled(generator.normal(size=(5, 3)), SENDERS, RECEIVERS)._replace(edges=edges)
    shapes = {"query": (3, 4), "key": (3, 4), "edge": (2, 4), "relation": (4, 2)}
    params = {name: {"kernel": generator.normal(size=shape)} for name, shape in shapes.items()}
    params["query"]["bias"] = generator.normal(size=4)
    params["relation"]["bias"] = BIAS
    if edges is None:
        del params["edge"]
    return graph, {"params": params}


def by_hand(graph, variables, aggregate):
    """Node by node, message by message, W_R and its bias on each message."""
    p = {name: part["kernel"] for name, part in variables["params"].items()}
    result = np.zeros((5, 2)) if aggregate == "max" else np.tile(BIAS, (5, 1))
    for node in range(5):
        arriving = np.flatnonzero(graph.receivers == node)
        messages = []
        for edge in arriving:
            sender = graph.senders[edge]
            inner = graph.nodes[node] @ p["query"] + variables["params"]["query"]["bias"]
            inner = inner + graph.nodes[sender] @ p["key"]
            if graph.edges is not None:
                inner = inner + graph.edges[edge] @ p["edge"]
            scale = 1.0
            if aggregate == "sym":
                scale = 1 / np.sqrt((graph.senders == sender).sum() * len(arriving))
            if aggregate == "mean":
                scale = 1 / len(arriving)
            messages.append(scale * np.maximum(inner, 0) @ p["relation"])
        if messages and aggregate == "max":
            result[node] = np.max(messages, 0) + BIAS
        elif messages:
            result[node] = np.sum(messages, 0) + BIAS
    return result


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_the_layer_is_its_formula_and_a_node_that_nobody_sends_to_gets_the_bias_or_0(aggregate):
    graph, variables = made(np.random.default_rng(0))
    with float64():
        found = SIRConv(2, 4, aggregate=aggregate).apply(variables, graph)
    expected = by_hand(graph, variables, aggregate)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found[4], 0 * BIAS if aggregate == "max" else BIAS)


def test_edge_features_are_added_inside_of_the_activation_and_must_be_there():
    graph, variables = made(np.random.default_rng(0), EDGES)
    with float64():
        found = SIREdgeConv(2, 4).apply(variables, graph)
        np.testing.assert_allclose(found, by_hand(graph, variables, "sum"), rtol=1e-12, atol=1e-12)
        for edges in (None, EDGES[:, 0]):
            with pytest.raises(ExperimentError, match="needs edges"):
                SIREdgeConv(2, 4).apply(variables, graph._replace(edges=edges))


def test_the_layer_does_not_care_how_nodes_are_numbered():
    graph, variables = made(np.random.default_rng(0))
    with float64():
        error = equivariance_error(
            lambda g: SIRConv(2, 4, aggregate="sym").apply(variables, g),
            graph,
            np.random.default_rng(1),
        )
    assert error < 1e-12


def test_relu_is_linear_above_a_large_bias_so_that_no_other_activation_is_needed_for_a_gcn():
    graph, variables = made(np.random.default_rng(0))
    relation = variables["params"]["relation"]["kernel"]
    large = {"kernel": np.zeros((3, 4)), "bias": np.full(4, 1e3)}
    with float64():
        conv = SIRConv(2, 4)
        found = np.asarray(conv.apply({"params": {**variables["params"], "query": large}}, graph))
    adjacency = np.zeros((5, 5))
    adjacency[RECEIVERS, SENDERS] = 1
    shift = adjacency.sum(1, keepdims=True) * (np.full(4, 1e3) @ relation)
    linear = adjacency @ graph.nodes @ variables["params"]["key"]["kernel"] @ relation + BIAS
    np.testing.assert_allclose(found - shift, linear, atol=1e-10)


def test_dropout_acts_on_both_ends_when_training_only():
    graph, variables = made(np.random.default_rng(0))
    conv = SIRConv(2, 4, dropout=1.0)
    with float64():
        found = conv.apply(variables, graph, train=True, rngs={"dropout": jax.random.key(0)})
        np.testing.assert_array_equal(found, np.tile(BIAS, (5, 1)))
        assert not jnp.array_equal(conv.apply(variables, graph), found)


def test_an_unknown_aggregate_is_refused_by_name():
    graph, variables = made(np.random.default_rng(0))
    with pytest.raises(ExperimentError, match="median"):
        SIRConv(2, 4, aggregate="median").apply(variables, graph)
