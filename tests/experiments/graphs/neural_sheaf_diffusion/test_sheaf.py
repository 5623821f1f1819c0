"""Sheaves: the operator, transport, harmonic space and what it separates, exactly."""

import itertools

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from experiments.graphs.neural_sheaf_diffusion import separability
from experiments.graphs.neural_sheaf_diffusion.report import holonomy, sheaf_report
from experiments.graphs.neural_sheaf_diffusion.sheaf import (
    _inverse_root_of_blocks,
    dense_laplacian,
    harmonic_space,
    sheaf_laplacian,
    sheaf_on,
    transport,
)
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

EXACT = 1e-12
KARATE = nx.karate_club_graph()
EDGES, N = np.array(KARATE.edges()), len(KARATE)


def rotation(angles):
    c, s = np.cos(angles), np.sin(angles)
    return np.moveaxis(np.array([[c, -s], [s, c]]), (0, 1), (-2, -1))


def drawn(kind, d=2, edges=EDGES, n=N, seed=0):
    generator = np.random.default_rng(seed)
    shape = (2, len(edges))
    if kind == "bundle":
        ends = rotation(generator.uniform(0, 2 * np.pi, shape))
        return sheaf_on(edges, *ends, num_nodes=n, orthogonal=True)
    ends = generator.normal(size=(*shape, d) if kind == "diagonal" else (*shape, d, d))
    return sheaf_on(edges, *ends, num_nodes=n)


@pytest.mark.parametrize("kind", ["diagonal", "bundle", "general"])
def test_the_operator_is_the_matrix_of_the_coboundary(kind):
    sheaf = drawn(kind)
    x = np.random.default_rng(1).normal(size=(N, 2, 3))
    with float64():
        for how in ("none", "augmented", "normalised"):
            got = np.asarray(sheaf_laplacian(sheaf, how=how) @ x).reshape(2 * N, 3)
            want = dense_laplacian(sheaf, how=how) @ x.reshape(2 * N, 3)
            assert np.abs(got - want).max() <= EXACT * np.abs(want).max()


def test_scalar_maps_of_one_make_the_laplacian_of_the_graph():
    ones = np.ones((len(EDGES), 1))
    sheaf = sheaf_on(EDGES, ones, ones, num_nodes=N)
    plain = nx.laplacian_matrix(KARATE, weight=None).toarray()
    assert (dense_laplacian(sheaf) == plain).all()
    normalised = nx.normalized_laplacian_matrix(KARATE, weight=None).toarray()
    assert np.abs(dense_laplacian(sheaf, how="normalised") - normalised).max() <= EXACT


def test_names_of_nodes_and_directions_of_edges_do_not_matter():
    sheaf, generator = drawn("general"), np.random.default_rng(2)
    place = generator.permutation(N)
    m = len(EDGES)
    flipped = sheaf_on(place[EDGES[:, ::-1]], sheaf.near[:m], sheaf.far[:m], num_nodes=N)
    want = dense_laplacian(sheaf, how="normalised").reshape(N, 2, N, 2)
    got = dense_laplacian(flipped, how="normalised").reshape(N, 2, N, 2)
    assert np.abs(got[place][:, :, place] - want).max() <= EXACT


@pytest.mark.slow
def test_a_bundles_harmonic_space_and_lowest_eigenvalue_are_bounded_by_transport():
    """Lemma 6 and Propositions 3 and 5 on rotations, all simple paths and cycles enumerated.

    Proposition 5 with 2 diam + 1 edges for a cycle; with 2 diam, an odd one is too long for it.
    """
    beyond = 0
    generator = np.random.default_rng(3)
    for draw in range(24):
        n = 3 + draw % 3
        graph = nx.path_graph(n)
        graph.add_edges_from([(0, n - 1), *([(0, 2)] if draw % 2 else [])])
        edges = np.array(graph.edges())
        angles = generator.normal(size=(2, len(edges))) * (draw % 4 > 0)
        sheaf = sheaf_on(edges, *rotation(angles), num_nodes=n, orthogonal=True)
        values = np.linalg.eigvalsh(dense_laplacian(sheaf, how="normalised"))
        dimension = harmonic_space(sheaf).dimension
        spread = max(
            np.linalg.norm(transport(sheaf, one) - transport(sheaf, two), 2)
            for u, v in itertools.permutations(graph, 2)
            for one, two in itertools.product(nx.all_simple_paths(graph, u, v), repeat=2)
        )
        assert dimension <= 2
        assert (dimension == 2) == (spread <= 1e-9)
        assert values[0] <= spread**2 / 2 + EXACT
        turned = max(
            np.linalg.norm(transport(sheaf, [*cycle, cycle[0]]) - np.eye(2), 2)
            for cycle in nx.simple_cycles(graph)
        )
        degree = max(dict(graph.degree).values())
        least = turned**2 / (n * degree)
        edges_around = 2 * nx.diameter(graph)
        assert dimension or values[0] >= least / (edges_around + 1) - EXACT
        beyond += not dimension and values[0] < least / edges_around - EXACT
    assert beyond > 0


