"""GNNPipe: every scheme against the chunked training, that against loops, and bytes by hand."""

import functools

import flax.linen as nn
import jax
import networkx as nx
import numpy as np
import pytest

from experiments.kits.graph.convert import from_edges, from_networkx
from experiments.kits.graph.operators import dense, normalised, to_scipy
from experiments.systems.gnnpipe import (
    Network,
    by_stage,
    cut,
    graph_parallel_step,
    history_bias,
    lay_out,
    pipeline_step,
    plan_parallelism,
    problem_of,
    train_by_chunks,
    whole,
)
from experiments.systems.gnnpipe.chunked import chunked_step, fresh_edges
from experiments.systems.gnnpipe.networks import GCNII, Residual
from experiments.systems.gnnpipe.planning import moved_bytes
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal(size=(34, 5))
GRAPH = normalised(from_networkx(nx.karate_club_graph(), FEATURES)._replace(edges=None))
A = dense(GRAPH)
LABELS, TRAIN = GENERATOR.integers(3, size=34), GENERATOR.random(34) < 0.5
SHARE = TRAIN / TRAIN.sum()
NETWORK = Network(5, 6, 3, 4)
PARAMETERS = NETWORK.initial(GENERATOR, float)
HISTORY = GENERATOR.normal(size=(4, 34, 6))


@functools.cache
def reference():
    return jax.jit(chunked_step, static_argnums=0)


def chunked(fresh, *, parameters=PARAMETERS, history=HISTORY):
    with jax.enable_x64(True):
        found = reference()(NETWORK, parameters, history, GRAPH, fresh, LABELS, SHARE)
        return jax.device_get(found)


def close(one, other, tolerance=1e-12):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def by_loops(chunk, order, history):
    """The definition: chunk after chunk through all layers, in NumPy; the logits and every layer's input."""
    encoder, head = PARAMETERS["encoder"], PARAMETERS["head"]
    first = np.maximum(FEATURES @ encoder["kernel"] + encoder["bias"], 0)
    known = history.copy()
    logits = np.zeros((34, 3))
    for one in order:
        members = np.flatnonzero(chunk == one)
        row = first[members]
        for layer in range(4):
            known[layer, members] = row
            mixed = 0.9 * A[members] @ known[layer] + 0.1 * first[members]
            beta = np.log1p(0.5 / (layer + 1))
            kernel = PARAMETERS["layers"]["Dense_0"]["kernel"][layer]
            row = np.maximum((1 - beta) * mixed + beta * mixed @ kernel, 0)
        logits[members] = row @ head["kernel"] + head["bias"]
    return logits, known


def test_a_fresh_edge_is_one_whose_chunk_came_no_later():
    _, chunk = cut(GRAPH, 1, 5)
    order = np.array([3, 0, 4, 1, 2])
    logits, known = by_loops(chunk, order, HISTORY)
    found = chunked(fresh_edges(GRAPH, chunk, order))
    close((found.logits, found.hidden), (logits, known))


def test_the_gradient_is_that_of_the_chunked_loss_with_history_held():
    _, chunk = cut(GRAPH, 1, 5)
    fresh = fresh_edges(GRAPH, chunk, np.arange(5))
    found = chunked(fresh)
    flat, back = jax.tree.flatten(PARAMETERS)
    ways = [GENERATOR.normal(size=leaf.shape) for leaf in flat]
    losses = [
        chunked(
            fresh,
            parameters=back.unflatten([a + by * b for a, b in zip(flat, ways)]),
        ).loss
        for by in (-1e-5, 1e-5)
    ]
    slope = (losses[1] - losses[0]) / 2e-5
    along = sum((a * b).sum() for a, b in zip(jax.tree.leaves(found.gradients), ways))
    assert along == pytest.approx(slope, rel=1e-6)


def test_the_hybrid_in_ticks_is_the_training_without_a_schedule():
    part, chunk = cut(GRAPH, 2, 3)
    layout = lay_out(GRAPH, part, chunk)
    order = np.array([2, 0, 1])
    told = chunked(fresh_edges(GRAPH, chunk, order))
    with jax.enable_x64(True):
        step = pipeline_step(NETWORK, layout, {"stage": 2, "part": 2})
        problem = problem_of(layout, FEATURES, LABELS, TRAIN)
        given = (by_stage(PARAMETERS, 2), layout.history(HISTORY, 2), layout.wiring, problem, order)
        found = jax.device_get(step(*given))
    close(found.loss.sum(), told.loss)
    close(whole(found.gradients), told.gradients)
    close(layout.gathered(found.logits[-1]), told.logits)
    close(layout.hidden(found.history), told.hidden)
    assert (found.busy == 3).all()
    unused = found.gradients["encoder"]["kernel"][1], found.gradients["head"]["kernel"][0]
    assert not np.any(unused[0])
    assert not np.any(unused[1])
    with jax.enable_x64(True):
        assert np.isnan(step(*given[:-1], np.array([2, 0, 0])).loss).any()


