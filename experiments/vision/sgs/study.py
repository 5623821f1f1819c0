"""What is measured: identities and known answers, small classifiers on pictures, and what a step costs."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.study import Studies, Trial
from experiments.harness.timing import time_ratio
from experiments.kits.costs import cost
from experiments.kits.images import Images, digits, standardised
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.sgs.branches import ACB, convolve, merge
from experiments.vision.sgs.forecasting import forecast
from experiments.vision.sgs.layers import BLOCKS, Network
from experiments.vision.sgs.scaling import spatial_gradient_scaling
from experiments.vision.sgs.study_config import QUICK, STANDARD, TINY, SgsConfig
from experiments.vision.sgs.study_exact import answers, lemma, profiles, published
from experiments.vision.sgs.training import fit

# Classifiers.

NUM_CLASSES = 10
RATE = 0.1
"""The public code's, for CIFAR; the same for all methods, as there."""
METHODS: Mapping[str, str] = {"plain": "plain", "sgs": "plain"} | {
    block: block for block in ("acb", "repvgg", "dbb")
}
"""The block that a network is built of, by how it is trained."""
FORECAST_FROM = 256
"""Images on which forecasts rest."""
CENTRE = np.pad([[1.0]], 1)


class PicturesResult(TypedDict):
    """Test accuracies by method and last losses."""

    accuracy: dict[str, float]
    loss: dict[str, float]


class DigitsResult(PicturesResult):
    """And their mean over the published blocks; shares of error forecast to be saved, kernels' mean."""

    branched: float
    forecast: float
    forecast_for_centres: float


def _started(
    config: SgsConfig, images: Images, generator: np.random.Generator, blocks: Iterable[str]
) -> dict[str, tuple[Network, Any]]:
    """A network of every block, with the variables from which all methods of that block start."""
    models = {block: Network(config.widths, NUM_CLASSES, block) for block in blocks}
    return {
        block: (model, initial_by_numpy(model, generator, images.train[:2], train=True))
        for block, model in models.items()
    }


def _compared(
    config: SgsConfig,
    trial: Trial,
    images: Images,
    started: dict[str, tuple[Network, Any]],
    methods: tuple[str, ...],
) -> PicturesResult:
    found: PicturesResult = {"accuracy": {}, "loss": {}}
    for place, name in enumerate(methods):
        right, losses = fit(
            *started[METHODS[name]],
            images,
            config.course,
            scaled=name == "sgs",
            key=trial.key,
            rate=RATE,
        )
        found["accuracy"][name] = float(right.mean())
        found["loss"][name] = float(losses[-config.between :].mean())
        trial.report(name, place + 1, len(methods))
    return found


def handwritten(config: SgsConfig, trial: Trial) -> DigitsResult:
    """Every method on scikit-learn's digits, and the forecast for them before training."""
    generator = trial.generator
    images = digits(num_train=config.train_images, generator=generator)
    started = _started(config, images, generator, BLOCKS)
    found = _compared(config, trial, images, started, tuple(METHODS))
    first = slice(FORECAST_FROM)
    labelled = (jnp.asarray(part[first]) for part in (images.train, images.train_labels))
    kernels = forecast(*started["plain"], *labelled, train=False).values()
    return {
        **found,
        "branched": float(np.mean([found["accuracy"][name] for name in BLOCKS if name != "plain"])),
        "forecast": float(np.mean([one.gain(one.moment) for one in kernels])),
        "forecast_for_centres": float(np.mean([one.gain(CENTRE) for one in kernels])),
    }


def photographs(config: SgsConfig, trial: Trial) -> PicturesResult:
    """Plain training and SGS on a sample of CIFAR-10: 200 pictures a class, 100 to test."""
    found = trial.load("cifar-10-sample")
    train, test = (_averaged(pixels, config.cifar_size) for pixels in (found.train, found.test))
    images = standardised(train, found.train_labels, test, found.test_labels, NUM_CLASSES)
    started = _started(config, images, trial.generator, ("plain",))
    return _compared(config, trial, images, started, ("plain", "sgs"))


