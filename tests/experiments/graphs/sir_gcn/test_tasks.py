import itertools

import jax
import numpy as np
import pytest

from experiments.graphs.sir_gcn import networks, study, tasks
from experiments.graphs.sir_gcn.layers import SIRConv
from experiments.kits.graph.convert import assembled
from experiments.kits.initialisation import FLAX, initial_by_numpy
from ntkexec.runtime.precision import float64


def test_every_dictionary_of_three_keys_is_looked_up_exactly_and_by_no_smaller_penalty():
    look = jax.jit(SIRConv(3, 9).apply)
    wrong = 0
    for values in itertools.permutations(range(3)):
        graph = tasks.dictionary(np.array(values))
        found = look(tasks.lookup_weights(3), graph)[:3]
        np.testing.assert_array_equal(found, np.eye(3)[list(values)])
        smaller = look(tasks.lookup_weights(3, penalty=2.0), graph)[:3]
        wrong += not np.array_equal(smaller, np.eye(3)[list(values)])
    assert wrong


def test_edges_are_counted_exactly_by_the_layer_and_by_a_gin_whose_epsilon_silences_the_node():
    # Labels 0, 0, 1; the edges 0 - 1 (same), 0 -> 2, 2 -> 0, and a loop at 2.
    nodes = np.eye(2)[[0, 0, 1]]
    graph = assembled(nodes, np.array([0, 1, 0, 2, 2]), np.array([1, 0, 2, 0, 2]))
    found = SIRConv(1, 2).apply(tasks.edge_count_weights(2), graph)[:, 0]
    np.testing.assert_array_equal(found, [1, 0, 1])
    np.testing.assert_array_equal(tasks.gin_edge_count(graph, epsilon=-4), [1, 0, 1])
    np.testing.assert_array_equal(tasks.gin_edge_count(graph, epsilon=0), [3, 2, 3])


def test_coloured_graphs_are_those_of_the_task():
    generator = np.random.default_rng(0)
    for _ in range(50):
        graph, target = tasks.coloured_graph(generator, 3, 12)
        num, count = len(graph.nodes), len(graph.senders)
        assert 2 <= num <= 12
        assert num * num // 4 <= count <= num * num
        assert len(set(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))) == count
        labels = graph.nodes.argmax(1)
        assert target == (labels[graph.senders] != labels[graph.receivers]).sum()


@pytest.mark.slow
def test_picking_messages_from_tables_is_message_passing_over_the_graphs():
    generator = np.random.default_rng(0)
    rules = {**FLAX, "bias": lambda generator, shape, fan_in: generator.normal(size=shape)}
    with float64():
        values = np.array([[2, 0, 1]])
        network = networks.LookupNetwork("sir", 3, 8)
        params = initial_by_numpy(network, generator, values, rules=rules)["params"]
        picked = network.apply({"params": params}, values)[0]
        keys, shown = params["keys"]["embedding"], params["values"]["embedding"]
        states = np.concatenate([keys + shown[3], keys + shown[values[0]]])
        inner = {**params["SIRConv_0"], "activation": params["SmallNetwork_0"]}
        conv = SIRConv(8, 8, networks.SmallNetwork(8))
        passed = conv.apply({"params": inner}, tasks.dictionary(values[0])._replace(nodes=states))
        np.testing.assert_allclose(
            picked, passed[:3] @ params["scores"]["kernel"], rtol=1e-5, atol=1e-6
        )

        graph, _ = tasks.coloured_graph(generator, 3, 9)
        received = np.zeros_like(graph.nodes)
        np.add.at(received, graph.receivers, graph.nodes[graph.senders])
        network = networks.EdgeCountNetwork("sir", 8)
        ends = (graph.nodes[None], received[None])
        params = initial_by_numpy(network, generator, *ends, rules=rules)["params"]
        counted = network.apply({"params": params}, *ends)[0]
        states = graph.nodes @ params["labels"]["embedding"]
        passed = SIRConv(8, 8).apply({"params": params["SIRConv_0"]}, graph._replace(nodes=states))
        np.testing.assert_allclose(
            counted, (passed @ params["count"]["kernel"]).sum(), rtol=1e-5, atol=1e-6
        )


def test_the_gin_that_learns_epsilon_has_parameters_that_count_exactly():
    generator = np.random.default_rng(0)
    graph, target = tasks.coloured_graph(generator, 3, 9)
    received = np.zeros_like(graph.nodes)
    np.add.at(received, graph.receivers, graph.nodes[graph.senders])
    params = study._gin_that_counts(generator, 3, 5, 9, noise=0.0)
    network = networks.EdgeCountNetwork("gin-epsilon", 5)
    ends = (graph.nodes[None], received[None])
    assert network.apply({"params": params}, *ends)[0] == target
    without = {**params, "epsilon": np.zeros((1, 1, 1))}
    assert network.apply({"params": without}, *ends)[0] != target
