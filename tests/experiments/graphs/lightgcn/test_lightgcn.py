"""LightGCN: layers by the formula, special cases, spectrum, explanations that sum up, continued training."""

import jax
import networkx as nx
import numpy as np
import pytest

from experiments.data.interactions import Interactions, table_of
from experiments.graphs.lightgcn import (
    NGCF,
    LightGCN,
    bipartite,
    compare,
    explain,
    propagate,
    recommend,
    similar_users,
)
from experiments.graphs.lightgcn.model import NORMS, read_out
from experiments.graphs.lightgcn.study_exact import scipy_steps
from experiments.graphs.lightgcn.weights import joined, uniform_weights
from experiments.kits.recommendation import fitting
from experiments.kits.recommendation.evaluation import dot_scores, evaluate, holdout
from experiments.kits.recommendation.generators import planted_communities
from experiments.kits.recommendation.models import MatrixFactorisation, first_embedding
from experiments.kits.recommendation.samplers import sample
from ntkexec.errors import ExperimentError

DAVIS = nx.davis_southern_women_graph()
WOMEN, EVENTS = DAVIS.graph["top"], DAVIS.graph["bottom"]
ATTENDED = nx.bipartite.biadjacency_matrix(DAVIS, WOMEN, EVENTS).toarray()
TRAIN = table_of(*np.nonzero(ATTENDED), ATTENDED.shape)
TABLE = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("options", [{"dense": True}, {}, {"entries": 100}])
def test_a_hop_divides_edges_by_powers_of_degrees(norm, options):
    graph = bipartite(TRAIN, norm=norm, **options)
    receiver, sender = NORMS[norm]
    women, events = ATTENDED.sum(1)[:, None], ATTENDED.sum(0)[None]
    to_women = ATTENDED * women**-receiver * events**-sender
    to_events = (ATTENDED * women**-sender * events**-receiver).T
    found = propagate(graph, TABLE[:18], TABLE[18:])
    np.testing.assert_allclose(found[0], to_women @ TABLE[18:], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], to_events @ TABLE[:18], rtol=1e-5, atol=1e-6)


def test_no_layers_are_matrix_factorisation_bit_for_bit_and_all_depths_have_its_parameters():
    params = {"params": {"embedding": TABLE}}
    plain = MatrixFactorisation(18, 14, 4).apply(params)
    for model, operands in ((LightGCN(18, 14, 4, layers=0), (None,)),):
        for one, other in zip(model.apply(params, *operands), plain):
            np.testing.assert_array_equal(one, other)
    weights = [1.0, 0, 0]
    for one, other in zip(LightGCN(18, 14, 4, 2).apply(params, bipartite(TRAIN), weights), plain):
        np.testing.assert_array_equal(one, other)
    graph = bipartite(TRAIN)
    for model, number in ((LightGCN(18, 14, 4, 3), 32 * 4), (NGCF(18, 14, 4, 3), 128 + 3 * 2 * 20)):
        shapes = jax.eval_shape(lambda model=model: model.init(jax.random.key(0), graph))
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == number
    with pytest.raises(ExperimentError, match="2 layers have 3 weights, not 2"):
        read_out(graph, TABLE[:18], TABLE[18:], 2, [1.0, 1.0])
    with pytest.raises(ExperimentError, match="need a graph"):
        read_out(None, TABLE[:18], TABLE[18:], 2)
    with pytest.raises(ExperimentError, match="none of the norms"):
        bipartite(TRAIN, norm="sum")
    with pytest.raises(ExperimentError, match="89 interactions do not go into 80"):
        bipartite(TRAIN, entries=80)


def test_eigenvalues_lie_between_minus_one_and_one_and_only_the_average_settles():
    operator = joined(TRAIN).toarray()
    root = np.sqrt(np.append(ATTENDED.sum(1), ATTENDED.sum(0)))
    turned = root * np.where(np.arange(32) < 18, 1, -1)
    assert abs(np.linalg.eigvalsh(operator)).max() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(operator @ root, root, rtol=1e-12)
    np.testing.assert_allclose(operator @ turned, -turned, rtol=1e-12)
    hops = [TABLE.astype(float)]
    for _ in range(201):
        hops.append(operator @ hops[-1])
    means = [np.mean(hops[:k], axis=0) for k in (200, 201)]
    assert np.linalg.norm(hops[201] - hops[200]) > 0.1 * np.linalg.norm(TABLE)
    assert np.linalg.norm(means[1] - means[0]) <= 2 * np.linalg.norm(TABLE) / 201
    for u, v in ((0, 1), (3, 3), (2, 16)):
        common = sum(ATTENDED[u] * ATTENDED[v] / ATTENDED.sum(0))
        wanted = common / np.sqrt(ATTENDED[u].sum() * ATTENDED[v].sum())
        assert similar_users(TRAIN)[u, v] == pytest.approx(wanted)