@pytest.mark.slow
@pytest.mark.parametrize("layer", [GCNII(), Residual()])
def test_stages_alone_and_parts_alone_are_the_same_training(layer):
    network = Network(5, 6, 3, 4, layer)
    parameters = network.initial(GENERATOR, float)
    order = np.array([1, 4, 0, 3, 2])
    with jax.enable_x64(True):
        for axes, chunks in (({"stage": 4}, 5), ({"stage": 1}, 5), ({"part": 3}, 1)):
            part, chunk = cut(GRAPH, axes.get("part", 1), chunks)
            layout = lay_out(GRAPH, part, chunk, edges=70, halo=9)
            problem = problem_of(layout, FEATURES, LABELS, TRAIN)
            fresh = fresh_edges(GRAPH, chunk, order if "stage" in axes else np.arange(1))
            told = reference()(network, parameters, HISTORY, GRAPH, fresh, LABELS, SHARE)
            if "stage" in axes:
                step = pipeline_step(network, layout, axes)
                divided = by_stage(parameters, axes["stage"])
                history = layout.history(HISTORY, axes["stage"])
                found = step(divided, history, layout.wiring, problem, order)
                gradients = whole(found.gradients)
                close(layout.hidden(found.history), told.hidden)
            else:
                found = graph_parallel_step(network, layout, axes)(
                    parameters, layout.wiring, problem
                )
                gradients = found.gradients
            close((found.loss.sum(), gradients), (told.loss, told.gradients))


def test_a_layout_keeps_every_vertex_edge_and_neighbour():
    part, chunk = cut(GRAPH, 3, 4)
    assert np.bincount(part * 4 + chunk).min() == 2
    assert np.bincount(part * 4 + chunk).max() == 3
    layout = lay_out(GRAPH, part, chunk)
    wired = layout.wiring
    matrix = np.zeros((34, 34))
    own = layout.vertices[:, : 5 * layout.size].reshape(3, 5, -1)
    for p in range(3):
        for k in range(5):
            for s, r, w in zip(wired.senders[p, k], wired.receivers[p, k], wired.weights[p, k]):
                if w:
                    matrix[own[p, k, r], layout.vertices[p, s]] += w
    np.testing.assert_array_equal(matrix, A)
    remote = {(int(part[r]), int(s)) for r, s in np.argwhere(A) if part[r] != part[s]}
    assert layout.halo == len(remote)
    assert layout.alpha == len(remote) / 34
    sent = {
        (receiver, int(own[sender, k, row]))
        for k in range(4)
        for each, start in zip(layout.rounds, np.cumsum([0] + [r.rows for r in layout.rounds]))
        for sender, receiver in each.pairs
        for row, place in zip(
            wired.sends[sender, k, start : start + each.rows],
            wired.places[receiver, k, start : start + each.rows],
        )
        if place < layout.vertices.shape[1]
    }
    assert sent == remote
    values = GENERATOR.normal(size=(34, 2))
    np.testing.assert_array_equal(layout.gathered(layout.placed(values)), values)
    np.testing.assert_array_equal(layout.hidden(layout.history(HISTORY, 2)), HISTORY)


def test_bytes_of_a_path_are_counted_by_hand():
    path = from_edges(np.stack([np.arange(7), np.arange(1, 8)], 1), np.ones((8, 1)))
    layout = lay_out(path, *cut(path, 4, 1, order=range(8)))
    network = Network(1, 3, 2, 5, Residual())
    found = moved_bytes(layout, network, 1)
    # Three cuts, a row each way; five layers, there and back, three numbers of four bytes.
    assert found.halos.useful == found.halos.total == 3 * 2 * 5 * 2 * 3 * 4
    assert found.boundaries.total == 0
    layer = 3 * 3 + 3 + 2 * 3  # a dense layer and its norm
    assert found.gradients.total == 2 * 3 * (1 * 3 + 3 + 3 * 2 + 2 + 5 * layer) * 4
    chunks = lay_out(path, *cut(path, 1, 3, order=range(8)))
    moved = moved_bytes(chunks, network, 5)
    crossing = 2 * 4 * 3 * 4  # there and back, four boundaries, three numbers of four bytes
    assert moved.boundaries.useful == crossing * 8
    assert moved.boundaries.padding == crossing * 1
    assert moved.boundaries.bubbles == crossing * 4 * 3
    assert moved.halos.total == moved.gradients.total == 0
    assert moved_bytes(chunks, Network(1, 3, 2, 5), 5).boundaries.total == 2 * moved.total


