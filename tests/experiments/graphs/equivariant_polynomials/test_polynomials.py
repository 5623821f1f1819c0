import itertools

import networkx as nx
import numpy as np
import pytest

from experiments.graphs.equivariant_polynomials.contracting import (
    BANKS,
    contraction,
    core,
    evaluate,
    is_computable,
    missing,
    plan,
    polynomial_features,
    quotients,
)
from experiments.graphs.equivariant_polynomials.patterns import (
    Pattern,
    canonical,
    dimension,
    enumerate_basis,
)
from experiments.kits.graph_sets import counts
from experiments.kits.graph_sets.families import cycle_and_halves, graph_of_networkx
from ntkexec.errors import ExperimentError

SMALL = [p for marks in range(3) for d in range(3) for p in enumerate_basis(d, marks)]
SIMPLE = [p for m in range(3) for d in range(1, 7) for p in enumerate_basis(d, m, simple=True)]
CLIQUE = Pattern(4, tuple(itertools.combinations(range(4), 2)))


def by_definition(pattern, x):
    """All n^|V| ways to place the nodes, one by one."""
    n, shape = len(x), (len(x),) * len(pattern.marks)
    found = np.zeros(shape, x.dtype)
    for places in itertools.product(range(n), repeat=pattern.num_nodes):
        product = np.prod([x[places[u], places[v]] for u, v in pattern.edges], dtype=x.dtype)
        found[tuple(places[mark] for mark in pattern.marks)] += product
    return found


def of_networkx(graph, marks=()):
    return Pattern(len(graph), tuple(sorted(map(tuple, map(sorted, graph.edges)))), marks)


def test_the_basis_has_as_many_elements_as_there_are_orbits():
    for marks, sizes in ((0, (1, 2, 11, 52, 296)), (1, (1, 5, 32, 199)), (2, (2, 15, 117, 877))):
        for degree, size in enumerate(sizes):
            assert dimension(2 * degree + marks, degree, marks) == size
            if degree < 4 - marks // 2:
                assert len(enumerate_basis(degree, marks)) == size
    assert [dimension(3, d, 2) for d in range(3)] == [2, 14, 70]
    for nodes in (1, 2, 3, 4):
        assert dimension(nodes, 2, 2) == len(enumerate_basis(2, 2, num_nodes=nodes))


@pytest.mark.parametrize("shape", [(), (2,)])
def test_contracting_is_summing_over_all_placements_to_the_last_integer(shape):
    generator = np.random.default_rng(0)
    x = generator.integers(-3, 4, (*shape, 3, 3))
    for pattern in SMALL:
        expected = [by_definition(pattern, one) for one in x.reshape(-1, 3, 3)]
        found = evaluate(pattern, x)
        np.testing.assert_array_equal(found.reshape(np.shape(expected)), expected, str(pattern))
    for pattern in SIMPLE[::9]:
        one = x.reshape(-1, 3, 3)[0]
        np.testing.assert_array_equal(evaluate(pattern, one), by_definition(pattern, one))


def test_polynomials_are_equivariant_in_integers():
    generator = np.random.default_rng(1)
    x = generator.integers(-3, 4, (5, 5))
    for _ in range(5):
        order = generator.permutation(5)
        moved = x[np.ix_(order, order)]
        for pattern in SMALL:
            value = evaluate(pattern, x)
            turned = value[np.ix_(*[order] * value.ndim)] if value.ndim else value
            np.testing.assert_array_equal(evaluate(pattern, moved), turned)


def test_one_order_of_the_marks_is_the_other_ones_transpose():
    x = np.random.default_rng(2).integers(-3, 4, (4, 4))
    for pattern in (p for p in SMALL if len(p.marks) == 2):
        turned = Pattern(pattern.num_nodes, pattern.edges, pattern.marks[::-1])
        np.testing.assert_array_equal(evaluate(turned, x), evaluate(pattern, x).T)


