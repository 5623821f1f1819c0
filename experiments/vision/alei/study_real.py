"""The same views through a network that was really pre-trained: EfficientNet-Lite0, frozen."""

import functools
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.convnets.efficientnet import EPSILON, EfficientNetLite0, variables_from
from experiments.kits.convnets.folding import fold_tree
from experiments.kits.convnets.products import ByProducts
from experiments.vision.alei.forgeries import FORGERIES
from experiments.vision.alei.study_config import AleiConfig
from experiments.vision.alei.study_pictures import accuracies, cross_picked, fakes, unseen_mean
from experiments.vision.alei.views import VIEWS, views_of
from ntkexec.errors import MissingExtraError

READ = ("stem", "block1", "block4", "block10", "block15")
"""Layers whose outputs are averaged over the picture: strides 2, 4, 8, 16 and 32."""
GROUP = 200
"""Pictures at a time."""


class Pretrained(TypedDict):
    """Accuracies of linear read-outs of frozen features.

    Args:
        accuracy: by arm and forgery: each view; "late", the mean of their probabilities; "joined", one
            read-out of all views' features.
        unseen: their mean over the forgeries that were not trained on, by arm.
        picked, fixed: as for the small detectors.
    """

    accuracy: dict[str, dict[str, float]]
    unseen: dict[str, float]
    picked: float
    fixed: float


def pretrained(config: AleiConfig, trial: Trial) -> Pretrained:
    """Read-outs trained on one forgery and tested on nine, a view each and several together."""
    if not config.real_pairs:
        raise NotMeasured("what EfficientNet-Lite0 sees is measured with --scale standard")
    try:
        variables = _variables(trial)
    except DataMissingError as missing:
        raise NotMeasured(str(missing)) from None
    number = config.real_pairs
    train, test = fakes(trial.load("cifar-10-sample"), trial, train=number, test=number)
    labels = np.repeat([0, 1], number)
    shown, tested = (np.concatenate(list(part.values())) for part in (train, test))
    said, features = {}, []
    for place, name in enumerate(VIEWS):
        trial.report("views", place, len(VIEWS))
        seen = views_of(np.concatenate([shown, tested]), [name])[:, 0]
        first = seen[: len(shown)]
        scaled = (seen - first.mean((0, 1, 2))[None, None, None]) / first.std()
        found = _features(variables, scaled.astype(np.float32))
        features.append(found)
        said[name] = _read_out(found, labels)
    views = {name: said[name] for name in VIEWS}
    said["late"] = np.mean(list(views.values()), 0)
    said["joined"] = _read_out(np.concatenate(features, 1), labels)
    by_arm = {name: x.reshape(len(FORGERIES) + 1, -1) for name, x in said.items()}
    accuracy = {name: accuracies(x) for name, x in by_arm.items()}
    picked, fixed = cross_picked({name: by_arm[name] for name in VIEWS})
    return {
        "accuracy": accuracy,
        "unseen": {name: unseen_mean(found) for name, found in accuracy.items()},
        "picked": picked,
        "fixed": fixed,
    }


def _variables(trial: Trial) -> Any:
    return fold_tree(
        variables_from(load_carried("efficientnet-lite0", trial.data)), epsilon=EPSILON
    )


def _features(variables: Any, pictures: np.ndarray) -> Float[np.ndarray, "n d"]:
    size = min(GROUP, len(pictures))
    rows = np.arange(-(-len(pictures) // size) * size) % len(pictures)
    found = [np.asarray(_averages(variables, pictures[part])) for part in rows.reshape(-1, size)]
    return np.concatenate(found)[: len(pictures)]


@functools.cache
def _network() -> ByProducts:
    return ByProducts(EfficientNetLite0())


@jax.jit
def _averages(variables: Any, pictures: Array) -> Array:
    _, state = _network().apply(
        variables,
        pictures,
        capture_intermediates=lambda module, method: module.name in READ and method == "__call__",
    )
    read = state["intermediates"]
    return jnp.concatenate([read[name]["__call__"][0].mean((1, 2)) for name in READ], -1)


def _read_out(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What a logistic regression of the first rows, which have labels, says of the others."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError(
            "read-outs need scikit-learn: install ntkexec[experiments]"
        ) from error
    known = features[: len(labels)]
    scaled = (features - known.mean(0)[None]) / (known.std(0) + 1e-6)[None]
    found = LogisticRegression(C=0.1, max_iter=2000).fit(scaled[: len(labels)], labels)
    said: np.ndarray = found.predict_proba(scaled[len(labels) :])[:, 1]
    return said
