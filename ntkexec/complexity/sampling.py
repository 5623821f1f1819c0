"""Exactness of the first N members, for every N, of freshly drawn ensembles."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from ntkexec import compilation
from ntkexec.complexity.margins import ComponentMargins, Margins
from ntkexec.ensemble import EnsembleConfig, gaussian
from ntkexec.ensemble.engine import WideStack, wide_stack
from ntkexec.ensemble.training import CHUNK_BYTES, Weights, chunks, train_chunk
from ntkexec.errors import EnsembleError

# Numbers that one block of gaussian draws may hold.
BLOCK = 1 << 24


def exact_prefixes(
    margins: Margins,
    config: EnsembleConfig,
    repeat: int,
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
    budget: int = CHUNK_BYTES,
) -> Bool[np.ndarray, "r e"]:
    """Whether the mean of the first N members decides everything right, for N = 1, 2, ...

    Repetition r has the members r N to (r + 1) N - 1 of the config's seed, N its number of members:
    all are different networks.

    Args:
        margins: what must be decided.
        config: how members are drawn; `members` is the largest N.
        repeat: repetitions.
        report: called with the repetitions that are done, and all.
        budget: bytes that training may use.

    Raises:
        EnsembleError: training fails, too many distinct states for gaussian draws, or zero
            thresholds for networks that do not interpolate exactly.
    """
    if repeat < 1:
        raise EnsembleError(f"at least one repetition is needed, got {repeat}")
    if config.weight_std != 1 or config.bias_std:
        raise EnsembleError(
            f"complexity is for unit weights without biases, not weight_std {config.weight_std} and "
            f"bias_std {config.bias_std}"
        )
    if config.draw == "gaussian":
        return _gaussian(margins, config, repeat, report)
    if margins.rule == "zero":
        raise EnsembleError(
            f"at a single match the outputs of {config.draw} networks are 0 up to the residual "
            f"{config.tolerance:g}, so zero thresholds make coin flips of them; use gaussian draws, or "
            "the certificate's thresholds"
        )
    return _networks(margins, config, repeat, report, budget)


def _gaussian(
    margins: Margins, config: EnsembleConfig, repeat: int, report: Callable[[int, int], None]
) -> Bool[np.ndarray, "r e"]:
    roots = [noise_root(part) for part in margins.components]
    exact = np.ones((repeat, config.members), bool)
    # States without spread are right or wrong whatever is drawn.
    for part in margins.components:
        right = (part.margins > 0) | ((part.margins == 0) & (part.signs < 0))
        exact &= bool(right[~part.random].all())
    for r in range(repeat):
        for index, (part, root) in enumerate(zip(margins.components, roots, strict=True)):
            exact[r] &= _gaussian_component(part, root, [config.seed, r, index], config.members)
        report(r + 1, repeat)
    return exact


def noise_root(part: ComponentMargins) -> Float[np.ndarray, "u r"]:
    """A root of the covariance of one output between the states where it differs between networks.

    Raises:
        EnsembleError: too many such states.
    """
    matched = part.cases.matched[part.random]
    if len(matched) > gaussian.MAX_STATES:
        raise EnsembleError(
            f"{len(matched)} distinct encoded states of one component are too many for gaussian draws "
            f"(at most {gaussian.MAX_STATES}); use fewer graphs, a factored ensemble or another draw"
        )
    return gaussian.root(gaussian.state_covariance(matched, matched, part.cases.num_inputs))


def _gaussian_component(
    part: ComponentMargins, root: Float[np.ndarray, "u r"], seed: list[int], members: int
) -> Bool[np.ndarray, "e"]:
    exact = np.ones(members, bool)
    states, rank = root.shape
    if not rank:
        return exact
    rng = np.random.default_rng(seed)
    margins, signs = part.margins[part.random], part.signs[part.random]
    number = np.arange(1, members + 1)[None, :]
    # Bits are independent: one after another, so that memory does not grow with them.
    for bit in range(margins.shape[1]):
        done = np.zeros((states, 1))
        for first in range(0, members, max(1, BLOCK // states)):
            last = min(members, first + max(1, BLOCK // states))
            noise = root @ rng.standard_normal((rank, last - first))
            total = done + np.cumsum(noise, axis=1)
            done = total[:, -1:]
            distance = margins[:, bit, None] * number[:, first:last] + signs[:, bit, None] * total
            exact[first:last] &= (distance > 0).all(axis=0)
    return exact


def _networks(
    margins: Margins,
    config: EnsembleConfig,
    repeat: int,
    report: Callable[[int, int], None],
    budget: int,
) -> Bool[np.ndarray, "r e"]:
    problem = margins.cases.problem
    work = dataclasses.replace(config, members=repeat * config.members)
    exact = np.ones((repeat, config.members), bool)
    pieces = chunks(problem, work, budget)
    totals: dict[int, np.ndarray] = {}
    for done, chunk in enumerate(pieces):
        stack = problem.stacks[chunk.stack]
        parts = [margins.components[c] for c in stack.components]
        states = np.zeros((len(parts), max(len(p.thresholds) for p in parts), stack.num_templates))
        for row, part in zip(states, parts, strict=True):
            encoded = part.cases.encoded()
            row[: len(encoded), : encoded.shape[1]] = encoded
        weights = train_chunk(problem, work, chunk)
        for position, member in enumerate(range(chunk.first_member, chunk.last_member)):
            r, n = divmod(member, config.members)
            one = Weights._make(None if a is None else a[position : position + 1] for a in weights)
            outputs, _, _ = compilation.call(
                _outputs,
                wide_stack(dataclasses.replace(work, members=1), one, problem, stack),
                states.astype(config.precision),
            )
            total = np.asarray(outputs, np.float64)
            if n:
                total += totals[chunk.stack]
            totals[chunk.stack] = total
            exact[r, n] &= all(_is_exact(part, total[i] / (n + 1)) for i, part in enumerate(parts))
        report(done + 1, len(pieces))
    return exact


def _outputs(stack: WideStack, states: Float[Array, "c u i"]) -> Float[Array, "c u o"]:
    return jax.lax.map(lambda pair: pair[0].outputs(pair[1]), (stack, states))


def _is_exact(part: ComponentMargins, means: Float[np.ndarray, "u o"]) -> bool:
    states, outputs = part.signs.shape
    above = means[:states, :outputs] > part.thresholds[:, None]
    return bool((above == (part.signs > 0)).all())
