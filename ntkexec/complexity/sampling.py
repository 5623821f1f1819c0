"""Exactness of the first N members, for growing N, of freshly drawn ensembles."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int

from ntkexec.complexity.margins import ComponentMargins, Margins
from ntkexec.engines.trained import WideStack, wide_stack
from ntkexec.ensemble import EnsembleConfig, evaluation, gaussian
from ntkexec.ensemble.training import CHUNK_BYTES, chunks, train_chunk
from ntkexec.ensemble.weights import Weights
from ntkexec.errors import EnsembleError
from ntkexec.runtime import compilation

# At infinite width every N is tried up to here, and beyond on a grid of this ratio.
EVERY_UP_TO = 64
GRID_RATIO = 1.04
# Of one matrix product: repetitions times the N that are tried.
COLUMNS = 512


@dataclasses.dataclass(frozen=True)
class Prefixes:
    """Whether ensembles of growing size are exact.

    Args:
        numbers: the N that were tried, increasing; (numbers,).
        exact: whether the first N members decide everything right; (repetitions, numbers).
    """

    numbers: Int[np.ndarray, "g"]
    exact: Bool[np.ndarray, "r g"]


def exact_prefixes(
    margins: Margins,
    config: EnsembleConfig,
    repeat: int,
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
    budget: int = CHUNK_BYTES,
) -> Prefixes:
    """Whether the mean of the first N members decides everything right, for growing N.

    Repetition r has the members r N to (r + 1) N - 1 of the config's seed, N its number of members:
    all are different networks.

    Args:
        margins: what must be decided.
        config: how members are drawn; `members` is the largest N. Of networks every N is tried. At
            infinite width so are those up to `EVERY_UP_TO`, and beyond some: the sum of the members
            between two is drawn at once.
        repeat: repetitions.
        report: called with the repetitions that are done, and all.
        budget: bytes that training may use.

    Raises:
        EnsembleError: training fails, too many distinct states for gaussian draws, or zero
            thresholds for networks that do not interpolate exactly.
    """
    if repeat < 1:
        raise EnsembleError(f"at least one repetition is needed, got {repeat}")
    if config.bias_std:
        raise EnsembleError(
            f"complexity is for networks without biases, not bias_std {config.bias_std:g}"
        )
    if config.weight_std != margins.weight_std:
        raise EnsembleError(
            f"the margins are those of networks with weight_std {margins.weight_std:g}, but "
            f"weight_std {config.weight_std:g} is to be drawn"
        )
    if "antisymmetric" in {config.draw, margins.draw} and config.draw != margins.draw:
        raise EnsembleError(
            f"the margins are those of {margins.draw} networks, but {config.draw} ones are to be drawn"
        )
    if config.draw == "gaussian":
        return _gaussian(margins, config, repeat, report)
    if margins.convention == "zero":
        raise EnsembleError(
            f"at a single match the outputs of {config.draw} networks are 0 up to the residual "
            f"{config.tolerance:g}, so zero thresholds make coin flips of them; use gaussian draws, or "
            "the thresholds 'bit' or 'shared'"
        )
    return _networks(margins, config, repeat, report, budget)


def _numbers(largest: int) -> Int[np.ndarray, "g"]:
    grid = [min(EVERY_UP_TO, largest)]
    while grid[-1] < largest:
        grid.append(min(largest, max(grid[-1] + 1, round(grid[-1] * GRID_RATIO))))
    return np.array([*range(1, grid[0]), *grid])


def _gaussian(
    margins: Margins, config: EnsembleConfig, repeat: int, report: Callable[[int, int], None]
) -> Prefixes:
    numbers = _numbers(config.members)
    exact = np.ones((repeat, len(numbers)), bool)
    work = [(i, part, noise_root(part)) for i, part in enumerate(margins.components)]
    for done, (index, part, root) in enumerate(work):
        # States without spread are right or wrong whatever is drawn.
        right = (part.margins > 0) | ((part.margins == 0) & (part.signs < 0))
        exact &= bool(right[~part.random].all())
        for bit, z in enumerate(standardised(part).T):
            # Bits are independent: one after another, so that memory does not grow with them.
            # Repetitions share products, of which a root is read once for many columns.
            for some in np.array_split(
                np.arange(repeat), math.ceil(repeat * len(numbers) / COLUMNS)
            ):
                keys = [[config.seed, r, index, bit] for r in some]
                exact[some] &= _gaussian_bit(root, z, keys, numbers)
            report(bit + 1 + done * part.signs.shape[1], len(work) * part.signs.shape[1])
    return Prefixes(numbers, exact)


def _gaussian_bit(
    root: Float32[np.ndarray, "u r"],
    z: Float32[np.ndarray, "u"],
    keys: Sequence[Sequence[int]],
    numbers: Int[np.ndarray, "g"],
) -> Bool[np.ndarray, "k g"]:
    """For each key and N whether a bit is right at all states."""
    shape = (root.shape[1], len(numbers))
    steps = np.sqrt(np.diff(numbers, prepend=0)).astype(np.float32)
    normals = [np.random.default_rng(key).standard_normal(shape, np.float32) for key in keys]
    # The sum of the first N members' distances to the threshold, in standard deviations of one.
    noise = root @ np.concatenate([normal * steps for normal in normals], axis=1)
    total = np.cumsum(noise.reshape(len(root), len(keys), len(numbers)), axis=2)
    total += z[:, None, None] * numbers
    return (np.sign(total) == np.sign(z)[:, None, None]).all(axis=0)


def standardised(part: ComponentMargins) -> Float32[np.ndarray, "u o"]:
    """Distance of each mean to its threshold in standard deviations, negative at 0-bits.

    Of the states at which networks differ; a mean on the wrong side is nan, and never right.
    """
    margins, signs = part.margins[part.random], part.signs[part.random]
    z = signs * margins / np.sqrt(part.variances[part.random])[:, None]
    return np.where(margins > 0, z, np.nan).astype(np.float32)


def noise_root(part: ComponentMargins) -> Float32[np.ndarray, "u r"]:
    """A root of the correlation of one output between the states at which networks differ.

    In float32: the noise is then off by a millionth of its own size, which no decision notices.

    Raises:
        EnsembleError: too many such states.
    """
    matched = part.cases.matched[part.random]
    if len(matched) > gaussian.MAX_STATES:
        raise EnsembleError(
            f"{len(matched)} distinct match sets of one component are too many for gaussian draws "
            f"(at most {gaussian.MAX_STATES}); use fewer graphs, a factored ensemble or another draw"
        )
    covariance = gaussian.state_covariance(matched, matched, part.cases.num_inputs)
    scale = np.sqrt(covariance.diagonal())
    return (gaussian.root(covariance) / scale[:, None]).astype(np.float32)


def _networks(
    margins: Margins,
    config: EnsembleConfig,
    repeat: int,
    report: Callable[[int, int], None],
    budget: int,
) -> Prefixes:
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
            encoded = evaluation.encoded(part.cases.matched)
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
    return Prefixes(np.arange(1, config.members + 1), exact)


def _outputs(stack: WideStack, states: Float[Array, "c u i"]) -> Float[Array, "c u o"]:
    return jax.lax.map(lambda pair: pair[0].outputs(pair[1]), (stack, states))


def _is_exact(part: ComponentMargins, means: Float[np.ndarray, "u o"]) -> bool:
    states, outputs = part.signs.shape
    above = means[:states, :outputs] > part.thresholds
    return bool((above == (part.signs > 0)).all())
