"""What is exact: variants within each other, counted numbers, and planted factors that are found again."""

import functools
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from experiments.harness.study import Trial
from experiments.kits.costs import num_parameters
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.encoder import initial_encoder
from experiments.language.scalearn.backbones import AdaptedEncoder
from experiments.language.scalearn.bank import SourceBank
from experiments.language.scalearn.scaling import VARIANTS, AdapterFusion, ScaLearn, num_learned
from experiments.language.scalearn.study_config import ScaConfig
from experiments.language.scalearn.study_strings import LETTERS, balanced, pretrained_encoder
from experiments.language.scalearn.transfer import (
    Head,
    scores_of,
    told_by_source,
)
from experiments.language.scalearn.worth import newton_start, quadratic

BLOCKS, WIDTH, SOURCES = 12, 768, 8
"""Of RoBERTa-base, and of the tasks of GLUE."""
PUBLISHED = {"ScaLearn": 73_728, "ScaLearnUniform++": 8, "AdapterFusion": 21_252_096}


class NestingResult(TypedDict):
    """Largest relative deviations, and that of one-hot factors where softmax binds them."""

    one_hot: float
    nothing: float
    nested: float
    gradients: float
    order: float
    bound: float


def nesting(config: ScaConfig, trial: Trial) -> NestingResult:
    """An encoder of two blocks and three sources in float64, everything drawn."""
    generator = trial.generator
    shape = Shape(2, 8, 2, 2, 12, LETTERS)
    with jax.enable_x64(True):
        params, bank = _drawn(generator, shape, sources=3)
        tokens = generator.integers(0, LETTERS, (6, 5))
        head = Head(generator.normal(size=(8, 2)), generator.normal(size=2), np.ones(2, bool))
        backbone = AdaptedEncoder(shape)

        @jax.jit
        def told(arrays: Any, factors: Any, ties: Any) -> Any:
            return scores_of(backbone, params, arrays, factors, head, tokens, ties=ties)

        free = generator.normal(size=(2, 3, 8))
        untied = ScaLearn().ties
        one_hot, bound = [], []
        for source in range(3):
            own = (np.arange(3) == source)[None, :, None]
            only = {
                part: one * np.expand_dims(own, 3) if one.ndim == 4 else one * own
                for part, one in bank.arrays.items()
            }
            alone = told(only, np.ones((2, 3, 8)), untied)
            chosen = np.broadcast_to(np.eye(3)[source][None, :, None], (2, 3, 8))
            one_hot.append(_off(told(bank.arrays, chosen, untied), alone))
            soft = ScaLearn(constraint="softmax").ties
            bound.append(_off(told(bank.arrays, chosen, soft), alone))
        frozen = jax.jit(
            lambda: head.scores(backbone(params, tokens, lambda hidden, own: hidden, None))
        )()
        slopes = jax.jit(jax.grad(lambda f, ties: (told(bank.arrays, f, ties) ** 2).sum()))
        nested, gradients = [], []
        for shared, uniform in VARIANTS.values():
            name = next(n for n, ties in VARIANTS.items() if ties == (shared, uniform))
            learned = free[: 1 if shared else 2, :, : 1 if uniform else 8]
            whole = np.broadcast_to(learned, (2, 3, 8))
            ties = ScaLearn(name).ties
            nested.append(_off(told(bank.arrays, free, ties), told(bank.arrays, whole, untied)))
            apart = np.asarray(slopes(whole, untied))
            wanted = apart.sum(0, keepdims=True) if shared else apart
            wanted = wanted.sum(2, keepdims=True) if uniform else wanted
            found = np.asarray(slopes(free, ties))
            filled = np.zeros_like(found)  # of what is not used the gradient is 0
            filled[: wanted.shape[0], :, : wanted.shape[2]] = wanted
            gradients.append(_off(found, filled))
        order = generator.permutation(3)
        turned = {part: one[:, order] for part, one in bank.arrays.items()}
        return {
            "one_hot": max(one_hot),
            "nothing": _off(told(bank.arrays, np.zeros((2, 3, 8)), untied), frozen),
            "nested": max(nested), "gradients": max(gradients),
            "order": _off(told(turned, free[:, order], untied), told(bank.arrays, free, untied)),
            "bound": min(bound),
        }  # fmt: skip


