"""Panels train the networks that stacks train one by one, with code that no program shapes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.ensembles import MIXED, joint, program

from ntkexec.ensemble import draws, panels, stacks
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.network import TwoLayerNetwork, initial
from ntkexec.ensemble.training import Chunk, plan_for, train_chunk
from ntkexec.program.problem import LearningProblem

CONFIG = EnsembleConfig(members=2, width=64)
# Components of 1, 2 and 5 templates, the last in blocks of 8 rows.
SIZES = LearningProblem(program([[0], [1], [1], *[[2]] * 5]))
# Sums of 64 products in float32, over some ten steps.
ROUNDING = 2e-5


# What is drawn.


def key_data(key):
    return np.asarray(jax.random.key_data(key))


def test_keys_are_folded_as_jax_folds_them():
    first = np.array([0, 7], np.uint32)
    assert key_data(jax.random.key(7)).tolist() == first.tolist()
    for data in (0, 1, 12345, 2**32 - 1):
        expected = key_data(jax.random.fold_in(jax.random.key(7), data))
        np.testing.assert_array_equal(draws.fold_in(first, data), expected)
    many = draws.fold_in(first, np.arange(3, dtype=np.uint32))
    np.testing.assert_array_equal(many[2], draws.fold_in(first, 2))
    assert (many[1] != many[2]).all()


@pytest.mark.parametrize(
    "count, key, expected",
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_hash_gives_the_published_answers(count, key, expected):
    """Source: the known answers of Random123, Salmon et al., SC 2011."""
    found = draws.threefry(np.array(key, np.uint32), np.array(count, np.uint32))
    assert found.tolist() == list(expected)


def test_rows_are_stretches_of_what_jax_draws():
    keys = [jax.random.key(seed) for seed in (0, 5)]
    expected = [np.asarray(jax.random.normal(key, (3, 8))) for key in keys]
    data = jnp.asarray([key_data(keys[row // 3]) for row in range(6)])
    first = jnp.asarray([8 * (row % 3) for row in range(6)], jnp.uint32)
    found = np.asarray(jax.jit(draws.normal, static_argnums=2)(data, first, 8))
    # The same bits; the way to normal numbers may be rounded in another order.
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5, atol=1e-6)
    shifted = np.asarray(jax.jit(draws.normal, static_argnums=2)(data, first + 1, 8))
    assert (shifted[:, :7] == found[:, 1:]).all()
    assert np.abs(shifted - found).min() > 1e-4


@pytest.mark.parametrize("draw", ["trained", "antisymmetric"])
def test_they_start_where_flax_starts(draw, monkeypatch):
    monkeypatch.setattr(panels.Schedule, "most_steps", 0)
    config = dataclasses.replace(CONFIG, draw=draw, seed=3)
    for stack in SIZES.stacks:
        weights = panels.train(SIZES, config, stack, plan_for(config, stack), range(1, 3))
        network = TwoLayerNetwork(stack.num_inputs, config.width, 1)
        for member in (1, 2):
            for place, component in enumerate(stack.components):
                key = jax.random.fold_in(jax.random.key(3), member)
                key = jax.random.fold_in(key, component)
                drawn = initial(network, key, antisymmetric=draw == "antisymmetric")["params"]
                for name in ("hidden", "output"):
                    found = getattr(weights, name)[member - 1, place]
                    np.testing.assert_allclose(found, drawn[name], rtol=1e-5, atol=1e-6)


# What is trained.


@pytest.mark.parametrize(
    "draw, descent",
    [
        ("trained", "auto"),
        ("trained", "heavy-ball"),
        pytest.param("trained", "plain", marks=pytest.mark.slow),
        pytest.param("trained", "whitened", marks=pytest.mark.slow),
        pytest.param("antisymmetric", "auto", marks=pytest.mark.slow),
    ],
)
def test_they_end_where_stacks_end_after_as_many_steps(draw, descent):
    problem = LearningProblem(SIZES.program, padding=1)
    config = dataclasses.replace(CONFIG, draw=draw, descent=descent)
    stack = problem.stacks[-1]
    plan = plan_for(config, stack)
    assert stack.num_inputs == 9  # in blocks of 16 rows
    one, other = (way.train(problem, config, stack, plan, range(2)) for way in (panels, stacks))
    np.testing.assert_array_equal(one.steps, other.steps)
    for name in ("hidden", "output", "residual", "peak"):
        found, expected = getattr(one, name), getattr(other, name)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, atol=ROUNDING, err_msg=name)
    # The twin: training has moved the weights by much more.
    start = panels.train(
        problem, config, stack, dataclasses.replace(plan, predicted_steps=-10), range(2)
    )
    assert not start.steps.any()
    assert np.abs(start.hidden - one.hidden).max() > 100 * ROUNDING


def test_a_network_does_not_notice_who_shares_its_panel(monkeypatch):
    (ones,) = [s for s in SIZES.stacks if s.num_inputs == 8]
    # Panels of two networks each, the last alone; an odd width, whose rows end in the midst of a vector.
    monkeypatch.setattr(panels, "ROWS", 16)
    config = dataclasses.replace(CONFIG, width=67)
    plan = plan_for(config, ones)
    whole = panels.train(SIZES, config, ones, plan, range(5))
    for members in (range(4, 5), range(1, 4)):
        part = panels.train(SIZES, config, ones, plan, members)
        for name in ("hidden", "output", "steps"):
            cut = getattr(whole, name)[members.start : members.stop]
            np.testing.assert_array_equal(getattr(part, name), cut)


def test_targets_lie_in_blocks_and_the_rest_is_not_real():
    keys = np.arange(12, dtype=np.uint32).reshape(3, 2, 2)
    target = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], np.float32)
    found = panels.Rows._make(panels._rows(keys, target, 4, 4, 2))
    assert found.target.tolist() == [[1, 0, 1, 0, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0]]
    assert found.real.astype(int).tolist() == [[1, 1, 1, 0] * 2, [1, 1, 1, 0, 0, 0, 0, 0]]
    assert found.networks.tolist() == [2, 1]
    # Output weights first, then the hidden weights of every row.
    np.testing.assert_array_equal(found.keys[0, :2], keys[:2, 1])
    np.testing.assert_array_equal(found.keys[0, 2:10], np.repeat(keys[:2, 0], 4, axis=0))
    assert found.place.tolist() == [
        [0, 0, 0, 1, 2, 3, 0, 1, 2, 3, *[0] * 6],
        [0, 0, 1, 2, 3, *[0] * 11],
    ]
    assert not found.keys[1, 5:].any()


# What it is for.


def test_one_compiled_program_trains_all_sizes_of_all_programs(monkeypatch):
    seconds, call = [], panels.compilation.call

    def timed(function, *args, **static):
        found = call(function, *args, **static)
        seconds.append(found[1])
        return found

    panels.compilation.clear()
    monkeypatch.setattr(panels.compilation, "call", timed)
    for problem in (SIZES, LearningProblem(MIXED), LearningProblem(MIXED, padding=5)):
        for index in range(len(problem.stacks)):
            train_chunk(problem, CONFIG, Chunk(index, 0, 2))
    assert len(seconds) == 7
    assert [second > 0 for second in seconds] == [True] + [False] * 6
    # The twin: another width is another program.
    train_chunk(SIZES, dataclasses.replace(CONFIG, width=32), Chunk(0, 0, 2))
    assert seconds[-1] > 0


def test_only_small_plain_networks_are_trained_in_panels():
    (stack, *_) = SIZES.stacks
    assert panels.suits(CONFIG, stack)
    assert panels.suits(dataclasses.replace(CONFIG, draw="antisymmetric"), stack)
    for change in ({"bias_std": 0.1}, {"precision": "float64"}, {"draw": "linearised"}):
        assert not panels.suits(dataclasses.replace(CONFIG, **change), stack)
    assert not panels.suits(CONFIG, joint(MIXED).stacks[0])
    with jax.threefry_partitionable(False):
        assert not panels.suits(CONFIG, stack)
    for padding, fits in ((panels.ROWS - 1, True), (panels.ROWS, False)):
        (padded,) = LearningProblem(program([[0]]), padding=padding).stacks
        assert panels.suits(CONFIG, padded) == fits


@pytest.mark.parametrize("width", [1, 1000, 4096, 5000, 2**16, 2**20, 2**22])
def test_the_wider_the_networks_the_fewer_the_rows(width):
    rows = panels.num_rows(width)
    assert rows & (rows - 1) == 0
    assert rows == 1 or rows * width <= panels.ENTRIES
    assert rows == panels.ROWS or 4 * rows * width > panels.ENTRIES
