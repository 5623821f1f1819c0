"""Training that continues where it was killed, and trees that come back as they were."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.files.storage import load_tensors, restore_tree, save_tree
from experiments.kits.training import initial, stream, train
from ntkexec.errors import ExperimentError


def step(state, index, data):
    key = jax.random.fold_in(state["key"], index)
    moved = state["x"] + data * jax.random.normal(key, (2,))
    return {"x": moved, "key": state["key"]}, {"first": moved[0]}


def start():
    return {"x": jnp.zeros(2), "key": jax.random.key(0)}


def test_a_killed_training_continues_to_the_same_end(tmp_path):
    path = tmp_path / "state.safetensors"
    options = {"data": jnp.float32(0.1), "chunk": 3}
    whole, history = train(step, start(), 10, **options)
    train(step, start(), 6, checkpoint=path, **options)
    seen = []
    continued, again = train(
        step, start(), 10, checkpoint=path, report=lambda *told: seen.append(told), **options
    )
    assert seen == [("training", 9, 10), ("training", 10, 10)]
    np.testing.assert_array_equal(whole["x"], continued["x"])
    np.testing.assert_array_equal(history["first"], again["first"])
    assert history["first"].shape == (10,)


def test_streamed_steps_have_their_own_data_and_continue_when_killed(tmp_path):
    path = tmp_path / "state.safetensors"
    read = []

    def batch(index):
        read.append(index)
        return jnp.float32(0.1 * (index + 1))

    whole, history = stream(step, start(), 5, batch=batch, chunk=2)
    one, first = train(step, start(), 1, data=jnp.float32(0.1), chunk=1)
    np.testing.assert_allclose(history["first"][0], first["first"][0], rtol=1e-6)
    assert float(jnp.abs(whole["x"] - one["x"]).max()) > 0.01
    stream(step, start(), 4, batch=batch, chunk=2, checkpoint=path)
    read.clear()
    continued, again = stream(step, start(), 5, batch=batch, chunk=2, checkpoint=path)
    assert read == [4]
    np.testing.assert_array_equal(whole["x"], continued["x"])
    np.testing.assert_array_equal(history["first"], again["first"])


def test_the_same_step_is_compiled_once_for_all_seeds():
    traced = []

    def counted(state, index, data):
        traced.append(1)
        return step(state, index, data)

    for scale in (0.1, 0.2, 0.3):
        train(counted, start(), 4, data=jnp.float32(scale), chunk=2)
    assert len(traced) == 1


def test_a_module_starts_with_the_weights_of_its_own_init():
    module = nn.Sequential([nn.Conv(3, (3, 3)), nn.BatchNorm(use_running_average=True)])
    images, key = jnp.ones((2, 5, 5, 1)), jax.random.key(4)
    found, wanted = initial(module, key, images), module.init(key, images)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_what_happens_between_chunks_sees_the_steps_done():
    seen = []

    def between(state, done):
        seen.append(done)
        return {**state, "x": jnp.zeros(2)}

    final, _ = train(step, start(), 5, data=jnp.float32(1), chunk=2, between=between)
    assert seen == [0, 2, 4]
    last = jax.random.normal(jax.random.fold_in(jax.random.key(0), 4), (2,))
    np.testing.assert_allclose(final["x"], last, rtol=1e-6)


def test_a_tree_comes_back_as_it_was_scalars_keys_and_strides_too(tmp_path):
    tree = {
        "scalar": jnp.float32(2.5),
        "key": jax.random.key(7),
        "nested": [np.arange(6).reshape(2, 3).T, jnp.ones((2, 0), jnp.float16)],
    }
    save_tree(tmp_path / "tree", tree)
    found = restore_tree(load_tensors(tmp_path / "tree")[0], tree, tmp_path)
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    assert jax.random.key_data(found.pop("key")).tolist() == [0, 7]
    tree.pop("key")
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(tree)):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_array_equal(one, other)


def test_a_type_that_would_not_come_back_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match="'a' of type bfloat16; cast it first"):
        save_tree(tmp_path / "tree", {"a": jnp.ones(2, jnp.bfloat16)})


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "tree.safetensors"
    save_tree(path, {"a": jnp.zeros(3)}, note="hello")
    tensors, notes = load_tensors(path)
    assert notes == {"note": "hello"}
    for other in ({"a": jnp.zeros(4)}, {"b": jnp.zeros(3)}, {"a": jnp.zeros(3, jnp.int32)}):
        with pytest.raises(ExperimentError, match="holds another tree"):
            restore_tree(tensors, other, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ExperimentError, match="is damaged"):
        load_tensors(path)
