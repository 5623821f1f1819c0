"""The paper's losses against plain loops, and what follows from their definitions."""

import functools

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from experiments.graphs.ff_g2m.losses import (
    averaged_teacher,
    high_frequency_loss,
    low_frequency_loss,
    node_loss,
)
from experiments.kits.graph.convert import assembled, from_networkx
from experiments.kits.graph.equivariance import permuted
from ntkexec.runtime.precision import float64

N, CLASSES = 12, 3
# An isolated node, a hub, and self-loops that count for nothing.
GRAPH = from_networkx(nx.disjoint_union(nx.lollipop_graph(6, 5), nx.empty_graph(1)))
LOOPS = np.array([0, 0, 3])
FILLED = assembled(GRAPH.nodes, np.append(GRAPH.senders, LOOPS), np.append(GRAPH.receivers, LOOPS))
GENERATOR = np.random.default_rng(0)
Z, H = GENERATOR.normal(size=(2, N, CLASSES)) * 2


@functools.cache
def compiled():
    """All losses and gradients in one program."""

    def losses(h, z, graph):
        return {
            "node": node_loss(h, z),
            "low": low_frequency_loss(h, z, graph),
            "warm": low_frequency_loss(h, z, graph, temperature=2.0),
            "high": high_frequency_loss(h, z, graph),
            "signed": high_frequency_loss(h, z, graph, signed=True),
        }

    def everything(h, z, graph):
        return (
            losses(h, z, graph),
            jax.jacrev(losses, (0, 1))(h, z, graph),
            averaged_teacher(z, graph),
        )

    return jax.jit(everything)


def measured(h, z, graph=FILLED):
    with float64():
        return jax.tree.map(np.asarray, compiled()(jnp.asarray(h), jnp.asarray(z), graph))


def divergence(z, h):
    return float(np.sum(softmax(z) * (log_softmax(z) - log_softmax(h))))


def test_both_losses_are_the_means_of_plain_loops_over_edges_without_loops():
    edges = list(zip(GRAPH.senders, GRAPH.receivers, strict=True))
    closed = [*edges, *((i, i) for i in range(N))]
    found = measured(H, Z)[0]
    expected = {
        "node": [divergence(Z[i], H[i]) for i in range(N)],
        "low": [divergence(Z[j], H[i]) for j, i in closed],
        "warm": [divergence(Z[j] / 2, H[i] / 2) for j, i in closed],
        "high": [divergence(abs(Z[i] - Z[j]) / 1.5, abs(H[i] - H[j]) / 1.5) for j, i in edges],
        "signed": [
            divergence(*(np.r_[v[i] - v[j], v[j] - v[i]] / 1.5 for v in (Z, H))) for j, i in edges
        ],
    }
    for name, terms in expected.items():
        np.testing.assert_allclose(found[name], np.mean(terms), rtol=1e-12, err_msg=name)


def test_no_gradient_reaches_the_teacher():
    gradients = measured(H, Z)[1]
    for name, (to_student, to_teacher) in gradients.items():
        assert np.abs(to_student).max() > 0, name
        assert (to_teacher == 0).all(), name


def test_the_averaged_teacher_has_the_gradient_of_the_low_frequencies_for_any_student():
    _, gradients, (log_mean, share, _) = measured(H, Z)
    assert share.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(np.exp(log_mean).sum(1), 1, rtol=1e-14)
    of_glnn = share[:, None] * (softmax(H, axis=1) - np.exp(log_mean))
    np.testing.assert_allclose(gradients["low"][0], of_glnn, atol=1e-15)


def test_the_high_frequencies_do_not_tell_a_teacher_from_its_negative():
    shift = np.array([[3.0, -1.0, 0.5]])
    for sign in (1, -1):
        found = measured(sign * Z + shift, Z)[0]
        assert abs(found["high"]) < 1e-15
        assert (found["signed"] > 0.1) == (sign < 0)


def test_without_edges_the_low_frequencies_are_glnn_and_the_high_ones_nothing():
    edgeless = FILLED._replace(senders=FILLED.receivers)
    found = measured(H, Z, edgeless)[0]
    assert found["low"] == pytest.approx(found["node"], rel=1e-14)
    assert found["high"] == 0
    assert found["signed"] == 0


def test_the_numbering_of_nodes_does_not_matter():
    order = np.random.default_rng(1).permutation(N)
    found, moved = measured(H, Z)[0], measured(H[order], Z[order], permuted(FILLED, order))[0]
    for name in found:
        assert moved[name] == pytest.approx(found[name], rel=1e-13), name