def test_an_explanation_sums_to_the_score_by_hops_and_by_items_of_the_user():
    alpha = (0.4, 0.3, 0.2, 0.1)
    users, items = read_out(bipartite(TRAIN), TABLE[:18], TABLE[18:], 3, alpha)
    told = explain(TABLE, TRAIN, user=2, item=9, alpha=alpha)
    assert told.score == pytest.approx(float(users[2] @ items[9]), rel=1e-5)
    assert told.even + told.odd == pytest.approx(told.score, rel=1e-12)
    through = sum(share for _, share in told.history)
    assert through + told.hops[0].sum() == pytest.approx(told.score, rel=1e-12)
    assert [item for item, _ in told.history] == np.flatnonzero(ATTENDED[2]).tolist()
    # Odd hops carry what comes from items' embeddings: without those it is gone.
    alone = explain(np.where(np.arange(32)[:, None] < 18, TABLE, 0), TRAIN, user=2, item=9)
    assert alone.hops[1].sum() == pytest.approx(0, abs=1e-12)
    with pytest.raises(ExperimentError, match="item 14"):
        explain(TABLE, TRAIN, user=0, item=14)


def test_recommendations_leave_out_what_a_user_has_and_comparisons_are_paired():
    items, scores = recommend(TABLE[:18], TABLE[18:], TRAIN, users=[0, 5], k=3)
    wanted = np.where(ATTENDED > 0, -np.inf, TABLE[:18] @ TABLE[18:].T)[[0, 5]]
    np.testing.assert_array_equal(items, np.argsort(-wanted, axis=1)[:, :3])
    assert (np.diff(scores, axis=1) <= 0).all()
    with pytest.raises(ExperimentError, match="below 18"):
        recommend(TABLE[:18], TABLE[18:], TRAIN, users=[18])
    data = planted_communities(np.random.default_rng(0), users=60, items=50)
    one, other = (
        evaluate(
            dot_scores(*np.split(first_embedding(np.random.default_rng(s), 60, 50, 4), [60])), data
        )
        for s in (1, 2)
    )
    found = compare(one, other)["recall"]
    assert found.value == pytest.approx(one.recall - other.recall)
    assert found.low < found.value < found.high
    with pytest.raises(ExperimentError, match="cannot be paired"):
        compare(one, evaluate(dot_scores(TABLE[:18], TABLE[18:]), Interactions(
            "a", TRAIN, table_of(*np.nonzero(ATTENDED == 0), ATTENDED.shape)), k=5))  # fmt: skip


def test_variants_of_ngcf_follow_their_formulas():
    model = NGCF(18, 14, 4, 1, read_out="summed")
    graph = bipartite(TRAIN, dense=True)
    params = model.init(jax.random.key(0), graph)["params"] | {"embedding": TABLE}
    received = joined(TRAIN) @ TABLE
    plain = TABLE + received + TABLE + received * TABLE
    found = np.concatenate(model.apply({"params": params}, graph, 0.0, 0.0))
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-5)
    weights = [params[f"{name}_0"]["dense"]["kernel"] for name in ("sum", "product")]
    whole = (received + TABLE) @ weights[0] + (received * TABLE) @ weights[1]
    found = np.concatenate(model.apply({"params": params}, graph))
    np.testing.assert_allclose(
        found, TABLE + np.where(whole > 0, whole, 0.2 * whole), rtol=1e-4, atol=1e-5
    )


def test_training_is_the_plain_loop_and_continues_where_it_was_killed(tmp_path):
    data = planted_communities(np.random.default_rng(0), users=40, items=50)
    held = holdout(data, np.random.default_rng(1))
    begun = first_embedding(np.random.default_rng(2), 40, 50, 4)
    options = dict(seed=3, every=2, batch=512, rate=1e-2)
    model, graph = LightGCN(40, 50, 4), bipartite(held.train)

    def trained(epochs, **more):
        params = {"embedding": begun}
        return fitting.fit(model, (graph,), held, params, epochs=epochs, **options, **more)

    whole, path = trained(4), tmp_path / "state.safetensors"
    trained(2, checkpoint=path)
    again = trained(4, checkpoint=path)
    np.testing.assert_array_equal(whole.users, again.users)
    np.testing.assert_array_equal(whole.curve, again.curve)
    assert (again.epochs, len(again.curve)) == (4, 2)
    assert whole.epoch == 2 * (len(whole.curve) - int(np.argmax(whole.curve[::-1])))
    # The same steps by SciPy, batch after batch of the same triples.
    table = begun
    drawn = [
        sample("per-interaction", held.train, np.random.default_rng([3, e]), 512) for e in range(2)
    ]
    rows = jax.tree.map(lambda *parts: np.concatenate(parts), *drawn)
    table = scipy_steps(joined(held.train).astype(np.float32), table, rows, 40, rate=1e-2)
    params = trained(2).params["embedding"]
    np.testing.assert_allclose(params, table, atol=2e-4)
    assert uniform_weights(3).sum() == 1
    options["batch"] = 256
    with pytest.raises(ExperimentError, match="holds another training"):
        trained(4, checkpoint=path)
    with pytest.raises(ExperimentError, match="cannot train 0 epochs"):
        trained(0)