def counts(config: ScaConfig, trial: Trial) -> dict[str, float]:
    """Numbers that a target task learns, counted in what is initialised, and by the closed forms."""
    generator = trial.generator
    found: dict[str, float] = {}
    for name in VARIANTS:
        found[name] = num_parameters(ScaLearn(name).initial(generator, BLOCKS, SOURCES, WIDTH))
    block = AdapterFusion().initial(generator, 1, WIDTH)
    found["AdapterFusion"] = BLOCKS * num_parameters(block)
    sizes = {"blocks": BLOCKS, "sources": SOURCES, "width": WIDTH}
    off = [abs(found[name] / number - 1) for name, number in PUBLISHED.items()]
    off += [abs(num_learned(name, **sizes) / number - 1) for name, number in found.items()]
    head = WIDTH * 2 + 2
    with_head = [abs((found[name] + head) / number - 1) for name, number in PUBLISHED.items()]
    percent = 100 * found["ScaLearn"] / found["AdapterFusion"]
    return {
        **found, "percent": percent, "head": head, "deviation": max(*off, abs(round(percent, 4) - 0.3469)),
        "with_head": max(with_head),
    }  # fmt: skip


def planted(config: ScaConfig, trial: Trial) -> dict[str, float]:
    """Errors of one factor a source, found again from a teacher's scores: by Gauss-Newton, by training.

    The encoder is the pre-trained one, adapters are drawn, the head is fixed. Both face the adapters after
    the last block; through all blocks the problem is not convex, and Gauss-Newton's error is told beside.
    """
    generator, sources = trial.generator, 8
    params, _ = pretrained_encoder(
        config.shape, length=config.length, strings=4096, steps=config.pretraining
    )
    names = [str(number) for number in range(sources)]
    bank = SourceBank.initial(
        names, generator, blocks=config.blocks, width=config.width, rank=config.rank, deviation=0.1
    )
    last = np.arange(config.blocks) == config.blocks - 1
    only = {
        part: one * last.reshape(-1, *[1] * (one.ndim - 1)) for part, one in bank.arrays.items()
    }
    head = Head.initial(generator, config.width, 2, room=2)
    head = head._replace(weights=50 * np.asarray(head.weights))  # scores of about 1
    strings, _ = balanced(generator, "ab", config.planted, config.length)
    teacher, start = generator.normal(1, 0.5, sources), np.full(sources, 2 / sources)
    given = (AdaptedEncoder(config.shape), params)
    told, told_last = (
        functools.partial(told_by_source, *given, arrays, head, strings)
        for arrays in (bank.arrays, {part: one.astype(np.float32) for part, one in only.items()})
    )
    wanted, wanted_last = (
        np.asarray(one(jnp.asarray(teacher, jnp.float32))[0]) for one in (told, told_last)
    )
    chances = np.asarray(jax.nn.softmax(wanted_last))
    options: dict[str, Any] = {"loss": "squared", "ridge": 1e-7, "steps": 8, "largest": 2.0}
    newton = newton_start(told_last, start, wanted_last, **options)
    through = newton_start(told, start, wanted, **options)

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        found = quadratic(told_last, factors, chances, loss="cross-entropy")
        return found.value, found.slope

    trained = minimize(loss, start, jac=True, method="BFGS", options={"maxiter": 100, "gtol": 1e-7})
    condition = quadratic(told_last, teacher, chances, loss="cross-entropy").curvature
    return {
        "newton": float(np.abs(newton - teacher).max()),
        "newton_through_all": float(np.abs(through - teacher).max()),
        "trained": float(np.abs(trained.x - teacher).max()),
        "start": float(np.abs(start - teacher).max()), "condition": float(np.linalg.cond(condition)),
    }  # fmt: skip


def _drawn(generator: np.random.Generator, shape: Shape, *, sources: int) -> tuple[Any, SourceBank]:
    params = initial_encoder(shape, generator, deviation=0.5)
    names = [str(number) for number in range(sources)]
    sizes = {"blocks": shape.blocks, "width": shape.width, "rank": 3}
    bank = SourceBank.initial(names, generator, **sizes, deviation=0.5)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), params), SourceBank(
        bank.names, {part: np.asarray(one, np.float64) for part, one in bank.arrays.items()}
    )


def _off(found: Any, wanted: Any) -> float:
    """Largest deviation, relative to the largest of what is wanted."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