def test_the_plan_follows_the_graph():
    network = Network(16, 8, 4, 8, Residual())
    grid = plan_parallelism(nx.grid_2d_graph(60, 4), network, 8)
    thick = plan_parallelism(nx.gnm_random_graph(240, 2400, seed=0), network, 8)
    assert [(one.stages, one.parts) for one in grid.divisions] == [(1, 8), (2, 4), (4, 2), (8, 1)]
    assert (grid.best.stages, thick.best.stages) == (1, 8)
    for plan in (grid, thick):
        alone, piped = plan.divisions[0], plan.divisions[-1]
        ratio = alone.bytes.useful / piped.bytes.useful
        assert ratio == pytest.approx(alone.alpha * 8 / 7, rel=1e-12)
        assert piped.utilisation == 32 / 39
    # Where links are fast, idle ticks cost more than bytes.
    fast = plan_parallelism(
        nx.gnm_random_graph(240, 2400, seed=0), network, 8, compute_seconds=1, bytes_per_second=1e12
    )
    assert fast.best.stages == 1
    assert "<- best" in str(fast)
    odd = plan_parallelism(nx.path_graph(240), network, 6)
    assert ([one.stages for one in odd.divisions], odd.left_out) == ([1, 2], (3, 6))
    assert "not with 3, 6 stages" in str(odd)


def test_bias_is_nothing_with_exact_history_and_one_chunk():
    with jax.enable_x64(True):
        exact = chunked(np.ones(len(GRAPH.senders), bool)).hidden
        one = history_bias(NETWORK, PARAMETERS, exact, GRAPH, np.zeros(34, int), [0], LABELS, TRAIN)
        _, chunk = cut(GRAPH, 1, 5)
        five = history_bias(NETWORK, PARAMETERS, exact, GRAPH, chunk, np.arange(5), LABELS, TRAIN)
    assert not one.staleness.any()
    assert one.error == 0
    assert one.cosine == pytest.approx(1)
    # No gradient comes through history, however fresh it is.
    assert not five.staleness.any()
    assert 0.9 < five.cosine < 1
    assert five.error > 0.01


def test_where_alpha_lies_between_the_thresholds_idle_ticks_decide():
    """Rings: alpha L = 16 r / 15 is above S - 1 = 7 from r = 7 on, above 7 (16 + 7) / 16 from 10 on."""
    network = Network(16, 8, 4, 16, Residual())
    bytes_of = {}
    for reach in (6, 7, 9, 10):
        ring = from_networkx(nx.circulant_graph(240, range(1, reach + 1)))
        alone = lay_out(ring, *cut(ring, 8, 1, order=range(240)))
        piped = lay_out(ring, *cut(ring, 1, 16, order=range(240)))
        assert alone.alpha * 16 == pytest.approx(16 * reach / 15)
        moved = moved_bytes(alone, network, 1), moved_bytes(piped, network, 8)
        bytes_of[reach] = [
            moved[0].useful > moved[1].useful,
            moved[0].halos.total > moved[1].boundaries.total,
        ]
    assert bytes_of == {6: [False] * 2, 7: [True, False], 9: [True, False], 10: [True] * 2}


def test_history_is_exact_in_layer_l_one_epoch_later():
    exact = chunked(np.ones(len(GRAPH.senders), bool)).hidden
    _, chunk = cut(GRAPH, 1, 5)
    history = HISTORY
    for epoch in range(1, 4):
        learned = chunked(fresh_edges(GRAPH, chunk, GENERATOR.permutation(5)), history=history)
        history = learned.hidden
        off = np.abs(history - exact).max((1, 2))
        # The input of layer l, which is the output of layer l - 1, is exact from epoch l on.
        assert not off[:epoch].any()
        assert off[epoch:].all()


