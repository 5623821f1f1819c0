"""Low-rank weights start as nothing and merge; only what is adapted moves; no choice sees itself."""

import functools

import jax
import numpy as np
import pytest

from experiments.kits.transformer.decoder import Shape, initial
from experiments.kits.transformer.lora import merged
from experiments.language.netllm import Backbone, Encoder, Head, Modality, Streaming
from experiments.language.netllm.adapting import initial_trained, loss_of, outputs_of
from experiments.language.netllm.streaming import Experience, windows
from ntkexec.errors import ExperimentError

SHAPE = Shape(blocks=3, width=8, heads=2, key_heads=1, hidden=12, vocabulary=1)
TASK = Streaming.of(8, chunks=12, features=4)


def in_double(tree):
    def wide(leaf):
        return np.asarray(leaf, np.float64) if leaf.dtype == np.float32 else leaf

    return jax.tree.map(wide, tree)


@pytest.fixture
def parts():
    """A backbone, what is trained (its adapters not at their start) and a batch, in float64."""
    generator = np.random.default_rng(0)
    params = initial(SHAPE, generator, deviation=0.4)
    trained = initial_trained(TASK, SHAPE, generator, rank=2, scale=1.0)
    for one in trained["adapters"].values():
        one["up"] = generator.normal(size=one["up"].shape).astype(np.float32)
    inputs = batch(generator)
    with jax.enable_x64(True):
        yield in_double(params), in_double(trained), in_double(inputs)


def batch(generator, rows=2, steps=4):
    return {
        "returns": generator.random((rows, steps)).astype(np.float32),
        "states": generator.normal(size=(rows, steps, 6, 6)).astype(np.float32),
        "actions": generator.integers(6, size=(rows, steps)).astype(np.int32),
        "time": np.tile(np.arange(steps, dtype=np.int32), (rows, 1)),
        "real": np.ones((rows, steps), bool),
    }


# One program for all tests.
OUTPUTS = jax.jit(functools.partial(outputs_of, TASK, SHAPE))


def test_adapters_change_nothing_at_their_start_and_merge_into_the_weights(parts):
    params, trained, inputs = parts
    begun = []
    for seed in (1, 2):
        fresh = initial_trained(TASK, SHAPE, np.random.default_rng(seed), rank=2, scale=1.0)
        nothing = {**trained, "adapters": in_double(fresh["adapters"])}
        begun.append(np.asarray(OUTPUTS(params, nothing, inputs)))
    np.testing.assert_array_equal(*begun)
    found = OUTPUTS(params, trained, inputs)
    whole = OUTPUTS(merged(params, trained["adapters"]), nothing, inputs)
    np.testing.assert_allclose(found, whole, rtol=1e-10, atol=1e-12)
    assert np.abs(found - begun[0]).max() > 1e-3
    numbers = sum(leaf.size for leaf in jax.tree.leaves(fresh["adapters"]))
    assert numbers == 3 * 2 * ((8 + 8) + (8 + 4))


def test_a_choice_sees_its_return_and_state_and_what_came_before_and_nothing_after(parts):
    params, trained, inputs = parts
    outputs = functools.partial(OUTPUTS, params, trained)
    before = np.asarray(outputs(inputs))
    changes = {"returns": 0.5, "states": 1.0, "actions": 1}
    for name, by in changes.items():
        for at in range(4):
            moved = np.array(inputs[name])
            moved[:, at] = (moved[:, at] + by) % 6 if name == "actions" else moved[:, at] + by
            change = np.abs(np.asarray(outputs({**inputs, name: moved})) - before).max((0, 2))
            # An action is known from the next chunk on.
            first = at + (name == "actions")
            assert (change[:first] == 0).all(), (name, at)
            assert (change[first:] > 1e-8).all(), (name, at)


def test_places_filled_up_on_the_left_change_nothing(parts):
    params, trained, inputs = parts
    begin = {name: np.roll(one, -2, axis=1) for name, one in inputs.items()}
    filled = {name: np.array(one) for name, one in inputs.items()}
    filled["real"][:, :2] = False
    found = OUTPUTS(params, trained, filled)
    # The same chunks as the first of a window, whose last two they do not see.
    known = OUTPUTS(params, trained, begin)
    np.testing.assert_allclose(found[:, 2:], known[:, :2], rtol=1e-9, atol=1e-11)
    begin["real"][:, 2:] = False
    assert float(TASK.loss(found, filled)) == pytest.approx(
        float(TASK.loss(known, begin)), rel=1e-10
    )


