"""Training: one program for all seeds, running averages kept, the same seed the same network."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from experiments.kits.convnets import fitting
from experiments.kits.convnets.fitting import fit, moved_and_mirrored
from experiments.kits.convnets.layers import ConvBN
from experiments.kits.images import Images
from ntkexec.errors import ExperimentError

TRACES = []


class Net(nn.Module):
    @nn.compact
    def __call__(self, images, *, train=False, gate=1.0):
        TRACES.append(train)
        x = ConvBN(4, name="first")(images, train=train)
        return nn.Dense(2)(gate * x.mean((1, 2)))


def bright_or_dark(seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(2, size=48).astype(np.int32)
    pixels = generator.normal(size=(48, 6, 6, 1)).astype(np.float32) + labels[:, None, None, None]
    return Images(pixels[:40], labels[:40], pixels[40:], labels[40:], 2)


def trained(seed, **fields):
    generator = np.random.default_rng(seed)
    return fit(
        Net(), bright_or_dark(seed), generator=generator, steps=60, batch=16, learning_rate=0.05,
        fields={"gate": 1.0, **fields}, augmentation=moved_and_mirrored,
    )  # fmt: skip


def test_a_seed_is_data_and_training_learns_with_running_averages():
    first = trained(0)
    number = len(TRACES)
    second, again = trained(1), trained(0)
    # Only shapes are asked of the model for the next seeds.
    assert len(TRACES) == number + 2
    assert min(first.train, second.train) > 0.9
    assert first.losses.shape == (60,)
    np.testing.assert_array_equal(first.outputs, again.outputs)
    assert first.test == np.mean(first.outputs.argmax(1) == bright_or_dark(0).test_labels)
    assert np.abs(first.variables["batch_stats"]["first"]["norm"]["mean"]).max() > 0.01
    # Evaluation is the model's own, whatever the size of its groups.
    want = Net().apply(first.variables, bright_or_dark(0).test)
    np.testing.assert_allclose(first.outputs, want, atol=1e-4)
    assert abs(trained(0, gate=0.0).train - 0.5) < 0.2


def test_a_picture_is_moved_by_at_most_two_pixels_and_mirrored():
    images = np.arange(1.0, 26).reshape(1, 5, 5, 1).repeat(64, 0).astype(np.float32)
    found = np.asarray(moved_and_mirrored(jax.random.key(0), images))[..., 0]
    centres = set(found[:, 2, 2].tolist())
    assert len(centres) > 15
    framed = np.pad(images[0, ..., 0], 2)
    cuts = [framed[i : i + 5, j : j + 5] for i in range(5) for j in range(5)]
    possible = [*cuts, *(cut[:, ::-1] for cut in cuts)]
    assert all(any(np.array_equal(one, other) for other in possible) for one in found)


def test_too_few_pictures_for_a_step_are_refused():
    assert fitting.EVALUATED > 1
    with pytest.raises(ExperimentError, match="3 steps of 41 pictures on 40"):
        fit(Net(), bright_or_dark(0), generator=np.random.default_rng(0), steps=3, batch=41)
