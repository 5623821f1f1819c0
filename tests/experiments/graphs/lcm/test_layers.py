import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.graphs.lcm.folds import sequential_fold, tree_fold
from experiments.graphs.lcm.layers import FixedConv, LCMConv, RecurrentConv
from experiments.graphs.lcm.monoids import GRUWeights, gru, gru_monoid
from experiments.graphs.lcm.training import second_of_neighbours, second_smallest
from experiments.kits.graph.convert import assembled
from experiments.kits.graph.equivariance import equivariance_error
from experiments.kits.initialisation import FLAX, TORCH, initial_by_numpy
from ntkexec.errors import ExperimentError

# Nobody sends to node 4.
SENDERS, RECEIVERS = np.array([0, 1, 2, 4, 1, 2, 3, 0]), np.array([0, 0, 0, 0, 1, 3, 3, 2])


def graph(generator):
    return assembled(generator.normal(size=(5, 3)).astype(np.float32), SENDERS, RECEIVERS)


@pytest.mark.parametrize("layer", ["tree", "recurrent"])
def test_a_layer_folds_what_arrives_at_each_node(layer):
    generator = np.random.default_rng(0)
    made = graph(generator)
    conv = LCMConv(2, 4) if layer == "tree" else RecurrentConv(2, 4, longest=4)
    variables = initial_by_numpy(conv, generator, made, rules=TORCH)
    found = np.asarray(conv.apply(variables, made))
    p = variables["params"]
    cell = p["monoid"]["cell"] if layer == "tree" else p["cell"]
    weights = GRUWeights(
        *(cell[part][leaf] for part in ("input", "state") for leaf in ("kernel", "bias"))
    )
    messages = made.nodes @ p["message"]["kernel"] + p["message"]["bias"]
    for node in range(5):
        rows = jnp.asarray(messages[made.senders[made.receivers == node]])
        if layer == "tree":
            neutral = p["monoid"]["neutral"]["bias"]
            value = tree_fold(functools.partial(gru_monoid, weights), rows, identity=neutral)
        else:
            value = sequential_fold(functools.partial(gru, weights), rows, begin=jnp.zeros(4))
        own = made.nodes[node] @ p["own"]["kernel"] + p["own"]["bias"]
        np.testing.assert_allclose(
            found[node], own + value @ p["received"]["kernel"], rtol=1e-4, atol=1e-5
        )
    # The kit's edges are sorted; a stranger's need not be.
    order = np.array([5, 2, 0, 7, 1, 3, 6, 4])
    if layer == "tree":
        moved = made._replace(senders=made.senders[order], receivers=made.receivers[order])
        by_sum = FixedConv(2, 4, sum_weight=1.0, mean_weight=0.0)
        shared = {"params": {name: p[name] for name in ("message", "own", "received")}}
        same = LCMConv(2, 4, kind="sum")
        np.testing.assert_allclose(
            same.apply(shared, moved), by_sum.apply(shared, made), rtol=1e-4, atol=1e-5
        )


@pytest.mark.slow
def test_with_an_exact_monoid_the_layer_does_not_care_how_nodes_and_edges_are_numbered():
    generator = np.random.default_rng(1)
    made, errors = graph(generator), {}
    for kind in ("max", "flow", "gru"):
        conv = LCMConv(2, 4, kind=kind)
        variables = initial_by_numpy(conv, generator, made, rules=FLAX)
        errors[kind] = max(
            equivariance_error(functools.partial(conv.apply, variables), made, generator)
            for _ in range(5)
        )
        assert np.isfinite(conv.apply(variables, made)).all()
    assert max(errors["max"], errors["flow"]) < 1e-5 < 1e-3 < errors["gru"]


def test_a_recurrent_layer_asks_for_its_steps():
    with pytest.raises(ExperimentError, match="largest in-degree"):
        RecurrentConv(2, 4).init(jax.random.key(0), graph(np.random.default_rng(0)))


def test_the_second_smallest_counts_with_multiplicity_in_sets_and_neighbourhoods():
    labels = np.array([[3, 3, 5, 0], [9, 1, 4, 0]])
    np.testing.assert_array_equal(
        second_smallest(labels, np.array([[1, 1, 1, 0]] * 2, bool)), [3, 4]
    )
    of_nodes = np.array([5, 5, 1, 8, 0])
    found, known = second_of_neighbours(of_nodes, SENDERS, RECEIVERS, 5)
    np.testing.assert_array_equal(known, [True, False, False, True, False])
    assert (found[0], found[3]) == (1, 8)
