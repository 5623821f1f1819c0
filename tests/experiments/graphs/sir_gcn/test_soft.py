import networkx as nx
import numpy as np
import pytest

from experiments.graphs.sir_gcn.collisions import find_collisions, star
from experiments.graphs.sir_gcn.layers import SIRConv
from experiments.graphs.sir_gcn.soft import gaussian, polynomial, soft_distance
from experiments.kits.graph.convert import from_networkx
from experiments.kits.graph.equivariance import permuted
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

CENTRE = np.zeros(1)


def apart(first, second, kernel):
    """Soft distance of two neighbourhoods of one node with features of width one."""
    graphs = (star(CENTRE, np.array(rows, float)[:, None]) for rows in (first, second))
    return soft_distance(*graphs, kernel=kernel).neighbourhood[0, 0]


def test_a_linear_kernel_sees_sums_alone_and_a_gaussian_one_all_multisets():
    assert apart([1, 3], [2, 2], polynomial(1, 0.0)) == 0
    assert apart([1, 3], [2, 2], gaussian(1.0)) > 0.5
    generator = np.random.default_rng(0)
    for _ in range(200):
        first, second = generator.integers(0, 4, (2, 3))
        same = sorted(first) == sorted(second)
        assert (apart(first, second, gaussian(1.0)) < 1e-6) == same


def test_the_triangle_inequality_holds():
    generator = np.random.default_rng(0)
    for _ in range(100):
        one, two, three = (generator.normal(size=generator.integers(1, 5)) for _ in range(3))
        lengths = [apart(*ends, gaussian(0.7)) for ends in ((one, two), (two, three), (one, three))]
        assert lengths[2] <= lengths[0] + lengths[1] + 1e-12


def test_a_renumbered_graph_is_at_distance_0_and_so_is_what_colour_refinement_cannot_tell():
    ring, triangles = nx.cycle_graph(6), nx.disjoint_union(*[nx.cycle_graph(3)] * 2)
    two = [from_networkx(graph) for graph in (ring, triangles)]
    assert soft_distance(*two, kernel=gaussian(1.0), layers=3).graph == pytest.approx(0, abs=1e-6)
    path = from_networkx(nx.path_graph(6))
    assert soft_distance(two[0], path, kernel=gaussian(1.0)).graph > 0.5
    features = np.random.default_rng(0).normal(size=(6, 2))
    path = path._replace(nodes=features)
    order = np.array([3, 1, 5, 0, 2, 4])
    found = soft_distance(path, permuted(path, order), kernel=gaussian(1.0), layers=2)
    assert found.graph == pytest.approx(0, abs=1e-6)
    assert found.node[order, np.arange(6)] == pytest.approx(np.zeros(6), abs=1e-6)
    with pytest.raises(ExperimentError, match="widths 2 and 1"):
        soft_distance(path, two[0], kernel=gaussian(1.0))


def test_messages_of_random_cosines_approach_the_gaussian_distance_with_the_root_of_their_number():
    generator = np.random.default_rng(0)
    pairs = generator.normal(size=(100, 2, 3, 2))
    centre = np.array([0.5, -1.0])
    graphs = [[star(centre, rows) for rows in pair] for pair in pairs]
    wanted = [soft_distance(*two, kernel=gaussian(1.0)).neighbourhood[0, 0] for two in graphs]
    errors = []
    for width in (100, 10_000):
        conv, found = SIRConv(1, width, np.cos), []
        for pair in pairs:
            query, key = generator.normal(size=(2, 2, width))
            seen = centre @ query + generator.uniform(0, 2 * np.pi, width)
            sums = [conv.messages(seen, rows @ key).sum(0) for rows in pair]
            found.append(np.sqrt(2 / width) * np.linalg.norm(sums[0] - sums[1]))
        errors.append(np.linalg.norm(np.subtract(found, wanted)))
    assert 7 < errors[0] / errors[1] < 14  # ten, up to what a hundred pairs can show


def test_collisions_of_a_sum_are_found_with_their_distance_and_a_soft_injective_layer_has_none():
    kernel = gaussian(1.0)
    search = {"features": 1, "neighbours": 2, "kernel": kernel, "starts": 3}

    def sums(graph):
        return graph.nodes[1:].sum(0, keepdims=True)

    def moments(graph):  # two power sums tell two numbers apart, up to their order
        return (graph.nodes[1:] ** np.array([[1, 2]])).sum(0, keepdims=True)

    found = find_collisions(sums, generator=np.random.default_rng(0), **search)
    assert len(found) == 3
    for collision in found:
        one, other = (star(collision.centre, end) for end in (collision.first, collision.second))
        with float64():
            assert abs(float((sums(one) - sums(other))[0, 0])) <= 1e-8
        distance = soft_distance(one, other, kernel=kernel).neighbourhood[0, 0]
        assert distance == pytest.approx(collision.distance, rel=1e-9)
        assert distance >= 0.099
    assert [c.distance for c in found] == sorted((c.distance for c in found), reverse=True)
    assert not find_collisions(moments, generator=np.random.default_rng(0), **search)
    with pytest.raises(ExperimentError, match="from 1 to -1"):
        find_collisions(sums, generator=np.random.default_rng(0), low=1.0, high=-1.0, **search)