def test_what_the_banks_miss_and_where_products_of_matrices_suffice():
    edge = [sum(len(missing(d, marks, "edge")) for marks in range(3)) for d in range(1, 7)]
    assert edge == [0, 0, 0, 0, 1, 11]
    assert [len(missing(d, 1, "node")) for d in range(1, 7)] == [0, 0, 1, 4, 17, 66]
    (diamond,) = missing(5, 2, "edge")
    assert not set(diamond.edges) & {diamond.marks, diamond.marks[::-1]}
    for pattern in SIMPLE:
        # Marked nodes joined by an edge, treewidth of 2 is what products of matrices contract.
        graph = nx.Graph(pattern.edges)
        graph.add_edges_from([pattern.marks] * (len(pattern.marks) == 2))
        width = nx.approximation.treewidth_min_degree(graph)[0]  # exact up to 2
        assert is_computable(pattern, "edge") == (width <= 2) == (core(pattern) is None), pattern
        if is_computable(pattern, "edge"):
            assert contraction(pattern).exponent <= 3


def test_without_transposes_directions_must_fit():
    path, fork = Pattern(3, ((0, 1), (1, 2)), (0, 2)), Pattern(3, ((0, 1), (2, 1)), (0, 2))
    both, ring = Pattern(2, ((0, 1), (1, 0)), (0, 1)), Pattern(2, ((0, 1), (1, 0)), (0,))
    sums = Pattern(3, ((0, 1), (2, 1)), (0,))
    expected = {path: True, fork: False, both: False, ring: True, sums: True}
    expected[Pattern(2, ((0, 1),), (1, 0))] = False
    for pattern, fits in expected.items():
        assert is_computable(pattern, "edge_no_transpose") == fits, pattern
        assert is_computable(pattern, "edge")


def test_cycles_of_up_to_seven_nodes_are_counted_by_products_and_eight_need_the_clique():
    for length in range(3, 9):
        found = plan(of_networkx(nx.cycle_graph(length)), subgraphs=True)
        assert found.model == ("edge" if length < 8 else "polynomial")
        assert found.cores == (() if length < 8 else (canonical(CLIQUE, simple=True),))
    assert plan(of_networkx(nx.path_graph(4))).model == "node"
    assert plan(CLIQUE).multiplies(10) >= 10**4
    assert plan(of_networkx(nx.cycle_graph(8))).multiplies(10) < 10**5


def test_a_count_of_subgraphs_lies_in_the_span_of_its_plans_polynomials():
    drawn = [nx.gnp_random_graph(8, 0.5, seed=seed) for seed in range(40)]
    x = np.stack([nx.to_numpy_array(graph, dtype=int) for graph in drawn])
    for shape in (nx.cycle_graph(5), nx.path_graph(5), nx.diamond_graph()):
        terms = quotients(of_networkx(shape))
        columns = polynomial_features(x, terms, order=0).astype(float)
        copies = counts.subgraph_counts([graph_of_networkx(graph) for graph in drawn], shape)
        left = columns @ np.linalg.lstsq(columns / 1e3, copies)[0] / 1e3 - copies
        assert len(terms) < 20
        assert np.abs(left).max() < 1e-8 * copies.max()


def test_trees_are_blind_to_halved_cycles_and_the_triangle_is_not():
    x = np.stack([_table(graph) for graph in cycle_and_halves(3)])
    trees = [p for p in SIMPLE if not p.marks and is_computable(p, "node")]
    sums = polynomial_features(x, trees, order=0)
    np.testing.assert_array_equal(sums[0], sums[1])
    assert evaluate(missing(3, 1, "node")[0], x).sum(1).tolist() == [0, 12]


def _table(graph):
    made = np.zeros((graph.num_nodes, graph.num_nodes), int)
    made[tuple(graph.edges.T)] = 1
    return made + made.T


def test_what_is_no_pattern_and_no_bank_is_refused():
    x = np.zeros((3, 3))
    for make, said in (
        (lambda: Pattern(2, ((0, 0),)), "touch all"),
        (lambda: Pattern(2, ((0, 2),)), "touch all"),
        (lambda: enumerate_basis(9, 0), "up to 8 edges"),
        (lambda: enumerate_basis(2, 3), "3 marks"),
        (lambda: is_computable(CLIQUE, "nodes"), ", ".join(BANKS)),
        (lambda: is_computable(Pattern(2, ((0, 1),), (0, 1)), "node"), "one mark at most"),
        (lambda: polynomial_features(x, []), "0 patterns"),
        (lambda: polynomial_features(x, [Pattern(1, (), (0,))], order=0), "no more marks"),
    ):
        with pytest.raises(ExperimentError, match=said):
            make()
