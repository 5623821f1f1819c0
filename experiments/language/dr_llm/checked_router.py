"""Routers taught by whatever somebody has at hand: as in `router`, with all that is given looked at first.

The package's names are these; a study that makes its labels itself calls what lies behind.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.kits.transformer.decoder import Shape
from experiments.language.dr_llm import router
from experiments.language.dr_llm.misfits import refuse_other_numbers, refuse_other_routers
from experiments.language.dr_llm.router import HIDDEN, Routers
from ntkexec.errors import ExperimentError


def initial_routers(
    shape: Shape, generator: np.random.Generator | None, *, hidden: int = HIDDEN
) -> Routers:
    """Routers of all blocks, stacked; see `router.initial_routers`.

    Raises:
        ExperimentError: a hidden layer of no width.
    """
    refuse_other_numbers(whole=True, hidden=(hidden, 1, np.inf))
    return router.initial_routers(shape, generator, hidden=hidden)


def class_weights(counts: Float[ArrayLike, "3"], beta: float = 0.999) -> Float[np.ndarray, "3"]:
    """Weights of classes by the effective number of their examples, of mean 1.

    Args:
        counts: examples of skip, execute and repeat, at least one of each: none has no effective number.
        beta: from 0, equal weights, to below 1, weights by 1 / count.

    Raises:
        ExperimentError: names a count or beta beyond these.

    Source: Cui et al., Class-balanced loss, arXiv:1901.05555, equation 2.
    """
    given = np.asarray(counts)
    if given.shape != (3,):
        raise ExperimentError(f"three counts are needed, not shape {given.shape}")
    wrong = given[~(np.isfinite(given) & (given >= 1))]
    if wrong.size:
        raise ExperimentError(
            f"a class of {wrong[0]} examples has no weight: each needs at least 1, and there are {counts}"
        )
    refuse_other_numbers(beta=(beta, 0, 1))
    return router.class_weights(given, beta)


def focal_loss(
    scores: Float[ArrayLike, "... 3"],
    labels: Int[ArrayLike, "..."],
    weights: Float[ArrayLike, "3"],
    gamma: float | Array = 2.0,
) -> Float[Array, ""]:
    """Mean of -a_y (1 - p_y)^gamma log p_y; see `router.focal_loss`.

    Args:
        scores: of a router.
        labels: 0, 1 or 2.
        weights: a of the three.
        gamma: at least 0.

    Raises:
        ExperimentError: something has another shape; and names a label, weight or gamma beyond these,
            as far as they are known.
    """
    shape = np.shape(scores)
    if shape[-1:] != (3,) or np.shape(labels) != shape[:-1] or np.shape(weights) != (3,):
        raise ExperimentError(
            f"scores (..., 3), labels (...) and three weights are needed, not shapes {shape}, "
            f"{np.shape(labels)} and {np.shape(weights)}"
        )
    if not isinstance(labels, jax.core.Tracer):
        _refuse_other_labels(np.asarray(labels))
    for name, one in (("weight", weights), ("gamma", gamma)):
        if not isinstance(one, jax.core.Tracer):
            wrong = np.ravel(one)[~(np.isfinite(np.ravel(one)) & (np.ravel(one) >= 0))]
            if wrong.size:
                raise ExperimentError(f"a {name} is a number from 0, and {wrong[0]} is not")
    return router.focal_loss(scores, labels, weights, gamma)


def fit_routers(
    routers: Routers,
    windows: Float[np.ndarray, "N L W D"],
    lengths: Int[np.ndarray, "N"],
    labels: Int[np.ndarray, "N L"],
    *,
    seed: int,
    steps: int,
    batch: int = 16,
    rate: float = 1e-3,
    gamma: float = 2.0,
    beta: float | None = 0.999,
) -> Routers:
    """Routers taught by labels, all blocks beside each other: the decoder is not run.

    AdamW (decay 0.01), warm-up over a tenth of the steps, a cosine after.

    Args:
        routers: to begin with.
        windows: what each router read where labels drove the path; `route(..., given=labels).windows`.
        lengths: tokens of the prompts.
        labels: how often each block is to run, at most twice.
        seed: of the batches.
        steps: of the training, at least two: one to warm up.
        batch, rate: examples a step, and the highest rate.
        gamma: of the focal loss; 0 makes it cross-entropy.
        beta: of the class weights, whose counts are those of these labels, 1 for a class without any;
            None gives equal weights.

    Raises:
        ExperimentError: labels or lengths are of other examples, a router cannot say a label, routers are
            of other blocks or another width, or a number has no meaning.
    """
    shape = np.shape(windows)
    if len(shape) != 4 or not all(shape):
        raise ExperimentError(f"windows have the axes (N, L, W, D), none empty, not shape {shape}")
    refuse_other_routers(routers, shape[1], shape[3])
    if not np.isfinite(np.asarray(windows)).all():
        raise ExperimentError("windows hold what is no number")
    if np.shape(labels) != shape[:2]:
        raise ExperimentError(
            f"labels of shape {np.shape(labels)} are given, {shape[:2]} are needed"
        )
    _refuse_other_labels(np.asarray(labels))
    if np.shape(lengths) != shape[:1]:
        raise ExperimentError(
            f"lengths of shape {np.shape(lengths)} are given, those of {shape[0]} prompts are needed"
        )
    tokens = np.asarray(lengths)
    wrong = tokens[~((tokens >= 1) & (tokens == np.floor(tokens)))]
    if wrong.size:
        raise ExperimentError(f"a prompt has 1 token or more, not {wrong[0]}")
    refuse_other_numbers(whole=True, steps=(steps, 2, np.inf), batch=(batch, 1, np.inf))
    refuse_other_numbers(rate=(rate, 0, np.inf), gamma=(gamma, 0, np.inf))
    if beta is not None:
        refuse_other_numbers(beta=(beta, 0, 1))
    options: dict[str, Any] = {"rate": rate, "gamma": gamma, "beta": beta}
    return router.fit_routers(
        routers, windows, lengths, labels, seed=seed, steps=steps, batch=batch, **options
    )


def _refuse_other_labels(labels: np.ndarray) -> None:
    wrong = labels[~np.isin(labels, (0, 1, 2))]
    if wrong.size:
        raise ExperimentError(f"a router says 0, 1 or 2, and no label {wrong[0]}")
