"""What is measured: counts and identities, small networks that differ in one operation, and a search."""

import functools
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.fitting import Fit, fit, momentum
from experiments.kits.convnets.pictures import cifar_sample, mnist
from experiments.kits.convnets.products import ByProducts
from experiments.kits.convnets.scenes import context_glyphs
from experiments.kits.convnets.walker import walk
from experiments.kits.images import Images
from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.kits.search.ledger import Ledger
from experiments.kits.search.methods import random_search
from experiments.kits.search.spaces import Candidate, Choices
from experiments.vision.pflayer.resnets import PfResNet
from experiments.vision.pflayer.spatial import with_operations
from experiments.vision.pflayer.study_config import QUICK, STANDARD, TINY, PfLayerConfig
from experiments.vision.pflayer.study_exact import algebra, counts, crossing, distance, turns

NUM_CLASSES = 10
RATE = 0.1
"""The same for all arms."""
RULES = {**FLAX, "index": zeros}
ARMS = ("max", "depthwise", "none")
NOISE = 0.5
"""Standard deviation of what is added to test pictures, in that of their pixels."""


class ArmsResult(TypedDict):
    """By operation: test accuracies, the same under noise, and parameters."""

    accuracy: dict[str, float]
    noisy: dict[str, float]
    loss: dict[str, float]
    parameters: dict[str, int]


def photographs(config: PfLayerConfig, trial: Trial) -> ArmsResult:
    """Networks that differ in their blocks' operation, on a sample of CIFAR-10."""
    found = trial.load("cifar-10-sample")
    return _arms(config, trial, cifar_sample(found, size=config.size))


def handwritten(config: PfLayerConfig, trial: Trial) -> ArmsResult:
    """The same on handwritten digits."""
    return _arms(config, trial, _digits(config, trial))


def glyphs(config: PfLayerConfig, trial: Trial) -> ArmsResult:
    """The same on generated pictures whose class is decided by a glyph and a cue apart from it."""
    number = {"num_train": config.train_images, "num_test": config.test_images}
    made = context_glyphs(**number, size=config.size, generator=trial.generator)
    return _arms(config, trial, made)


def _digits(config: PfLayerConfig, trial: Trial) -> Images:
    return mnist(trial.load("mnist-5k"), size=config.size, generator=trial.generator)


def _arms(config: PfLayerConfig, trial: Trial, images: Images) -> ArmsResult:
    images = _alike(images, config)
    start = _start(config, trial)
    noise = trial.generator.normal(size=images.test.shape).astype(np.float32)
    found: ArmsResult = {"accuracy": {}, "noisy": {}, "loss": {}, "parameters": {}}
    for place, operation in enumerate(ARMS):
        chain = (operation,) * (config.depth * len(config.widths))
        fitted = _trained(config, trial, images, start, chain, config.steps)
        found["accuracy"][operation] = fitted.test
        found["loss"][operation] = float(fitted.losses[-config.steps // 5 :].mean())
        outputs = _outputs(_network(config), fitted.variables, images.test + NOISE * noise)
        right = np.asarray(outputs).argmax(1) == images.test_labels
        found["noisy"][operation] = float(right.mean())
        found["parameters"][operation] = _parameters(config, operation)
        trial.report(operation, place + 1, len(ARMS))
    return found


def _alike(images: Images, config: PfLayerConfig) -> Images:
    """As many pictures, of three channels, whatever the set, so that one program serves all."""
    train, test = slice(config.train_images), slice(config.test_images)

    def coloured(pixels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:3], 3)))

    generator = np.random.default_rng(0)
    order = generator.permutation(len(images.train))[train]
    tested = generator.permutation(len(images.test))[test]
    return Images(
        coloured(images.train[order]),
        images.train_labels[order],
        coloured(images.test[tested]),
        images.test_labels[tested],
        NUM_CLASSES,
    )


