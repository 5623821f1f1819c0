"""The paper's ImageNet setting: ResNet-18, plainly and by SGS, for those who have the pictures."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.folders import PictureFolder, picture_folders
from experiments.harness.experiment import NotMeasured, Result, Trial
from experiments.kits.training import stream
from experiments.vision.sgs.cifar import ResNet18
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.scaling import with_scalings
from experiments.vision.sgs.training import (
    State,
    accuracy,
    initial_state,
    scalings_for,
    step_function,
)

BATCH, RATE, DECAY, MEASURED_BATCHES = 256, 0.1, 1e-4, 2
"""The public code's: batch 256, rate 0.1 with a cosine, decay 1e-4; zeros are dropped by the estimator."""


def imagenet(config: SgsConfig, trial: Trial) -> Result:
    """Accuracy on ImageNet's validation pictures of plain training and of SGS.

    Raises:
        NotMeasured: if the scale does without ImageNet, or its folders are not there.
    """
    if not config.imagenet:
        raise NotMeasured(
            "ImageNet takes --scale full, imagenet/train and imagenet/val with a folder for each class "
            "under --data, and an accelerator"
        )
    root = trial.dataset("imagenet")
    return compare(config, trial, *picture_folders(root / "train", root / "val"))


def compare(
    config: SgsConfig, trial: Trial, train: PictureFolder, test: PictureFolder
) -> dict[str, Any]:
    """Both ways of training from one start, each continued from its checkpoint if killed."""
    model = ResNet18(len(train.classes), large=True)
    batch = min(BATCH, len(train.paths))
    per_epoch = len(train.paths) // batch
    num_steps = config.imagenet_epochs * per_epoch
    start, order = jax.random.split(trial.key)

    @functools.lru_cache(maxsize=1)
    def rows(epoch: int) -> np.ndarray:
        return np.random.default_rng([trial.seed, 0, epoch]).permutation(len(train.paths))

    def read(index: int) -> dict[str, Any]:
        epoch, place = divmod(index, per_epoch)
        chosen = rows(epoch)[place * batch : (place + 1) * batch]
        drawn = np.random.default_rng([trial.seed, 1, index])
        images, labels = train.batch(chosen, size=config.imagenet_size, generator=drawn)
        return {"images": images, "labels": labels, "order": order, "rate": jnp.float32(RATE)}

    found = {}
    for method in ("plain", "sgs"):

        def renewed(state: State, done: int, method: str = method) -> State:
            if method == "plain":
                return state
            drawn = np.random.default_rng([trial.seed, 2, done])
            size = min(MEASURED_BATCHES * batch, len(train.paths))
            chosen = drawn.permutation(len(train.paths))[:size]
            images, _ = train.batch(chosen, size=config.imagenet_size, generator=drawn)
            scalings = scalings_for(method, model, state, jnp.asarray(images), drop_zeros=True)
            return {**state, "memory": with_scalings(state["memory"], scalings)}

        blank = jnp.zeros((1, config.imagenet_size, config.imagenet_size, 3))
        state, _ = stream(
            step_function(model, batch, num_steps, decay=DECAY),
            initial_state(model, start, blank),
            num_steps,
            batch=read,
            chunk=config.refresh_epochs * per_epoch,
            between=renewed,
            report=trial.report,
            checkpoint=None if trial.folder is None else trial.folder / f"{method}.safetensors",
            what=method,
        )
        right = 0.0
        for first in range(0, len(test.paths), batch):
            chosen = np.arange(first, min(first + batch, len(test.paths)))
            images, labels = test.batch(chosen, size=config.imagenet_size)
            right += len(chosen) * accuracy(model, state, images, labels)
        found[method] = right / len(test.paths)
    return {"accuracy": found, "test_images": len(test.paths)}
