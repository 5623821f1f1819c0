"""The models: what their layers learn of an edge, and what is left when that is switched off."""

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from experiments.graphs.neural_sheaf_diffusion.model import (
    ORTHOGONAL,
    RULES,
    BundleSheaf,
    DiagonalSheaf,
    GeneralSheaf,
    halves,
    layer_sheaf,
)
from experiments.graphs.neural_sheaf_diffusion.report import sheaf_report
from experiments.kits.graph.convert import from_networkx
from experiments.kits.graph.equivariance import equivariance_error
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError

N = 12
GENERATOR = np.random.default_rng(0)
GRAPH = from_networkx(
    nx.circulant_graph(N, [1, 3]), GENERATOR.normal(size=(N, 5)).astype(np.float32)
)


def begun(model):
    return initial_by_numpy(model, np.random.default_rng(1), GRAPH, rules=RULES)


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_the_public_learner_is_wired_as_the_public_code_wires_it(rows):
    channels, size = 6, 2
    seen = GENERATOR.normal(size=(2, rows, channels)).astype(np.float32)
    kernel = GENERATOR.normal(size=(2, channels, size)).astype(np.float32)
    own, other = halves(kernel, "public", jnp.asarray(seen))
    laid = np.concatenate([seen[0].reshape(-1), seen[1].reshape(-1)])
    want = laid.reshape(rows, 2 * channels).sum(0) @ kernel.reshape(2 * channels, size)
    assert np.asarray(own[0] + other[1]) == pytest.approx(want, abs=1e-4)
    swapped = np.abs(np.asarray(own[1] + other[0]) - want).max()
    assert (swapped < 1e-4) == (rows % 2 == 0)


@pytest.mark.parametrize("name", ORTHOGONAL)
def test_orthogonal_maps_are_orthogonal_and_all_of_one_determinant(name):
    maps = np.asarray(ORTHOGONAL[name](jnp.asarray(GENERATOR.uniform(-1, 1, (9, 3))), 3))
    assert maps @ maps.swapaxes(1, 2) == pytest.approx(np.tile(np.eye(3), (9, 1, 1)), abs=1e-5)
    assert len(set(np.linalg.det(maps).round(3))) == 1


@pytest.mark.slow
def test_switched_off_the_sheaf_is_constant_or_symmetric_and_both_directions_fit():
    model = BundleSheaf(3, stalk=2, channels=4)
    variables = begun(model)

    def told(**fields):
        sheaf = layer_sheaf(model.clone(**fields), variables, GRAPH, 1)
        assert sheaf.near.shape == (4 * N, 2, 2)
        return sheaf, sheaf_report(sheaf)

    learned, report = told()
    back = {pair: i for i, pair in enumerate(zip(GRAPH.senders, GRAPH.receivers, strict=True))}
    reverse = [back[v, u] for u, v in zip(GRAPH.senders, GRAPH.receivers, strict=True)]
    assert (learned.near == learned.far[reverse]).all()
    assert report.symmetric_share < 1
    assert report.holonomy.max() > 1e-3
    for fields in ({"learned": 0.0}, {"asymmetric": 0.0}):
        sheaf, report = told(**fields)
        assert report.symmetric_share == pytest.approx(1, abs=1e-6)
        assert report.holonomy.max() < 1e-6
        assert report.dimension == 2
        weights = np.linalg.norm(sheaf.near, axis=(1, 2)) / np.sqrt(2)
        assert (np.ptp(weights) < 1e-6) == ("learned" in fields)


def test_a_model_begins_as_the_public_code_does():
    params = begun(GeneralSheaf(3, stalk=2, channels=4, layers=3, fixed=(1,)))["params"]["layers"]
    assert (params["left"] == np.eye(3)).all()
    product = params["right"] @ params["right"].swapaxes(1, 2)
    assert product == pytest.approx(np.tile(np.eye(4), (3, 1, 1)), abs=1e-6)
    assert (params["epsilon"] == 0).all()
    assert np.abs(params["learner"]).max() <= 1 / np.sqrt(2 * 3 * 4)
    assert params["learner"].shape == (3, 2, 12, 4)


def test_a_layer_that_is_not_there_and_an_unknown_parametrisation_are_named():
    model = DiagonalSheaf(3)
    with pytest.raises(ExperimentError, match="layer 2 is none of 0 to 1"):
        layer_sheaf(model, {}, GRAPH, 2)
    with pytest.raises(ExperimentError, match="'euler' is none of"):
        _ = BundleSheaf(3, orthogonal="euler").restriction


@pytest.mark.slow
@pytest.mark.parametrize("family", [DiagonalSheaf, BundleSheaf, GeneralSheaf])
def test_nodes_may_be_named_anyhow_and_gradients_are_finite(family):
    model = family(3, stalk=2, channels=4, fixed=(1, -1), edge_weights=True, second_linear=True)
    variables = begun(model)
    apply = jax.jit(lambda graph: model.apply(variables, graph))
    assert equivariance_error(apply, GRAPH, np.random.default_rng(2)) < 1e-4
    keys = {"dropout": jax.random.key(0)}
    model = model.clone(dropout=0.5, input_dropout=0.5)
    slopes = jax.grad(lambda v: model.apply(v, GRAPH, train=True, rngs=keys).sum())(variables)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