@functools.cache
def _network(config: PfLayerConfig, operations: str = "any") -> PfResNet:
    depths = (config.depth,) * len(config.widths)
    return PfResNet(operations, depths, config.widths, NUM_CLASSES, config.widths[0], 3, 2, False)


@functools.cache
def _parameters(config: PfLayerConfig, operation: str) -> int:
    """Of the network that has this operation only."""
    picture = jax.ShapeDtypeStruct((1, config.size, config.size, 3), jnp.float32)
    return walk(_network(config, operation), picture).parameters


def _start(config: PfLayerConfig, trial: Trial) -> Any:
    """Variables from which all arms of a seed begin."""
    picture = jax.ShapeDtypeStruct((1, config.size, config.size, 3), jnp.float32)
    return initial_by_numpy(_network(config), trial.generator, picture, rules=RULES, train=False)


def _trained(
    config: PfLayerConfig, trial: Trial, images: Images, start: Any, chain: Candidate, steps: int
) -> Fit:
    return fit(
        ByProducts(_network(config)),
        images,
        # The same order of pictures for all arms.
        generator=np.random.default_rng(trial.seed),
        steps=steps,
        batch=config.batch,
        optimiser=momentum,
        learning_rate=RATE,
        variables=with_operations(start, chain),
    )


@functools.partial(jax.jit, static_argnums=0)
def _outputs(network: PfResNet, variables: Any, images: jax.Array) -> jax.Array:
    return jnp.asarray(network.apply(variables, images, train=False))


POOLS, TRAINED = ("max", "average"), ("depthwise", "conv")


class SearchResult(TypedDict):
    """Shares of pools among the operations of chains: the best tenth, the worst, all that were drawn.

    `lead` is the best tenth's share beyond all chains'; `values` are accuracies, `pools` are pools of
    each chain, in the order in which they were drawn.
    """

    best: float
    worst: float
    drawn: float
    lead: float
    lead_of_any: float
    values: list[float]
    pools: list[int]
    chosen: dict[str, float]


def search(config: PfLayerConfig, trial: Trial) -> SearchResult:
    """Random chains of operations, each trained for a moment on handwritten digits."""
    images = _alike(_digits(config, trial), config)
    start, number = _start(config, trial), config.depth * len(config.widths)
    space = Choices({f"block {block}": (*POOLS, *TRAINED) for block in range(number)})
    budget = min(config.candidates, space.size)

    def evaluate(chain: Candidate) -> float:
        found = _trained(config, trial, images, start, chain, config.search_steps)
        trial.report("chains", min(len(done) + 1, budget), budget)
        done.append(chain)
        return found.test

    done: list[Candidate] = []
    trace = random_search(space, Ledger(evaluate, budget), trial.generator)
    pools = np.array([sum(one in POOLS for one in chain) for chain in trace.candidates])
    share, tenth = pools / number, max(1, len(pools) // 10)
    # Equal accuracies in a random order, not in that of drawing.
    tie = trial.generator.random(len(pools))
    order = np.lexsort((tie, -trace.values))
    best, worst = share[order[:tenth]].mean(), share[order[-tenth:]].mean()
    top = [one for place in order[:tenth] for one in trace.candidates[place]]
    return {
        "best": float(best),
        "worst": float(worst),
        "drawn": float(share.mean()),
        "lead": float(best - share.mean()),
        "lead_of_any": float(share[np.argsort(tie)[:tenth]].mean() - share.mean()),
        "values": trace.values.tolist(),
        "pools": pools.tolist(),
        "chosen": {name: top.count(name) / len(top) for name in (*POOLS, *TRAINED)},
    }


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "counts": counts,
        "crossing": crossing,
        "algebra": algebra,
        "distance": distance,
        "turns": turns,
        "photographs": photographs,
        "digits": handwritten,
        "glyphs": glyphs,
        "search": search,
    },
    num_seeds=3,
    slow=("counts", "crossing", "turns", "photographs", "digits", "glyphs", "search"),
)
