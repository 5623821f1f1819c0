"""Where outputs become bits: thresholds by bit and number of matches, in three conventions.

A bit with w writers, a of them matched among m matches, has the mean w beta + a gap, where the gap
alpha - beta = Delta_m / lambda is positive whatever the program (`predictor.coefficients`). So at
given m the means of a bit when it is 0 and when it is 1 never overlap, and interference is a matter
of where the threshold lies:

- `zero`: at 0 for every bit, as in the paper. Bits with many unmatched writers go wrong.
- `shared`: one threshold for all bits of a learning problem at each m, half the smallest mean that a
  1 can have there. Bits still go wrong where that mean is negative.
- `bit`: w beta + a Delta_m / (2 lambda), a the fewest matched writers that a 1 can have at m: half way
  between the two means that this bit has. No conflict-free program goes wrong in the mean. Where a
  bit cannot be 0 at m, as in a factored problem at every m > 0, the only 0 that it must be told from
  is the output without a match, which is exactly 0, so the threshold is never above that.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float64

from ntkexec.errors import CertificateError
from ntkexec.program.problem import LearningProblem, structural_counts
from ntkexec.theory import predictor
from ntkexec.theory.dot_product import TWO_LAYER_RELU, DotProductKernel
from ntkexec.theory.match_bound import NEVER, MatchBound
from ntkexec.vocabulary import CONVENTIONS, Convention

# Without a match the output is 0 whatever the weights: every positive threshold will do.
WITHOUT_MATCH = 1.0


def check_convention(convention: str) -> None:
    """Raises CertificateError unless it is one of `CONVENTIONS`."""
    if convention not in CONVENTIONS:
        raise CertificateError(
            f"the convention of thresholds is {', '.join(CONVENTIONS)}, not {convention!r}"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class BitMeans:
    """Means of every bit at infinite width, by bit and number of matches m.

    Args:
        zero: of a bit that is 0, w beta; (k, m).
        gap: what every matched writer adds, alpha - beta = Delta_m / lambda; (k, m).
        one: the smallest of a bit that is 1 within the bound; infinite where it cannot be 1.
        can_be_zero: whether it can be 0 within the bound.
    """

    zero: Float64[np.ndarray, "k m"]
    gap: Float64[np.ndarray, "k m"]
    one: Float64[np.ndarray, "k m"]
    can_be_zero: Bool[np.ndarray, "k m"]


def bit_means(
    problem: LearningProblem, bound: MatchBound, kernel: DotProductKernel = TWO_LAYER_RELU
) -> BitMeans:
    """The means of all bits under a bound on the matches, by networks of a kernel.

    A bit that nothing writes and no network learns (factored) can be neither 0 nor 1 by a network:
    it is 0 without one.
    """
    owner, writers = problem.component_of_bit, problem.program.num_writers[:, None]
    m = np.arange(problem.max_matches + 1)
    alpha, beta = predictor.coefficients(
        m[None, :], problem.num_inputs[owner][:, None], kernel=kernel
    )
    gap, zero = alpha - beta, writers * beta
    possible = bound.min_matched_writers != NEVER
    one = np.where(possible, zero + bound.min_matched_writers * gap, np.inf)
    can_be_zero = bound.can_be_zero & (owner >= 0)[:, None]
    return BitMeans(zero, gap, one, can_be_zero)


def threshold_table(
    problem: LearningProblem,
    bound: MatchBound,
    convention: Convention,
    kernel: DotProductKernel = TWO_LAYER_RELU,
) -> Float64[np.ndarray, "k m"]:
    """Thresholds by bit and number of matches, each a float32 number: those with which engines run.

    Args:
        problem: the learning problem; `zero` and `bit` depend on nothing else.
        bound: for `shared`, which ones can occur.
        convention: see above.
        kernel: of the networks.

    Raises:
        CertificateError: an unknown convention.
    """
    check_convention(convention)
    means = bit_means(problem, bound, kernel)
    if convention == "zero":
        exact = np.zeros_like(means.zero)
    elif convention == "shared":
        exact = _shared(problem, means, kernel)
    else:
        fewest, can_be_zero = structural_counts(problem)
        middle = means.zero + np.maximum(fewest, 1) * means.gap / 2
        exact = np.where(can_be_zero, middle, np.minimum(middle, 0))
    # With biases the output without a match is not 0; the threshold lies as far above its mean.
    exact[:, 0] = means.zero[:, 0] + WITHOUT_MATCH
    # A bit that no network learns has the output 0.
    exact[problem.component_of_bit < 0] = WITHOUT_MATCH
    return exact.astype(np.float32).astype(np.float64)


def _shared(
    problem: LearningProblem, means: BitMeans, kernel: DotProductKernel
) -> Float64[np.ndarray, "k m"]:
    """Half the smallest mean of a 1 of the component, never below 0; of a sole writer without one."""
    owner = problem.component_of_bit
    smallest = np.full((len(problem.components) + 1, problem.max_matches + 1), np.inf)
    np.minimum.at(smallest, owner[owner >= 0], means.one[owner >= 0])
    m = np.arange(problem.max_matches + 1)
    sole, _ = predictor.coefficients(
        m[None, :], np.append(problem.num_inputs, 1)[:, None], kernel=kernel
    )
    return np.maximum(np.where(np.isinf(smallest), sole, smallest) / 2, 0.0)[owner]
