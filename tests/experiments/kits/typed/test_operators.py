"""Relations as operators and paths as products, against dense matrices; one graph of all types."""

import dataclasses

import jax
import networkx as nx
import numpy as np
import pytest
from support import typed_sets

from experiments.kits.graph.operators import dense, normalised
from experiments.kits.typed.device import arrays_of, arriving, homogenised, links_of
from experiments.kits.typed.operators import (
    compose,
    metapaths,
    operator,
    path_name,
    reachable,
    relation_operators,
    reverse_of,
    with_reverses,
)
from ntkexec.errors import ExperimentError

GRAPH = typed_sets.assembled(typed_sets.graph())
PA, PS = GRAPH.relations
AP, SP = reverse_of(PA), reverse_of(PS)
RELATIONS = with_reverses(GRAPH)


def adjacency(relation):
    made = np.zeros((GRAPH.num_nodes[relation[2]], GRAPH.num_nodes[relation[0]]))
    made[RELATIONS[relation][:, 1], RELATIONS[relation][:, 0]] = 1
    return made


def test_reverses_are_added_by_name_unless_they_are_there_or_lead_within_a_type():
    assert list(RELATIONS) == [PA, AP, PS, SP]
    assert AP == ("a", "rev_pa", "p")
    assert reverse_of(AP) == PA
    np.testing.assert_array_equal(adjacency(AP), adjacency(PA).T)
    both = dataclasses.replace(
        GRAPH, relations={PA: RELATIONS[PA], ("a", "ap", "p"): RELATIONS[AP]}
    )
    assert list(with_reverses(both)) == list(both.relations)
    cited = dataclasses.replace(GRAPH, relations={("p", "pp", "p"): np.array([[0, 1], [2, 1]])})
    assert list(with_reverses(cited)) == [("p", "pp", "p")]
    turned = with_reverses(cited, same_type=True)["p", "rev_pp", "p"]
    assert turned.tolist() == [[1, 0], [1, 2]]


@pytest.mark.parametrize("how", ["row", "sym", "none"])
def test_operators_are_adjacencies_divided_by_degrees(how):
    for relation, found in relation_operators(GRAPH, how=how).items():
        a = adjacency(relation)
        received, sent = a.sum(1, keepdims=True), a.sum(0, keepdims=True)
        scale = {"row": received, "sym": np.sqrt(received * sent), "none": 1}[how]
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(found.toarray(), np.nan_to_num(a / scale), rtol=1e-15)
    with pytest.raises(ExperimentError, match="'col' is none of"):
        operator(RELATIONS[PA], 12, 9, how="col")


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_there_are_as_many_paths_as_the_power_of_the_schema_says(hops):
    schema = nx.MultiDiGraph([(target, source) for source, _, target in RELATIONS])
    counts = np.linalg.matrix_power(nx.to_numpy_array(schema, nodelist=GRAPH.types), hops)
    for start, row in zip(GRAPH.types, counts):
        found = metapaths(RELATIONS, start, hops)
        assert len(set(found)) == len(found)
        ends = [path[-1][0] for path in found]
        assert [ends.count(kind) for kind in GRAPH.types] == row.tolist()
    with pytest.raises(ExperimentError, match="at least one relation"):
        metapaths(RELATIONS, "p", 0)


def test_a_paths_operator_is_the_product_and_reaches_what_it_reaches():
    found = relation_operators(GRAPH)
    path = (AP, PA, SP)
    with pytest.raises(ExperimentError, match="arrives at p, and the path is at s"):
        compose(found, (SP, AP))
    with pytest.raises(ExperimentError, match="arrives at p, and the path is at a"):
        compose(found, (AP, SP))
    path = (AP, PA, SP, PS)
    assert path_name(path) == "p-a-p-s-p"
    product = np.linalg.multi_dot([found[relation].toarray() for relation in path])
    np.testing.assert_allclose(compose(found, path).toarray(), product, atol=1e-15)
    joined = np.linalg.multi_dot([adjacency(relation) for relation in path]) > 0
    np.testing.assert_array_equal(reachable(found, path).toarray(), joined)


def test_messages_of_padded_links_and_their_gradients_are_those_of_the_matrix():
    matrix = relation_operators(GRAPH)[AP]
    links = links_of(matrix, num_links=40)
    generator = np.random.default_rng(0)
    x, weights = generator.normal(size=(9, 3)), generator.normal(size=40)
    weights[matrix.nnz :] = 0
    above = generator.normal(size=(12, 3))

    def total(weights, x):
        return (arriving(links, x, weights) * above).sum()

    with jax.enable_x64(True):
        value, (of_weights, of_x) = jax.value_and_grad(total, (0, 1))(weights, x)
        plain = arriving(links, x)
    dense_weights = matrix.toarray()
    np.testing.assert_allclose(plain, dense_weights @ x, rtol=1e-6)
    rows, columns = matrix.nonzero()
    dense_weights[rows, columns] = weights[: matrix.nnz]
    np.testing.assert_allclose(value, (dense_weights @ x * above).sum(), rtol=1e-12)
    np.testing.assert_allclose(of_x, dense_weights.T @ above, rtol=1e-12)
    np.testing.assert_allclose(of_weights[: matrix.nnz], (above @ x.T)[rows, columns], rtol=1e-12)
    with pytest.raises(ExperimentError, match="more than the 5"):
        links_of(matrix, num_links=5)


def test_one_graph_of_all_types_has_the_target_first_and_knows_types_by_a_column():
    found = homogenised(GRAPH)
    x = found.nodes.to_scipy().toarray()
    assert x.shape == (25, 3 + 7)
    assert x[:, :3].argmax(1).tolist() == [0] * 12 + [1] * 9 + [2] * 4
    np.testing.assert_array_equal(x[:12, 3:], GRAPH.features["p"])
    a = dense(normalised(found, how="none", self_loops=False))
    np.testing.assert_array_equal(a, a.T)
    np.testing.assert_array_equal(a[:12, 12:21], adjacency(AP))
    np.testing.assert_array_equal(a[:12, 21:], adjacency(SP))
    assert not a[:12, :12].any()
    assert homogenised(GRAPH, identities=True).nodes.shape == (25, 3 + 7 + 9 + 4)
    typed = dataclasses.replace(
        GRAPH, features={**GRAPH.features, "a": np.ones((9, 5), np.float32)}
    )
    together = homogenised(typed, shared=True).nodes.to_scipy().toarray()
    assert together.shape == (25, 3 + 7)
    assert together[12:21, 3:8].all()
    assert not together[12:21, 8:].any()


def test_arrays_hold_features_and_links_by_name():
    found = arrays_of(GRAPH, relation_operators(GRAPH), unit_rows=True)
    assert found.size("a") == 9
    assert set(found.links) == set(RELATIONS)
    sums = GRAPH.features["p"].sum(1, keepdims=True)
    expected = GRAPH.features["p"] / np.where(sums > 0, sums, 1)
    np.testing.assert_allclose(found.nodes["p"], expected, rtol=1e-6)
