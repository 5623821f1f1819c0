import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.graphs.lcm.folds import (
    ensemble_fold,
    prefix_fold,
    sequential_fold,
    sequential_states,
    tree_fold,
    tree_levels,
)
from experiments.graphs.lcm.laws import law_report
from experiments.graphs.lcm.monoids import KINDS, BinaryMonoid, gru_monoid, lifted
from experiments.graphs.lcm.regularisers import (
    associativity_loss,
    identity_loss,
    order_loss,
    picked,
)
from experiments.graphs.lcm.segments import segment_sequential_fold, segment_tree_fold
from experiments.graphs.lcm.study_exact import drawn_weights, traced_work
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


def bracketed(x, y):
    """Remembers the tree that it was applied in: a number of no law at all."""
    return jnp.sin(3 * x) + jnp.cos(2 * y)


def by_hand(rows):
    """The paper's pairing, on a list."""
    rows = list(rows)
    while len(rows) > 1:
        paired = [bracketed(*rows[i : i + 2]) for i in range(0, len(rows) - 1, 2)]
        rows = paired + rows[len(rows) // 2 * 2 :]
    return rows[0]


def learned(width=4, seed=0):
    return functools.partial(gru_monoid, drawn_weights(np.random.default_rng(seed), width))


@pytest.mark.slow
def test_the_tree_pairs_neighbours_and_passes_an_odd_one_up_whatever_is_padded_where():
    generator = np.random.default_rng(0)
    with float64():
        for n in (1, 2, 7):
            x = generator.normal(size=(n, 2))
            np.testing.assert_allclose(tree_fold(bracketed, x), by_hand(x), rtol=1e-12)
            # Each place of each of 5 paddings; what is padded is no number.
            padded, mask = np.full((n + 5, 2), np.nan), np.zeros(n + 5, bool)
            places = np.sort(generator.choice(n + 5, n, replace=False))
            padded[places], mask[places] = x, True
            np.testing.assert_array_equal(
                tree_fold(bracketed, padded, mask), tree_fold(bracketed, x)
            )
            state = np.zeros(2)
            for row in x:
                state = np.asarray(bracketed(row, state))
            found = sequential_fold(bracketed, padded, mask)
            np.testing.assert_allclose(found, state, rtol=1e-12)


@pytest.mark.slow
def test_no_rows_give_the_identity_and_the_last_level_is_the_root():
    e = jnp.array([2.0, 3.0])
    for fold in (tree_fold, prefix_fold):
        nothing = fold(jnp.add, jnp.ones((3, 4, 2)), jnp.zeros((3, 4), bool), identity=e)
        np.testing.assert_array_equal(nothing, np.tile(e, (3, 1)))
    np.testing.assert_array_equal(tree_fold(jnp.add, jnp.ones((3, 0, 2)), identity=e), [[2, 3]] * 3)
    np.testing.assert_array_equal(sequential_fold(jnp.add, jnp.ones((0, 2)), begin=e), [2, 3])
    levels = tree_levels(jnp.add, jnp.ones((5, 2)))
    assert [rows.shape[-2] for rows, _ in levels] == [5, 3, 2, 1]
    states = sequential_states(jnp.add, jnp.ones((5, 2)))
    np.testing.assert_array_equal(states[:, 0], np.arange(6))


@pytest.mark.slow
def test_min2_holds_the_two_smallest_values_of_every_multiset_in_every_fold():
    operator = functools.partial(BinaryMonoid(2, "min2").apply, {})
    inf = jnp.full(2, jnp.inf)
    values = np.array(
        [[[a], [b], [c]] for a in range(3) for b in range(3) for c in range(3)], float
    )
    expected = np.sort(values[..., 0], 1)[:, :2]
    for fold in (tree_fold, prefix_fold):
        np.testing.assert_array_equal(fold(operator, lifted(values), identity=inf), expected)
    np.testing.assert_array_equal(sequential_fold(operator, lifted(values), begin=inf), expected)


@jax.jit
def in_all_ways(x, segments, rows, mask, e):
    """Segments as trees and one by one, and the same rows as sets of at most five."""
    sizes, begin = len(rows), jnp.zeros(3)
    return (
        segment_tree_fold(bracketed, x, segments, sizes, identity=e),
        segment_tree_fold(bracketed, x, segments, sizes, identity=e, longest=5),
        tree_fold(bracketed, rows, mask, identity=e),
        segment_sequential_fold(bracketed, x, segments, sizes, longest=6),
        sequential_fold(bracketed, rows, mask, begin=begin),
    )


def test_segments_are_folded_as_sets_are_whatever_their_sizes_and_order():
    generator, e = np.random.default_rng(1), np.array([7.0, 8.0, 9.0])
    for sizes in ([1, 0, 5, 2, 0], [0, 2, 3, 0, 3], [4, 1, 1, 1, 1]):
        order = generator.permutation(8)
        x, segments = generator.normal(size=(8, 3)), np.repeat(np.arange(5), sizes)[order]
        rows, mask = np.full((5, 5, 3), np.nan), np.arange(5)[None] < np.array(sizes)[:, None]
        for segment in range(5):
            rows[segment, : sizes[segment]] = x[segments == segment]
        with float64():
            tree, known, sets, recurrent, one_by_one = in_all_ways(x, segments, rows, mask, e)
        np.testing.assert_allclose(tree, sets, rtol=1e-12)
        np.testing.assert_allclose(known, sets, rtol=1e-12)
        np.testing.assert_allclose(recurrent, one_by_one, rtol=1e-12)


def test_a_segment_longer_than_was_promised_is_no_number():
    x, segments = jnp.ones((3, 1)), np.array([0, 0, 1])
    for fold in (segment_tree_fold, segment_sequential_fold):
        found = fold(jnp.add, x, segments, 2, longest=1)
        np.testing.assert_array_equal(found[:, 0], [np.nan, 1])


def test_left_comb_and_balanced_tree_differ_by_at_most_what_rotations_between_them_can_add_up_to():
    """R rotations at most R eps max(1, K)^(n - 2): eps the associativity error, K Lipschitz's constant."""
    generator = np.random.default_rng(2)
    size, n = 0.05, 8

    def operator(x, y):
        return x + y + size * jnp.sin(x) * jnp.sin(y)

    # |sin| <= 1: one argument's slope is at most 1 + size, and either bracket is off the sum by 2 size.
    lipschitz, epsilon = 1 + size, 4 * size
    # A left comb of n leaves becomes any tree of as many by at most n - 2 rotations.
    bound = (n - 2) * epsilon * lipschitz ** (n - 2)
    with float64():
        x = generator.normal(size=(100, n, 1))
        comb = functools.reduce(operator, np.moveaxis(x, 1, 0))
        apart = np.asarray(abs(comb - tree_fold(operator, x)))
    assert 0 < apart.max() <= bound


def test_work_is_read_off_the_trace_with_loops_as_often_as_they_run():
    rows = jax.ShapeDtypeStruct((7, 3), np.float32)
    kernel = jax.ShapeDtypeStruct((3, 3), np.float32)
    products, steps = traced_work(
        lambda w, x: sequential_fold(lambda row, state: state + row @ w, x), kernel, rows
    )
    assert (products, steps) == (7 * 9, 7)


def test_penalties_are_0_where_the_law_holds_and_their_formula_elsewhere():
    generator = np.random.default_rng(3)
    a, b, c = generator.normal(size=(3, 5, 4))
    operator = learned()
    with float64():
        assert associativity_loss(jnp.maximum, a, b, c) == 0
        assert order_loss(jnp.add, jnp.zeros((5, 4)), a, b) < 1e-30
        assert identity_loss(jnp.add, jnp.zeros(4), jnp.asarray(a)) == 0
        by_hand = operator(operator(a, b), c) - operator(a, operator(b, c))
        np.testing.assert_allclose(
            associativity_loss(operator, a, b, c), (np.asarray(by_hand) ** 2).mean(), rtol=1e-12
        )
        # Subtraction is as little associative as it gets: (a - b) - c - (a - (b - c)) = -2 c.
        np.testing.assert_allclose(associativity_loss(jnp.subtract, a, b, c), 4 * (c**2).mean())
    rows, real = jnp.arange(12.0).reshape(2, 6, 1), jnp.arange(6)[None] < jnp.array([[2], [5]])
    drawn = picked(jax.random.key(0), rows, real, 200)[..., 0]
    assert [sorted(set(each.tolist())) for each in drawn.T] == [[0, 1], [6, 7, 8, 9, 10]]


@pytest.mark.slow
def test_a_report_tells_each_law_from_the_others():
    x = np.random.default_rng(4).normal(size=(20, 6, 2)).astype(np.float32)
    report = functools.partial(law_report, x=x, key=jax.random.key(0))
    largest = report(jnp.maximum, identity=jnp.full(2, -jnp.inf))
    for law in ("commutativity", "associativity", "identity", "idempotence", "permutation"):
        assert getattr(largest, law).largest == 0, law
    total = report(jnp.add)
    assert total.associativity.largest < 1e-5
    assert total.idempotence.mean == pytest.approx(0.5)
    assert total.identity.largest == 0
    minus = report(jnp.subtract)
    assert min(minus.commutativity.low, minus.associativity.low, minus.permutation.low) > 0.1
    assert minus.identity.largest == 0
    with pytest.raises(ExperimentError, match="got 1"):
        law_report(jnp.add, x[:1], key=jax.random.key(0))


@pytest.mark.slow
def test_random_brackets_have_no_spread_only_if_the_operator_is_associative():
    x = jnp.asarray(np.random.default_rng(5).normal(size=(3, 9, 4)), jnp.float32)
    mask = jnp.arange(9)[None] < jnp.array([[9], [2], [0]])
    key, ones = jax.random.key(1), jnp.ones(4)
    mean, spread = ensemble_fold(jnp.add, x, mask, key=key, identity=ones)
    np.testing.assert_allclose(mean[0], x[0].sum(0), rtol=1e-5)
    np.testing.assert_array_equal(mean[2], ones)
    assert spread.max() < 1e-5
    _, spread = ensemble_fold(learned(), x, mask, key=key)
    # Two rows have one bracket, up to commutativity.
    assert spread[0] > 1e-2
    assert spread[1:].max() < 1e-6
    with pytest.raises(ExperimentError, match="at least 2"):
        ensemble_fold(jnp.add, x, key=key, orders=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_is_commutative_to_the_bit_and_fixed_ones_have_their_identity(kind):
    generator, monoid = np.random.default_rng(6), BinaryMonoid(4, kind)
    x, y = generator.normal(size=(2, 50, 4)).astype(np.float32)
    variables = monoid.init(jax.random.key(0), x, y)
    np.testing.assert_array_equal(monoid.apply(variables, x, y), monoid.apply(variables, y, x))
    e = monoid.apply(variables, method="identity")
    if kind not in ("gru", "mlp"):
        found = monoid.apply(variables, x, jnp.broadcast_to(e, x.shape))
        np.testing.assert_allclose(found, x, atol=1e-6)


@pytest.mark.slow
def test_a_kind_that_is_none_and_a_width_that_does_not_split_are_refused():
    x = np.ones((1, 3), np.float32)
    for kind, word in (("average", "average"), ("flow", "even width, and got 3")):
        with pytest.raises(ExperimentError, match=word):
            BinaryMonoid(3, kind).init(jax.random.key(0), x, x)
    assert math.isinf(BinaryMonoid(2, "max").apply({}, method="identity")[0])
