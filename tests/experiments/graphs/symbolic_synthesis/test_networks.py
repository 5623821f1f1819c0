"""Modules by a loop over nodes and edges, what of a vector they read, matrices, and graph against seed."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from scipy import stats

from experiments.graphs.symbolic_synthesis import (
    GraphModule,
    Program,
    graph_of_program,
    intraclass_correlation,
    population_fit,
)
from experiments.graphs.symbolic_synthesis.controls import (
    pooled_correlation,
    random_graph,
    variance_ratio,
)
from experiments.graphs.symbolic_synthesis.matrices import (
    ATTRIBUTES,
    LEVELS,
    RULES,
    drawn_matrices,
    drawn_panels,
)
from experiments.graphs.symbolic_synthesis.network import codes, padded, slices, stacked
from experiments.graphs.symbolic_synthesis.population import Task
from experiments.graphs.symbolic_synthesis.study import dense_formula
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError

DIM = 128
GRAPH = random_graph(np.random.default_rng(1), 6, 8)
X = np.random.default_rng(2).normal(size=(2, DIM))
MODEL = GraphModule(outputs=2)
EXACT = padded(GRAPH, dim=DIM, num_nodes=6, num_edges=8, dtype=np.float64)
DRAWN = initial_by_numpy(MODEL, np.random.default_rng(3), X.astype(np.float32), EXACT)
PARAMS = jax.tree.map(lambda leaf: leaf.astype(float) + 0.01, DRAWN)


def outputs(graph, x=X, model=MODEL):
    with jax.enable_x64(True):
        return np.asarray(model.apply(PARAMS, x, graph))


def close(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def by_loops(x, graph):
    parts = slices(DIM, graph.num_elements)
    params = PARAMS["params"]

    def feature(number, port):
        piece = x[parts[number]]
        place = codes(np.array([number]), np.array([port]), DIM)[0]
        return np.resize(piece, DIM) + place

    h = {node: feature(node, 0) for node in graph.nodes}
    for layer in range(3):
        kernel, bias = (params[f"layer_{layer}"][name] for name in ("kernel", "bias"))
        total = dict(h)
        for number, u, v, port in graph.edges:
            e = feature(number, port + 1)
            total[u] = total[u] + np.maximum(h[v] + e, 0)
            total[v] = total[v] + np.maximum(h[u] + e, 0)
        h = {node: total[node] @ kernel + bias for node in h}
    return np.mean(list(h.values()), 0) @ params["out"]["kernel"] + params["out"]["bias"]


def test_a_module_is_the_sum_over_edges_and_the_dense_formula_and_padding_changes_nothing():
    found = outputs(EXACT)
    close(found, np.stack([by_loops(x, GRAPH) for x in X]))
    close(found, dense_formula(PARAMS["params"], X, GRAPH))
    close(found, outputs(padded(GRAPH, dim=DIM, num_nodes=9, num_edges=12, dtype=np.float64)))


def test_nodes_may_be_numbered_otherwise_with_their_features_but_not_created_otherwise():
    order = np.random.default_rng(0).permutation(6)
    moved = EXACT._replace(
        node_slices=EXACT.node_slices[order],
        node_codes=EXACT.node_codes[order],
        ends=EXACT.ends[:, :, order],
    )
    close(outputs(moved), outputs(EXACT))
    (a, *first), (b, *second), *rest = GRAPH.edges
    swapped = GRAPH._replace(edges=((b, *first), (a, *second), *rest))
    other = padded(swapped, dim=DIM, num_nodes=6, num_edges=8, dtype=np.float64)
    assert np.abs(outputs(other) - outputs(EXACT)).max() > 1e-3


def test_slices_share_out_the_vector_and_each_is_read_by_its_element_alone():
    parts = slices(130, 14)
    assert [part.stop - part.start for part in parts] == [13, *[9] * 13]
    assert np.array_equal(np.concatenate([np.arange(130)[part] for part in parts]), np.arange(130))

    def read(graph, depth=3):
        model = GraphModule(outputs=2, depth=depth)
        with jax.enable_x64(True):
            gradient = jax.grad(lambda x: model.apply(PARAMS, x, graph).sum())(X[:1])
        return np.asarray(gradient)[0] != 0

    assert read(EXACT).all()
    released = padded(GRAPH, dim=DIM, num_nodes=6, num_edges=8, released=True, dtype=np.float64)
    # Eight of the 22 slices, at the vector's end, belong to no element.
    assert np.array_equal(read(released), np.arange(DIM) < slices(DIM, 22)[14].start)
    # Without layers nodes are averaged, and no edge is read.
    nodes = np.concatenate([np.arange(DIM)[slices(DIM, 14)[node]] for node in GRAPH.nodes])
    assert np.array_equal(np.flatnonzero(read(EXACT, depth=0)), np.sort(nodes))


def test_graphs_of_a_population_have_one_shape_and_what_does_not_fit_is_named():
    edge = graph_of_program(Program.parse("push(add(connect(identity)))"))
    found = stacked([GRAPH, edge, None], dim=DIM, num_nodes=6, num_edges=8)
    assert found.present.tolist() == [1, 1, 0]
    assert found.ends.shape == (3, 2, 8, 6)
    with pytest.raises(ExperimentError, match="6 nodes and 8 edges has no place in 5"):
        padded(GRAPH, dim=DIM, num_nodes=5, num_edges=8)
    with pytest.raises(ExperimentError, match="126 entries"):
        padded(GRAPH, dim=126, num_nodes=6, num_edges=8)
    with pytest.raises(ExperimentError, match="no slices for 14"):
        padded(GRAPH, dim=12, num_nodes=6, num_edges=8)
    task = Task(X, np.zeros(2), X, np.zeros(2))
    with pytest.raises(ExperimentError, match="generator each"):
        population_fit(nn.Dense(16), [GRAPH], task, generators=[])
    with pytest.raises(ExperimentError, match="batches of 8 of 2"):
        population_fit(nn.Dense(16), [GRAPH], task, generators=[np.random.default_rng(0)])


def test_matrices_obey_their_rules_row_by_row_and_the_label_is_what_colours_do():
    drawn = drawn_matrices(np.random.default_rng(0), 200)
    assert np.array_equal(drawn.labels, (np.diff(drawn.values[:, 2], axis=-1) == 0).all((1, 2)))
    assert 70 < drawn.labels.sum() < 130
    checks = {
        "constant": lambda a, b, c: a == b == c,
        "progression": lambda a, b, c: c - b == b - a != 0,
        "arithmetic": lambda a, b, c: c == a + b or a == b + c,
        "distribute-three": lambda a, b, c: len({a, b, c}) == 3,
    }
    for values, rules in zip(drawn.values, drawn.rules, strict=True):
        for name, table, rule in zip(ATTRIBUTES, values, rules, strict=True):
            assert 1 <= table.min() <= table.max() <= LEVELS[name]
            assert all(checks[RULES[rule]](*row) for row in table)
            if RULES[rule] == "distribute-three":
                assert len({tuple(sorted(row)) for row in table}) == 1
    assert drawn.images.shape == (200, 48, 48)


def test_a_panel_shows_as_many_figures_of_its_colour_as_its_count_says():
    values = np.ones((1, 4, 3, 3), int)
    values[0, 2, 0, 1], values[0, 3, 0, 1] = 6, 3
    panel = (drawn_panels(values)[0, :16, 16:32] + 1) / 2
    cells = panel.reshape(2, 8, 2, 8).swapaxes(1, 2).reshape(4, 64)
    assert cells.max(1) == pytest.approx([0.75, 0.75, 0.75, 0])


def test_the_share_of_the_graph_is_the_analysis_of_variance():
    generator = np.random.default_rng(0)
    table = generator.normal(size=(6, 1)) + generator.normal(size=(6, 4))
    found = intraclass_correlation([table])
    ratio = stats.f_oneway(*table).statistic
    assert found.value == pytest.approx((ratio - 1) / (ratio + 3))
    # At the interval's lower end the test of no effect just rejects.
    assert (found.low > 0) == (stats.f_oneway(*table).pvalue < 0.025)
    # Populations may differ in their means.
    shifted = intraclass_correlation([table, table + 5])
    assert shifted.value == pytest.approx(found.value)
    covered = [
        found.low <= 0.5 <= found.high
        for found in (
            intraclass_correlation([generator.normal(size=(8, 1)) + generator.normal(size=(8, 3))])
            for _ in range(400)
        )
    ]
    assert 0.92 < np.mean(covered) < 0.98
    with pytest.raises(ExperimentError, match="cannot be told apart"):
        intraclass_correlation([table[:, :1]])
    for equal in (0.5, 0.1, 0.0):
        with pytest.raises(ExperimentError, match="all runs of a table are equal"):
            intraclass_correlation([np.full((4, 3), equal)])
    # Graphs differ and seeds never do.
    certain = np.tile(generator.normal(size=(4, 1)), (1, 3))
    assert intraclass_correlation([certain]) == (1, 1, 1)
    with pytest.raises(ExperimentError, match=r"`\[table\]` for one"):
        intraclass_correlation(table)


def test_populations_and_tasks_that_cannot_be_trained_are_named():
    x, y = np.zeros((6, 8), np.float32), np.arange(6) % 2

    def fitted(task, members=(None,)):
        given = [np.random.default_rng(0)] * len(members)
        population_fit(nn.Dense(32), members, task, generators=given, batch=2)

    with pytest.raises(ExperimentError, match="a member at least"):
        fitted(Task(x, y, x, y), ())
    with pytest.raises(ExperimentError, match=r"6 items to train .* shape \(5,\)"):
        fitted(Task(x, y[:5], x, y))
    with pytest.raises(ExperimentError, match=r"6 items to test .* shape \(6, 1\)"):
        fitted(Task(x, y, x, y[:, None]))
    with pytest.raises(ExperimentError, match=r"labels to test are 0 or 1.*\[-1, 1\]"):
        fitted(Task(x, y, x, 2 * y - 1))


def test_ratios_of_variances_and_pooled_correlations_are_those_of_their_formulas():
    generator = np.random.default_rng(0)
    wide, narrow = 3 * generator.normal(size=(200, 1)), generator.normal(size=(200, 1))
    found = variance_ratio([wide], [narrow], generator=generator, draws=300)
    assert found.value == pytest.approx(wide.var(ddof=1) / narrow.var(ddof=1))
    assert 1 < found.low < 9 < found.high
    pairs = generator.normal(size=(50, 2))
    pairs[:, 1] += pairs[:, 0]
    alone = pooled_correlation([pairs])
    assert alone.value == pytest.approx(np.arctanh(stats.pearsonr(*pairs.T).statistic))
    low, high = np.arctanh(stats.pearsonr(*pairs.T).confidence_interval(0.95))
    assert (alone.low, alone.high) == pytest.approx((low, high))
    # Two populations of which one is better in both columns: that is no correlation.
    apart = pooled_correlation([pairs, pairs + 100])
    assert apart.value == pytest.approx(alone.value)
    assert apart.high - apart.low == pytest.approx(2 * 1.959964 / np.sqrt(96))
    assert pooled_correlation([np.ones((5, 2))]) is None


@pytest.mark.slow
def test_a_member_trains_alike_alone_and_among_others():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(24, 8)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.float32)
    task = Task(x[:16], y[:16], x[16:], y[16:])
    members = [GRAPH, None, random_graph(generator, 3, 2)]

    def fitted(places, together):
        return population_fit(
            nn.Dense(32),
            [members[i] for i in places],
            task,
            generators=[np.random.default_rng(i) for i in places],
            epochs=3,
            batch=8,
            together=together,
            sizes=(6, 8),
        )

    among, by_two = fitted([0, 1, 2], 3), fitted([0, 1, 2], 2)
    np.testing.assert_allclose(among.losses, by_two.losses, rtol=1e-4)
    np.testing.assert_allclose(fitted([2], 1).losses[0], among.losses[2], rtol=1e-4)
