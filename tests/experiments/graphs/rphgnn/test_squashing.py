import numpy as np
import pytest

from experiments.graphs.rphgnn.encoder import RULES, RpHGNN, batches
from experiments.graphs.rphgnn.planted import opposite_signs
from experiments.graphs.rphgnn.retaining import retained, retention
from experiments.graphs.rphgnn.squashing import random_squash, sparse_projection, unit_rows
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError


def test_a_sparse_projection_has_its_three_values_as_often_as_it_should():
    for sparsity in (1.0, 3.0, 10.0):
        made = sparse_projection(np.random.default_rng(0), 400, 300, sparsity=sparsity)
        assert set(np.unique(np.abs(made))) <= {0.0, np.sqrt(sparsity)}
        assert abs((made != 0).mean() - 1 / sparsity) < 0.01
        assert abs(np.square(made).mean() - 1) < 0.03
    with pytest.raises(ExperimentError, match=r"0\.5"):
        sparse_projection(np.random.default_rng(0), 2, 2, sparsity=0.5)


def test_squashes_have_their_widths_and_refuse_what_does_not_fit():
    generator = np.random.default_rng(0)
    parts = {"a": generator.normal(size=(6, 3)), "b": generator.normal(size=(6, 5))}
    assert random_squash(parts, 4, generator=generator).shape == (6, 4)
    side = random_squash(parts, 8, generator=generator, squash="concat")
    np.testing.assert_allclose(np.square(side).sum(1), 2)
    with pytest.raises(ExperimentError, match="3 columns cannot be added to 5"):
        random_squash(parts, 3, generator=generator, squash="sum")
    with pytest.raises(ExperimentError, match="median"):
        random_squash(parts, 3, generator=generator, squash="median")
    one = random_squash({"a": parts["a"]}, 3, generator=generator, squash="sum")
    np.testing.assert_allclose(one, unit_rows(parts["a"]))


def test_all_is_retained_by_what_holds_it_and_a_share_by_a_part_of_it():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 6))
    turned = unit_rows(x) @ generator.normal(size=(6, 6))
    assert retained(turned, {"x": x}) == pytest.approx(1, abs=1e-9)
    assert retained(np.ones((200, 2)), {"x": x}) == 0
    assert retained(x, {"x": np.ones((200, 3))}) == 1
    assert 0.2 < retained(unit_rows(x)[:, :2], {"x": x}) < 0.5


def test_the_meter_keeps_more_with_more_columns_and_chooses_the_least_that_do():
    graph = opposite_signs(np.random.default_rng(0), targets=80, others=60, train=5, validation=20)
    found = retention(graph, 2, generator=np.random.default_rng(0), widths=(4, 16, 512), keep=0.9)
    worst = [float(found.worst(width)[0]) for width in (4, 16, 512)]
    assert worst == sorted(worst)
    assert (found.width, found.iterations) == (512, 2)
    few = retention(graph, 2, generator=np.random.default_rng(0), widths=(4, 16), keep=0.9)
    assert (few.width, few.iterations) == (16, 1)


def test_the_network_has_the_parameters_of_its_groups():
    drawn = np.random.default_rng(0)
    groups = {
        name: drawn.normal(size=(7, slices, 5)).astype(np.float32)
        for name, slices in (("even", 3), ("odd", 2), ("odd too", 2), ("own", 1))
    }
    import jax

    for merge, joined in (("concat", 4), ("mean", 1)):
        params = initial_by_numpy(RpHGNN(3, 4, merge=merge), drawn, groups, rules=RULES)["params"]
        # Slices into filters, two layers with a slope each; the last group has one slice and filter.
        two = lambda slices, filters: (slices + 1) * filters + (5 * filters + 1) * 4 + 5 * 4 + 2  # noqa: E731
        wanted = two(3, 2) + 2 * two(2, 2) + two(1, 1) + (4 * joined + 1) * 4 + 1 + 5 * 3
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == wanted


def test_each_row_is_in_a_batch_before_any_comes_again():
    made = batches(np.random.default_rng(0), np.arange(10, 22), 8, 3)
    assert made.shape == (8, 3)
    for round_ in (made[:4], made[4:]):
        assert sorted(round_.ravel()) == list(range(10, 22))
