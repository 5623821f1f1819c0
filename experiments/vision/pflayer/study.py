"""What is measured: counts and identities, small networks that differ in one operation, and a search."""

import functools
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.pictures import cifar_sample, mnist
from experiments.kits.convnets.walker import walk
from experiments.kits.images import Images, shapes
from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.kits.search.ledger import Ledger
from experiments.kits.search.methods import random_search
from experiments.kits.search.spaces import Candidate, Choices
from experiments.vision.pflayer.resnets import PfResNet
from experiments.vision.pflayer.spatial import with_operations
from experiments.vision.pflayer.study_config import QUICK, STANDARD, TINY, PfLayerConfig
from experiments.vision.pflayer.study_exact import algebra, counts, crossing, distance, turns
from experiments.vision.pflayer.training import PART, labels_of, trained

NUM_CLASSES = 10
RATE = 0.1
"""The same for all arms."""
RULES = {**FLAX, "index": zeros}
ARMS = ("max", "depthwise", "none")
SHAPE_NOISE = 0.5
"""Of generated pictures, on which a shape is 1."""
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


def outlines(config: PfLayerConfig, trial: Trial) -> ArmsResult:
    """The same on generated shapes of any place and size under noise."""
    made = shapes(
        num_train=config.train_images,
        num_test=config.test_images,
        size=config.size,
        noise=SHAPE_NOISE,
        generator=trial.generator,
    )
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
        variables, losses = _trained(config, trial, images, start, chain, config.parts)
        found["loss"][operation] = float(losses[-PART:].mean())
        for name, by in (("accuracy", 0.0), ("noisy", NOISE)):
            seen = labels_of(_network(config), variables, images.test + by * noise)
            found[name][operation] = float((seen == images.test_labels).mean())
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
    config: PfLayerConfig, trial: Trial, images: Images, start: Any, chain: Candidate, parts: int
) -> tuple[dict[str, Any], np.ndarray]:
    return trained(
        _network(config),
        with_operations(start, chain),
        images,
        parts=parts,
        batch=config.batch,
        rate=RATE,
        # The same order of pictures for all arms.
        seed=trial.seed,
    )


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
        variables, _ = _trained(config, trial, images, start, chain, config.search_parts)
        done.append(chain)
        trial.report("chains", len(done), budget)
        seen = labels_of(_network(config), variables, images.test)
        return float((seen == images.test_labels).mean())

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
        "shapes": outlines,
        "search": search,
    },
    num_seeds=3,
    slow=("counts", "crossing", "turns", "photographs", "digits", "shapes", "search"),
)
