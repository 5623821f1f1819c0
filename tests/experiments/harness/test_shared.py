"""What experiments share: intervals that cover, training that continues, images, files, costs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from experiments.files.storage import load_tensors, restore_tree, save_tree
from experiments.harness import statistics
from experiments.kits import costs, images
from experiments.kits.training import initial, stream, train
from ntkexec.errors import ExperimentError

# Statistics.


def test_the_t_interval_is_scipys():
    values = [0.1, 0.4, 0.3, 0.9]
    found = statistics.mean(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-12)


def test_the_t_interval_covers_the_mean_as_often_as_it_says():
    # 4,000 intervals at 95 %: the count is binomial; six deviations are passed once in 1e9.
    samples = np.random.default_rng(0).normal(size=(4000, 5))
    covered = sum(e.low <= 0 <= e.high for e in map(statistics.mean, samples))
    assert abs(covered - 3800) < 6 * (4000 * 0.95 * 0.05) ** 0.5


def test_equal_arms_are_no_difference_whatever_the_seeds():
    found = statistics.difference([0.9, 0.8, 0.7], [0.9, 0.8, 0.7], resolution=0.01)
    assert found.low < 0 < found.high
    assert statistics.difference([0.5] * 3, [0.5] * 3).low < 0


def test_pairing_removes_what_seeds_have_in_common():
    common = np.random.default_rng(0).normal(size=6)
    found = statistics.difference((common + 0.1).tolist(), common.tolist(), resolution=0.01)
    assert found.low > 0


def test_clopper_pearson_against_the_binomial_tails():
    found = statistics.proportion(3, 20)
    assert stats.binom.sf(2, 20, found.low) == pytest.approx(0.025)
    assert stats.binom.cdf(3, 20, found.high) == pytest.approx(0.025)
    assert statistics.proportion(0, 5).low == 0
    assert statistics.proportion(5, 5).high == 1


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval():
    sample = np.random.default_rng(0).normal(size=400)
    found = statistics.bootstrap(sample, np.mean, generator=np.random.default_rng(1))
    half = 1.96 * sample.std() / 20
    # 2,000 draws give the quantiles to a few hundredths of the deviation.
    np.testing.assert_allclose(
        [found.low, found.high], found.value + np.array([-half, half]), atol=0.01
    )


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: statistics.mean([1.0]), "at least two seeds, got 1"),
        (lambda: statistics.difference([1.0, 2.0], [1.0]), "2 observations are paired with 1"),
        (lambda: statistics.proportion(3, 2), "no proportion"),
        (lambda: images.digits(num_train=1797, generator=np.random.default_rng(0)), "and test too"),
    ],
)
def test_what_makes_no_interval_or_split_is_refused(call, says):
    with pytest.raises(ExperimentError, match=says):
        call()


# Training.


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


# Images.


def generator():
    return np.random.default_rng(0)


def test_digits_are_standardised_split_and_reproducible():
    found = images.digits(num_train=1000, generator=generator())
    assert found.train.shape == (1000, 8, 8, 1)
    assert found.test.shape == (797, 8, 8, 1)
    assert abs(found.train.mean()) < 1e-5
    assert abs(found.train.std() - 1) < 1e-5
    assert set(found.test_labels) == set(range(10))
    again = images.digits(num_train=1000, generator=generator())
    np.testing.assert_array_equal(found.train, again.train)


def test_shapes_can_be_told_apart_without_noise():
    found = images.shapes(num_train=600, num_test=200, size=16, noise=0.0, generator=generator())
    flat = found.train.reshape(600, -1)
    nearest = [
        found.train_labels[((flat - image.ravel()) ** 2).sum(1).argmin()] for image in found.test
    ]
    # Chance is a sixth: 200 guesses reach a half with probability below 1e-25.
    assert np.mean(nearest == found.test_labels) > 0.5
    assert found.train.min() < found.train.max()


def test_blur_makes_neighbours_alike_and_keeps_the_deviation():
    for sigma, low, high in ((0.0, -0.05, 0.05), (1.0, 0.7, 0.85)):
        made = images.blurred_noise(20, 16, 2, sigma=sigma, generator=generator())
        assert made.std() == pytest.approx(1, abs=0.05)
        # exp(-1 / (4 sigma^2)) is the correlation of neighbours.
        correlation = np.mean(made[:, 1:] * made[:, :-1])
        assert low < correlation < high


def write_cifar(folder, name, *, number=3):
    """Files in the real format with known content; returns pixels and labels of the test file."""
    train, test, label_bytes, num_classes = images.CIFAR_FILES[name]
    drawn = generator()
    folder.mkdir(exist_ok=True)
    for file in (*train, *test):
        labels = drawn.integers(num_classes, size=(number, label_bytes), dtype=np.uint8)
        planes = drawn.integers(256, size=(number, 3072), dtype=np.uint8)
        (folder / file).write_bytes(np.concatenate([labels, planes], 1).tobytes())
    return planes, labels[:, -1]


@pytest.mark.parametrize("name, files", [("cifar-10", 5), ("cifar-100", 1)])
def test_cifars_binary_files_are_read_plane_by_plane_with_fine_labels(tmp_path, name, files):
    planes, labels = write_cifar(tmp_path, name)
    found = images.cifar(tmp_path, name)
    assert found.train.shape == (3 * files, 32, 32, 3)
    np.testing.assert_array_equal(found.test_labels, labels)
    # Red, green and blue planes, rows within them: undo the standardisation by two pixels.
    for channel in range(3):
        read = found.test[..., channel].reshape(3, -1).astype(float)
        raw = planes[:, 1024 * channel : 1024 * (channel + 1)].astype(float)
        slope, shift = np.polyfit(read.ravel(), raw.ravel(), 1)
        np.testing.assert_allclose(slope * read + shift, raw, atol=1e-3)


def test_broken_cifar_files_are_refused_by_name(tmp_path):
    with pytest.raises(ExperimentError, match=r"cannot read .*data_batch_1.bin"):
        images.cifar(tmp_path, "cifar-10")
    write_cifar(tmp_path, "cifar-100")
    with pytest.raises(ExperimentError, match="'cifar-1' is neither"):
        images.cifar(tmp_path, "cifar-1")
    path = tmp_path / "test.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ExperimentError, match=r"test.bin has 9221 bytes, no multiple of the 3074"):
        images.cifar(tmp_path, "cifar-100")
    path.write_bytes(b"\0\xc8" + content[2:])
    with pytest.raises(ExperimentError, match="holds the label 200"):
        images.cifar(tmp_path, "cifar-100")


# Costs.


def test_flops_of_a_product_are_counted():
    product = jax.jit(lambda a, b: a @ b).lower(jnp.ones((16, 32)), jnp.ones((32, 8)))
    found = costs.cost(product.compile())
    assert found.flops == 2 * 16 * 32 * 8
    assert found.accessed_bytes >= 4 * (16 * 32 + 32 * 8 + 16 * 8)
    tree = {"a": jnp.ones((2, 3)), "b": jnp.ones(4, jnp.int8)}
    assert (costs.num_parameters(tree), costs.num_bytes(tree)) == (10, 28)


def test_more_work_takes_a_larger_share_of_time():
    small, large = jnp.ones((8, 8)), jnp.ones((600, 600))
    product = jax.jit(lambda a: a @ a @ a)
    found = costs.time_ratio(
        lambda: product(large), lambda: product(small), repeats=9, generator=generator()
    )
    # 400,000 times the work; a loaded machine does not turn that round.
    assert found.value > 1
    assert found.low <= found.value <= found.high
