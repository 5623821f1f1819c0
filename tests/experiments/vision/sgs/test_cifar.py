"""CIFAR in the paper's setting: networks of the right sizes, augmentation, and a run on real files."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.harness.experiment import NotMeasured, Trial
from experiments.kits.costs import num_parameters
from experiments.kits.images import CIFAR_FILES
from experiments.vision.sgs import cifar, imagenet
from experiments.vision.sgs.config import FULL, QUICK, TINY


@pytest.mark.parametrize(
    "name, num_parameters_",
    [
        # Hand counts: convolutions, two numbers a channel for batch normalisation, read-out.
        ("resnet-18", 11_220_132),
        ("vgg-11", 9_217_728 + 2 * 2752 + 513 * 100),
    ],
)
def test_the_networks_have_their_published_sizes(name, num_parameters_):
    model = cifar.build(name, 100)
    images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    made = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=True), images)
    assert num_parameters(made["params"]) == num_parameters_


def test_imagenets_resnet_has_its_published_size():
    model = cifar.ResNet18(1000, large=True)
    images = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)
    made = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=True), images)
    assert num_parameters(made["params"]) == 11_689_512  # torchvision's page


def test_augmentation_crops_flips_and_cuts_out():
    images = jnp.ones((200, 32, 32, 1)) * (1 + jnp.arange(32))[None, None, :, None]
    made = np.asarray(jax.jit(cifar.augment)(jax.random.key(0), images))[..., 0]
    hidden = (made == 0).mean((1, 2))
    # A square of 16 x 16 is a quarter of the image; less of it, or some border, may be hidden.
    assert hidden.min() > 0.05
    assert hidden.max() < 0.25 + 2 * 4 / 32
    rising = [np.median(np.diff(image.max(0))) > 0 for image in made]
    # Flips are fair coins: 200 of them fall outside 60..140 with probability below 1e-7.
    assert 60 < sum(rising) < 140


def test_without_data_nothing_stands_in():
    with pytest.raises(NotMeasured, match="--scale full"):
        cifar.cifar(QUICK, Trial("cifar", 0))
    with pytest.raises(NotMeasured, match="cifar-100"):
        cifar.cifar(FULL, Trial("cifar", 0))
    with pytest.raises(NotMeasured, match="--scale full"):
        imagenet.imagenet(QUICK, Trial("imagenet", 0))
    with pytest.raises(NotMeasured, match="data set imagenet"):
        imagenet.imagenet(FULL, Trial("imagenet", 0))


@pytest.mark.slow
def test_both_ways_train_on_files_in_the_real_format_and_continue(tmp_path):
    folder = tmp_path / "cifar-100"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for file in sum(CIFAR_FILES["cifar-100"][:2], ()):
        rows = generator.integers(100, size=(10, 3074), dtype=np.uint8)
        (folder / file).write_bytes(rows.tobytes())
    config = dataclasses.replace(TINY, cifar="cifar-100", model="vgg-11")
    trial = Trial("cifar", 0, data=tmp_path, folder=tmp_path / "out")
    found = cifar.cifar(config, trial)
    assert set(found["accuracy"]) == {"plain", "sgs"}
    assert found["test_images"] == 10
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "plain.safetensors",
        "sgs.safetensors",
    }
    assert cifar.cifar(config, trial) == found


@pytest.mark.slow
def test_both_ways_train_on_folders_of_classes_and_continue(tmp_path):
    generator = np.random.default_rng(0)
    for split, number in (("train", 4), ("val", 2)):
        for name in ("n01", "n02"):
            (tmp_path / "imagenet" / split / name).mkdir(parents=True)
            for i in range(number):
                pixels = generator.integers(256, size=(40, 50, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "imagenet" / split / name / f"{i}.JPEG")
    config = dataclasses.replace(TINY, imagenet=True, imagenet_epochs=2, refresh_epochs=1)
    trial = Trial("imagenet", 0, data=tmp_path, folder=tmp_path / "out")
    found = imagenet.imagenet(config, trial)
    assert set(found["accuracy"]) == {"plain", "sgs"}
    assert found["test_images"] == 4
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "plain.safetensors",
        "sgs.safetensors",
    }
    assert imagenet.imagenet(config, trial) == found