def _averaged(pixels: np.ndarray, size: int) -> np.ndarray:
    """Square images of fewer pixels, each the mean of a square of them."""
    number, height, _, channels = pixels.shape
    parts = pixels.reshape(number, size, height // size, size, height // size, channels)
    return parts.mean((2, 4), dtype=np.float32)


# Costs.

LAYERS, SIZE, BATCH = 3, 16, 32
OPTIMISERS = {
    "plain": optax.sgd(0.01, 0.9),
    "sgs": optax.chain(spatial_gradient_scaling(), optax.sgd(0.01, 0.9)),
    "acb": optax.sgd(0.01, 0.9),
}


class CostsResult(TypedDict):
    """Of training steps: FLOPs by XLA's account, and times over the plain step's.

    Extra FLOPs are those beyond the plain step's, over the number of scaled weights, minus 1.
    """

    extra: float
    extra_branched: float
    time: float
    time_branched: float
    flops: dict[str, float]


def _step(name: str, params: Any, state: Any, images: jax.Array, wanted: jax.Array) -> Any:
    def layer(x: jax.Array, weights: Any) -> jax.Array:
        if name != "acb":
            return convolve(x, weights)
        # Every branch convolves, as in the published block.
        parts = [convolve(x, merge([b], [u])) for b, u in zip(ACB, weights, strict=True)]
        return jnp.sum(jnp.stack(parts), 0)

    def loss(params: Any) -> jax.Array:
        x = functools.reduce(lambda x, weights: jax.nn.relu(layer(x, weights)), params, images)
        return jnp.mean((x - wanted) ** 2)

    updates, state = OPTIMISERS[name].update(jax.grad(loss)(params), state, params)
    return optax.apply_updates(params, updates), state


@functools.cache
def _compiled(name: str, width: int) -> jax.stages.Compiled:
    """A training step, compiled once for all seeds."""
    kernel = jax.ShapeDtypeStruct((3, 3, width, width), jnp.float32)
    params = [[kernel] * len(ACB) if name == "acb" else kernel] * LAYERS
    images = jax.ShapeDtypeStruct((BATCH, SIZE, SIZE, width), jnp.float32)
    state = jax.eval_shape(OPTIMISERS[name].init, params)
    return jax.jit(_step, static_argnums=0).lower(name, params, state, images, images).compile()


def costs(config: SgsConfig, trial: Trial) -> CostsResult:
    """A plain, a scaled and a branched training step of one network of convolutions."""
    width, generator = config.cost_width, trial.generator
    kernels = [
        jnp.asarray(0.05 * generator.normal(size=(3, 3, width, width)), jnp.float32)
        for _ in range(LAYERS)
    ]
    given = generator.normal(size=(2, BATCH, SIZE, SIZE, width))
    images, wanted = jnp.asarray(given, jnp.float32)
    steps, flops = {}, {}
    for name, optimiser in OPTIMISERS.items():
        params: Any = [[k] * len(ACB) for k in kernels] if name == "acb" else kernels
        step = _compiled(name, width)
        steps[name] = functools.partial(step, params, optimiser.init(params), images, wanted)
        flops[name] = cost(step).flops
    weights = sum(kernel.size for kernel in kernels)
    ratios = {}
    for place, name in enumerate(("sgs", "acb")):
        ratios[name] = time_ratio(
            steps[name], steps["plain"], repeats=config.cost_repeats, generator=generator
        ).value
        trial.report(name, place + 1, 2)
    return {
        "extra": (flops["sgs"] - flops["plain"]) / weights - 1,
        "extra_branched": (flops["acb"] - flops["plain"]) / weights - 1,
        "time": ratios["sgs"],
        "time_branched": ratios["acb"],
        "flops": flops,
    }


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "lemma": lemma,
        "published": published,
        "answers": answers,
        "profiles": profiles,
        "digits": handwritten,
        "cifar": photographs,
        "costs": costs,
    },
    num_seeds=5,
    slow=("lemma", "published", "profiles", "digits", "cifar", "costs"),
)
