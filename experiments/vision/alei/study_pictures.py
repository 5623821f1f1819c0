"""Pairs of real pictures and fakes, and how detectors are scored on them."""

import zlib
from collections.abc import Mapping

import numpy as np

from experiments.data.formats.cifar import PictureSet
from experiments.harness.study import Trial
from experiments.vision.alei.forgeries import FORGERIES, forger

SEEN, *UNSEEN = FORGERIES
"""The forgery that detectors are trained on, and the others."""


def accuracies(said: np.ndarray) -> dict[str, float]:
    """Balanced accuracy for each forgery, of probabilities of real pictures and then of every forgery's."""
    real = (said[0] < 0.5).mean()
    return {
        name: float(real + (fake >= 0.5).mean()) / 2
        for name, fake in zip(FORGERIES, said[1:], strict=True)
    }


def unseen_mean(found: Mapping[str, float]) -> float:
    """The mean over the forgeries that were not trained on."""
    return float(np.mean([found[name] for name in UNSEEN]))


def cross_picked(said: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Mean accuracy on unseen forgeries of the view picked for each, and of one picked for all.

    One half of the pictures picks and the other judges, and the other way round, so that picking the
    best of several gains nothing by chance.
    """
    each, one = [], []
    halves = [{v: accuracies(x[:, half::2]) for v, x in said.items()} for half in (0, 1)]
    for picking, judging in (halves, halves[::-1]):
        for kind in UNSEEN:
            best = max(said, key=lambda view: picking[view][kind])  # used at once
            each.append(judging[best][kind])
        best = max(said, key=lambda view: unseen_mean(picking[view]))
        one.append(unseen_mean(judging[best]))
    return float(np.mean(each)), float(np.mean(one))


def middle(pictures: np.ndarray, size: int) -> np.ndarray:
    """The middle of pictures, on the grids of cells and blocks; nothing is scaled."""
    low = (pictures.shape[1] - size) // 2 // 8 * 8
    return pictures[:, low : low + size, low : low + size]


def fakes(
    given: PictureSet, trial: Trial, *, train: int, test: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Pictures of 32 x 32 between 0 and 1, to train on and to test with: `real` ones and forgeries by name.

    To train on there is the first forgery alone. A forgery's weights are one draw for a seed, the
    same for pictures to train on and to test with.
    """
    generator = trial.generator
    real = given.train[generator.permutation(len(given.train))[:train]] / 255
    held = given.test[generator.permutation(len(given.test))[:test]] / 255
    shown, tested = {"real": real}, {"real": held}
    for name in FORGERIES:
        drawn = np.random.default_rng([trial.seed, zlib.crc32(name.encode())])
        forge = forger(name, drawn, real)
        if name == SEEN:
            shown[name] = forge(real)
        tested[name] = forge(held)
    return shown, tested
