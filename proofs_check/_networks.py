"""Trained networks of one small learning problem, for all statements about finite ensembles."""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from ntkexec import ensemble, kernel, predictor
from ntkexec.check import Scale
from ntkexec.complete import evaluation
from ntkexec.ensemble import EnsembleConfig
from ntkexec.layout import Layout, Word
from ntkexec.problem import LearningProblem
from ntkexec.template import Program, template

NUM_TEMPLATES = 6
MEMBERS: dict[Scale, int] = {"quick": 200, "standard": 1000, "full": 4000}
# So wide that the bias of finite width is small beside the sampling error: with
# 400 networks of width 2,048 it shows (root mean square z of 1.2 to 1.5 over four seeds).
WIDTH: dict[Scale, int] = {"quick": 4096, "standard": 8192, "full": 16384}


class Trained(NamedTuple):
    """Outputs of independently trained networks, and what the limit of infinite width says.

    matched: which templates match, for all sets of at least two; (sets, templates).
    outputs: (members, sets, bits).
    mean: (sets, bits).
    covariance: between sets, the same for every bit; (sets, sets).
    """

    matched: np.ndarray
    outputs: Float64[np.ndarray, "e s k"]
    mean: Float64[np.ndarray, "s k"]
    covariance: Float64[np.ndarray, "s s"]


def problem() -> LearningProblem:
    """Six templates, one for each bit, that write 1 to 4 of the six bits."""
    layout = Layout((Word("state", NUM_TEMPLATES),))
    writers = [[0], [1, 2], [0, 1, 3], [0, 2, 4, 5], [3, 4, 5], [5]]
    entries = [
        template({bit: 1}, [k for k, own in enumerate(writers) if bit in own])
        for bit in range(NUM_TEMPLATES)
    ]
    return LearningProblem(Program("six", layout, tuple(entries)), "joint")


def match_sets() -> np.ndarray:
    """All sets of at least two of the six templates, one a row of zeros and ones."""
    every = (np.arange(1 << NUM_TEMPLATES)[:, None] >> np.arange(NUM_TEMPLATES)) & 1
    return every[every.sum(axis=1) >= 2]


@functools.cache
def trained(
    scale: Scale, *, width: int | None = None, members: int | None = None, seed: int = 11
) -> Trained:
    """Trains the networks, once for each scale."""
    learning = problem()
    config = EnsembleConfig(
        members=members or MEMBERS[scale], width=width or WIDTH[scale], seed=seed
    )
    (weights,) = ensemble.train(learning, config).weights
    matched = match_sets()
    outputs = [
        evaluation.evaluate(evaluation.Networks(h[None], o[None], 1.0), matched).mean
        for h, o in zip(weights.hidden[:, 0], weights.output[:, 0], strict=True)
    ]
    return Trained(matched, np.stack(outputs), mean(matched), covariance(matched))


def mean(matched: np.ndarray) -> Float64[np.ndarray, "s k"]:
    """Mean output for match sets in the limit, in closed form."""
    _, targets = problem().program.training_set()
    m, n0 = matched.sum(axis=1, keepdims=True), matched.shape[1]
    return predictor.mean(m, n0, targets.sum(axis=0)[None], matched @ targets)


def covariance(matched: np.ndarray) -> Float64[np.ndarray, "s s"]:
    """Covariance between match sets in the limit: Lee et al., equation 16, by solving."""
    n0 = matched.shape[1]
    x = matched / np.sqrt(matched.sum(axis=1))[:, None]
    weights = np.linalg.solve(kernel.ntk(np.eye(n0)), kernel.ntk(x).T).T
    prior = kernel.nngp(np.clip(x @ x.T, -1, 1))
    cross = weights @ kernel.nngp(x).T
    return (prior + weights @ kernel.nngp(np.eye(n0)) @ weights.T - cross - cross.T) / n0