@pytest.mark.slow
def test_with_exact_epochs_first_chunks_learn_as_the_full_graph_does():
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(5), (150, 1)), axis=1)
    labels = (A @ FEATURES)[:, :3].argmax(1)  # which can be learnt
    parameters = NETWORK.initial(np.random.default_rng(2))
    graph = GRAPH._replace(nodes=FEATURES.astype(np.float32))
    _, chunk = cut(GRAPH, 1, 5)
    losses = {}
    for warm in (5, 150):
        fit = train_by_chunks(NETWORK, parameters, graph, chunk, labels, TRAIN, orders, warm=warm)
        logits = np.asarray(fit.logits)[TRAIN]
        terms = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), labels[TRAIN]]
        losses[warm] = terms.mean()
    assert max(losses.values()) < np.log(3) / 2  # half of what knows nothing


def test_what_does_not_fit_is_refused():
    _, chunk = cut(GRAPH, 1, 5)
    layout = lay_out(GRAPH, np.zeros(34, int), chunk)
    with pytest.raises(ExperimentError, match="no 3 stages of equal length"):
        pipeline_step(NETWORK, layout, {"stage": 3})
    with pytest.raises(ExperimentError, match="1 parts does not fit 2 devices"):
        pipeline_step(NETWORK, layout, {"stage": 2, "part": 2})
    with pytest.raises(ExperimentError, match="'row': 2"):
        pipeline_step(NETWORK, layout, {"row": 2})
    with pytest.raises(ExperimentError, match="5 chunks does not fit"):
        graph_parallel_step(NETWORK, layout, {"part": 1})
    with pytest.raises(ExperimentError, match="make no 7 parts of 5 chunks"):
        cut(GRAPH, 7, 5)
    with pytest.raises(ExperimentError, match="none of the vertices 0 to 33"):
        cut(GRAPH, 1, 2, order=[0] * 34)
    with pytest.raises(ExperimentError, match="a part and a chunk each"):
        lay_out(GRAPH, chunk, chunk[:3])
    with pytest.raises(ExperimentError, match="share no 4 layers of 34 vertices evenly"):
        plan_parallelism(GRAPH, NETWORK, 68)
    with pytest.raises(ExperimentError, match="both compute_seconds and bytes_per_second"):
        plan_parallelism(GRAPH, NETWORK, 2, bytes_per_second=1.0)
    with pytest.raises(ExperimentError, match="layers = 0"):
        Network(1, 1, 1, 0)
    with pytest.raises(ExperimentError, match="Dense has no field `skips`"):
        Network(1, 1, 1, 1, nn.Dense(1))
    for name, value in (("bytes_per_second", 0.0), ("chunks", 0), ("compute_seconds", -1.0)):
        speeds = {"compute_seconds": 1.0, "bytes_per_second": 1.0, name: value}
        with pytest.raises(ExperimentError, match=f"{name} = {value} is none"):
            plan_parallelism(GRAPH, NETWORK, 2, **speeds)
    with pytest.raises(ExperimentError, match="a csr_array is no graph of networkx"):
        plan_parallelism(to_scipy(GRAPH), NETWORK, 2)


def test_what_is_not_of_the_layout_is_refused():
    _, chunk = cut(GRAPH, 1, 5)
    layout = lay_out(GRAPH, np.zeros(34, int), chunk)
    with pytest.raises(ExperimentError, match="33 labels are not of 34 vertices"):
        problem_of(layout, FEATURES, LABELS[1:], TRAIN)
    with pytest.raises(ExperimentError, match="True or False"):
        problem_of(layout, FEATURES, LABELS, np.arange(34))
    unknown = np.where(TRAIN, -1, LABELS)
    with pytest.raises(ExperimentError, match="is trained on without a label"):
        problem_of(layout, FEATURES, unknown, TRAIN)
    with pytest.raises(ExperimentError, match="is none of chunks 0 to 4"):
        fresh_edges(GRAPH, chunk, [0, 0, 0, 0, 0])
    with pytest.raises(ExperimentError, match="4 layers make no 3 stages"):
        by_stage(PARAMETERS, 3)
    with pytest.raises(ExperimentError, match="a mesh or sizes by name"):
        pipeline_step(NETWORK, layout, 4)
    step, problem = (
        pipeline_step(NETWORK, layout, {"stage": 2}),
        problem_of(layout, FEATURES, LABELS, TRAIN),
    )
    divided, history, order = by_stage(PARAMETERS, 2), layout.history(HISTORY, 2), np.arange(5)
    for given, said in (
        ((PARAMETERS, history, order), "use by_stage"),
        ((divided, layout.history(HISTORY[:2], 2), order), "history of shape .* 2 layers a stage"),
        ((divided, history, order[1:]), "an order of 4 is not of 5 chunks"),
    ):
        with pytest.raises(ExperimentError, match=said):
            jax.eval_shape(step, given[0], given[1], layout.wiring, problem, given[2])