def test_a_reflection_around_a_cycle_leaves_nothing_harmonic():
    cycle = np.array([[0, 1], [1, 2], [2, 0]])
    ends = np.ones((3, 1))
    assert harmonic_space(sheaf_on(cycle, ends, ends, num_nodes=3)).dimension == 1
    turned = sheaf_on(cycle, ends, np.array([[1.0], [1.0], [-1.0]]), num_nodes=3)
    assert harmonic_space(turned).dimension == 0
    assert holonomy(turned) == pytest.approx([1.0], abs=EXACT)
    report = sheaf_report(turned)
    assert (report.negative_share, report.dimension) == (1 / 3, 0)
    assert report.symmetric_share == pytest.approx(2 / 3)


@pytest.mark.slow
def test_six_classes_in_two_dimensions_separate_where_degrees_are_alike_and_not_where_they_spread():
    """Twice the dimension is what Proposition 13 needs on every graph, and no limit of the method."""

    def separated(graph, classes, seed):
        labels = np.arange(len(graph)) % classes
        group = separability.rotation_group(classes)
        sheaf = separability.flat_sheaf(np.array(graph.edges()), group[labels], orthogonal=True)
        x = np.random.default_rng(seed).normal(size=(len(graph), 2, 1))
        points = harmonic_space(sheaf).project(x).reshape(len(graph), -1)
        return separability.separation_margin(points, labels) > separability.LEAST_MARGIN

    for seed in range(3):
        regular = nx.random_regular_graph(4, 40, seed=seed)
        spread = nx.barabasi_albert_graph(40, 2, seed=seed)
        assert separated(regular, 6, seed)
        assert separated(spread, 4, seed)
        assert not separated(spread, 6, seed)


def test_the_root_of_the_degrees_has_its_derivative_also_at_equal_eigenvalues():
    generator = np.random.default_rng(4)
    blocks = np.stack([2 * np.eye(3), np.diag([1.0, 2.0, 2.0])])
    change = generator.normal(size=(2, 3, 3))
    change = change + change.swapaxes(1, 2)
    step = 1e-5
    with float64():
        root = _inverse_root_of_blocks
        _, slope = jax.jvp(root, (jnp.asarray(blocks),), (jnp.asarray(change),))
        around = [np.asarray(root(jnp.asarray(blocks + sign * step * change))) for sign in (1, -1)]
    want = (around[0] - around[1]) / (2 * step)
    assert np.abs(np.asarray(slope) - want).max() <= 1e-8  # second differences of size step squared


def test_what_is_no_sheaf_and_no_path_is_named():
    one = np.ones((1, 1))
    with pytest.raises(ExperimentError, match="node 3's edge to itself"):
        sheaf_on(np.array([[3, 3]]), one, one, num_nodes=4)
    with pytest.raises(ExperimentError, match="maps of shapes"):
        sheaf_on(np.array([[0, 1]]), one, np.ones((2, 1)), num_nodes=2)
    sheaf = sheaf_on(np.array([[0, 1]]), one, one, num_nodes=3)
    with pytest.raises(ExperimentError, match="from 1 to 2"):
        transport(sheaf, [0, 1, 2])
    with pytest.raises(ExperimentError, match="'half' is none of"):
        sheaf_laplacian(sheaf, how="half")