@pytest.mark.slow
def test_a_batch_has_the_mean_of_its_rows_gradients_with_and_without_checkpoints(parts):
    params, trained, inputs = parts

    def gradient(inputs, checkpoint=False):
        return jax.grad(
            lambda trained: loss_of(TASK, SHAPE, params, trained, inputs, checkpoint=checkpoint)
        )(trained)

    both = gradient(inputs)
    rows = [gradient({name: one[[row]] for name, one in inputs.items()}) for row in range(2)]
    again = gradient(inputs, checkpoint=True)
    for together, first, second, kept in zip(
        *map(jax.tree.leaves, (both, *rows, again)), strict=True
    ):
        np.testing.assert_allclose(together, (first + second) / 2, rtol=1e-6, atol=1e-10)
        np.testing.assert_allclose(together, kept, rtol=1e-10, atol=1e-13)


def test_returns_telescope_and_no_window_crosses_a_videos_end():
    generator = np.random.default_rng(3)
    states = np.arange(3 * 5.0).reshape(3, 5, 1, 1) + np.zeros((1, 1, 6, 6))
    made = Experience(states, generator.integers(6, size=(3, 5)), generator.normal(size=(3, 5)))
    returns = made.returns()
    following = np.pad(returns[:, 1:], ((0, 0), (0, 1)))
    np.testing.assert_allclose(returns - following, made.normalised() / 5, atol=1e-12)
    found = windows(made, 3)
    assert found["states"].shape == (15, 3, 6, 6)
    assert found["real"].sum() == 3 * (1 + 2 + 3 * 3)
    place = found["states"][..., 0, 0].astype(int)
    assert all(len({*row[kept] // 5}) == 1 for row, kept in zip(place, found["real"], strict=True))
    assert (found["time"] == place % 5)[found["real"]].all()
    assert not windows(made, 3, blind=True)["returns"].any()
    with pytest.raises(ExperimentError, match="no windows of 6"):
        windows(made, 6)


def test_every_answer_of_a_head_is_one_of_the_answers():
    generator = np.random.default_rng(4)
    scores = generator.normal(size=(200, 6)).astype(np.float32)
    scores[:40] = np.where(generator.random((40, 6)) < 0.6, np.nan, np.inf)
    allowed = generator.random((200, 6)) < 0.4
    allowed[~allowed.any(1), 2] = True
    found = np.asarray(Head("choices", 6).answer(scores, allowed))
    assert allowed[np.arange(200), found].all()
    wanted = np.where(allowed, scores, -np.inf)[40:].argmax(1)
    np.testing.assert_array_equal(found[40:], wanted)
    head = Head("coordinates", 3)
    states = generator.normal(size=(7, 8)).astype(np.float32) * 100
    outputs = head.outputs(head.initial(generator, 8), states)
    assert np.abs(head.answer(outputs)).max() <= 1
    each = Head("scores")
    assert each.outputs(each.initial(generator, 8), states[None]).shape == (1, 7)


def test_what_does_not_fit_is_refused():
    for wrong, said in (
        (lambda: Modality("speed", "image", 3), "'image'"),
        (lambda: Modality("speed", "series", 3), "shorter than the kernel"),
        (lambda: Encoder((), 8, 4), "none"),
        (lambda: Head("scores", 2), "2 scores"),
        (lambda: TASK.initial(np.random.default_rng(0), 16), "8 wide"),
    ):
        with pytest.raises(ExperimentError, match=said):
            wrong()
    encoder = TASK.encoder
    params = encoder.initial(np.random.default_rng(0))
    with pytest.raises(ExperimentError, match="buffer is missing"):
        encoder.tokens(
            params, {"return": np.ones((1, 1)), "last": np.ones((1, 1))}, np.zeros(1, int)
        )
    assert Backbone(SHAPE, {}).shape is SHAPE
