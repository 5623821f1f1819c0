"""Frequencies: what bipartite graphs and eigenvectors say, and two routes to the same energies."""

import networkx as nx
import numpy as np
import pytest

from experiments.graphs.ff_g2m.spectrum import (
    adjacency,
    by_eigenvectors,
    by_moments,
    frequency_report,
    frequency_split,
)
from experiments.kits.graph.convert import from_edges, from_networkx
from ntkexec.errors import ExperimentError

BORDERS = np.linspace(0, 2, 9)


def test_flipping_one_side_of_a_bipartite_graph_swaps_low_and_high():
    operator = adjacency(from_networkx(nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 5))))
    x = np.random.default_rng(0).normal(size=(20, 3))
    side = np.array([[(-1.0) ** (i // 5 + i % 5)] for i in range(20)])
    low, high = frequency_split(operator, x)
    flipped_low, flipped_high = frequency_split(operator, side * x)
    np.testing.assert_allclose(side * flipped_low, high, atol=1e-14)
    np.testing.assert_allclose(side * flipped_high, low, atol=1e-14)


def test_an_eigenvector_is_in_the_band_of_its_eigenvalue_and_one_on_a_border_in_the_upper_one():
    operator = adjacency(from_networkx(nx.cycle_graph(8)))  # eigenvalues 1 - cos(2 pi k / 8)
    for k, band in ((0, 0), (1, 1), (2, 4), (3, 6), (4, 7)):
        wave = np.cos(2 * np.pi * k * np.arange(8) / 8)[:, None]
        energies = by_eigenvectors(operator, wave, BORDERS, 0)
        assert energies.argmax() == band
        np.testing.assert_allclose(energies[band], (wave**2).sum())


def test_moments_find_the_energies_of_eigenvectors_up_to_their_blur_and_the_sum_exactly():
    operator = adjacency(from_networkx(nx.gnp_random_graph(400, 0.02, seed=0)))
    x = np.random.default_rng(0).normal(size=(400, 4))
    exact, close = (route(operator, x, BORDERS, 400) for route in (by_eigenvectors, by_moments))
    assert close.sum() == pytest.approx(exact.sum(), rel=1e-12)
    np.testing.assert_allclose(close, exact, atol=0.03 * exact.sum())
    assert (close > -1e-9).all()


def test_a_report_of_a_perfect_student_is_empty_and_of_a_smooth_error_low():
    graph = from_networkx(nx.cycle_graph(40))
    wave = np.cos(2 * np.pi * np.arange(40) / 40)
    teacher = np.stack([np.cos(np.pi * np.arange(40)) + wave, np.zeros(40)], 1)
    perfect = frequency_report(teacher, teacher + 7, graph)
    assert perfect.error.sum() < 1e-25
    assert max(perfect.low, perfect.high) < 1e-12
    smooth = frequency_report(teacher, teacher + np.stack([0.1 * wave, 0 * wave], 1), graph)
    assert smooth.low > smooth.high
    assert smooth.error[0] > 0.5 * smooth.error.sum()
    assert smooth.relative.shape == (8,)


def test_one_way_edges_and_other_shapes_are_refused():
    one_way = from_edges(np.array([[0, 1]]), np.ones((2, 1)), directed=True)
    with pytest.raises(ExperimentError, match="one-way"):
        frequency_report(np.zeros((2, 2)), np.zeros((2, 2)), one_way)
    graph = from_networkx(nx.path_graph(3))
    for shapes, bands in (((3, 2), (3, 3)), 8), (((4, 2), (4, 2)), 8), (((3, 2), (3, 2)), 0):
        with pytest.raises(ExperimentError, match="fit"):
            frequency_report(*(np.zeros(shape) for shape in shapes), graph, bands=bands)
