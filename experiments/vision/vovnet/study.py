"""What is measured: exact statements elsewhere; here networks on pictures, and the time of layers."""

import dataclasses
import functools
from typing import TypedDict

import flax.linen as nn
import jax
import numpy as np
from scipy import stats

from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.fitting import fit
from experiments.kits.convnets.pictures import cifar_sample, mnist
from experiments.kits.convnets.products import ByProducts
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import MULTIPLYING
from experiments.kits.images import Images
from experiments.vision.vovnet.access import memory_access
from experiments.vision.vovnet.network import OneShotAggregation, VoVNet
from experiments.vision.vovnet.rivals import DenseBlock, matched_width
from experiments.vision.vovnet.study_config import QUICK, STANDARD, TINY, VovnetConfig
from experiments.vision.vovnet.study_exact import bounds, counts, growth, picture_of, subfamily


class PicturesResult(TypedDict):
    """By block: test and training accuracies, parameters, memory access; shares of the last
    aggregation's weights by source, and how even they are: one less Gini's coefficient."""

    accuracy: dict[str, float]
    train: dict[str, float]
    parameters: dict[str, int]
    access: dict[str, int]
    profile: dict[str, list[float]]
    evenness: dict[str, float]


def pictures(config: VovnetConfig, trial: Trial) -> PicturesResult:
    """Two networks that differ in their blocks alone, of as many parameters, on CIFAR-10's sample."""
    images = cifar_sample(trial.load("cifar-10-sample"), size=config.size)
    return _compared(config, trial, images)


def digits(config: VovnetConfig, trial: Trial) -> PicturesResult:
    """The same on MNIST's digits: as many as CIFAR's, grey as colour, so that nothing new is compiled."""
    found = trial.load("mnist-5k")
    images = mnist(found, num_train=2000, size=config.size, generator=trial.generator)
    train, test = (np.repeat(pixels, 3, -1) for pixels in (images.train, images.test[:1000]))
    images = dataclasses.replace(
        images, train=train, test=test, test_labels=images.test_labels[:1000]
    )
    return _compared(config, trial, images)


def _compared(config: VovnetConfig, trial: Trial, images: Images) -> PicturesResult:
    found: PicturesResult = {
        "accuracy": {}, "train": {}, "parameters": {}, "access": {}, "profile": {}, "evenness": {},
    }  # fmt: skip
    # Both see the same pictures in the same order.
    seed = int(trial.generator.integers(2**32))
    for done, (name, model) in enumerate(_arms(config).items()):
        fitted = fit(
            ByProducts(model),
            images,
            generator=np.random.default_rng(seed),
            steps=config.steps,
            learning_rate=5e-3,
        )
        cost = walk(model, picture_of(config.size))
        found["accuracy"][name], found["train"][name] = fitted.test, fitted.train
        found["parameters"][name] = cost.parameters
        found["access"][name] = cost.memory_access_of(*MULTIPLYING)
        last = f"stage_{len(config.widths) - 1}_0"
        kernel = fitted.variables["params"][last]["aggregate"]["conv"]["kernel"][0, 0]
        shares = profile(kernel, model.widths[-1], config.layers)
        found["profile"][name], found["evenness"][name] = shares.tolist(), evenness(shares)
        trial.report(name, done + 1, 2)
    return found


def _arms(config: VovnetConfig) -> dict[str, VoVNet]:
    one_shot = VoVNet(
        config.widths, config.features, (1,) * len(config.widths), config.layers,
        (config.stem,), (2,), 10,
    )  # fmt: skip
    channels = (config.stem, *config.features)
    stages = zip(channels, config.widths, config.features, strict=False)
    widths = tuple(_dense_width(*stage, config.layers) for stage in stages)
    return {"one_shot": one_shot, "dense": one_shot.clone(widths=widths, block=DenseBlock)}


@functools.cache
def _dense_width(channels: int, width: int, features: int, layers: int) -> int:
    """The growth with which a dense block has as many parameters as one-shot aggregation."""
    shown = jax.ShapeDtypeStruct((1, 8, 8, channels), np.float32)
    parameters = walk(OneShotAggregation(width, features, layers), shown).parameters
    return matched_width(
        lambda width: DenseBlock(width, features, layers), parameters, shown, most=2 * width
    )


def profile(kernel: np.ndarray, width: int, layers: int) -> np.ndarray:
    """Shares of the mean weight that an aggregation gives its input and each of its layers.

    Args:
        kernel: of shape (channels + layers x width, features).
        width: of the layers.
        layers: of the chain.
    """
    channels = len(kernel) - width * layers
    parts = np.split(np.abs(kernel), channels + width * np.arange(layers))
    means = np.array([part.mean() for part in parts])
    return np.asarray(means / means.sum())


def evenness(shares: np.ndarray) -> float:
    """One less Gini's coefficient: 1 where all shares are equal, 1 / n where one of n has all."""
    ordered, number = np.sort(shares), len(shares)
    ranks = np.arange(1, number + 1)
    return float(1 - (2 * ranks - number - 1) @ ordered / (number * ordered.sum()))


class TimesResult(TypedDict):
    """Rank correlations of time with memory access and with multiplications; what they rest on."""

    memory_access: float
    multiplications: float
    shapes: list[list[int]]
    microseconds: list[float]


def times(config: VovnetConfig, trial: Trial) -> TimesResult:
    """Convolutions of drawn shapes, each alone, on the device at hand; one picture at a time."""
    generator, shapes, rows = trial.generator, [], []
    for done in range(config.timed):
        size = int(generator.choice([n for n in (7, 14, 28, 56) if n <= config.most_pixels]))
        kernel = int(generator.choice([1, 3]))
        into, out = (round(2 ** generator.uniform(3, 8)) for _ in range(2))
        model = nn.Conv(out, (kernel, kernel), use_bias=False)
        shown = jax.ShapeDtypeStruct((1, size, size, into), np.float32)
        (one,) = memory_access(model, shown, repeats=config.repeats).layers
        shapes.append([size, kernel, into, out])
        rows.append((one.seconds, one.layer.memory_access, one.layer.multiplications))
        trial.report("timing", done + 1, config.timed)
    seconds, access, counted = np.array(rows).T
    return {
        "memory_access": float(stats.spearmanr(seconds, access).statistic),
        "multiplications": float(stats.spearmanr(seconds, counted).statistic),
        "shapes": shapes,
        "microseconds": (1e6 * seconds).tolist(),
    }


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "counts": counts,
        "bounds": bounds,
        "growth": growth,
        "subfamily": subfamily,
        "pictures": pictures,
        "digits": digits,
        "times": times,
    },
    num_seeds=3,
    slow=("pictures", "digits"),
)
