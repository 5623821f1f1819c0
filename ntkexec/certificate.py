"""Certificates: when every bit of every step comes out right, with which thresholds, and how many
networks that takes.

A bit with w writers, a of them matched, has the mean a alpha + (w - a) beta (`predictor.mean`). A
bit that must be 0 has a = 0 and so a mean of at most 0; a program is certified if every bit that
must be 1 has a positive mean in all states that the bound on the matches admits.
"""

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from jaxtyping import Float64

from ntkexec import predictor
from ntkexec.errors import CertificateError
from ntkexec.match_bound import NEVER, MatchBound
from ntkexec.problem import LearningProblem

MAX_PADDING = 1 << 20


@dataclasses.dataclass(frozen=True)
class Weakest:
    """The decision with the smallest mean of a 1: where the certificate is tight, or fails."""

    component: int
    bit: int
    bit_name: str
    num_matches: int
    num_writers: int
    num_active: int
    mean: float


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Exactness of a learning problem in the infinite-width limit, under a bound on the matches.

    Args:
        problem: the program, divided among networks.
        bound: which numbers of matches can occur.
        weight_std: standard deviation of the networks' weights at initialisation.
    """

    problem: LearningProblem
    bound: MatchBound
    weight_std: float = 1.0

    @functools.cached_property
    def _one_means(self) -> Float64[np.ndarray, "k m"]:
        """Smallest mean of every bit when it is 1, by m; infinite where that cannot be."""
        owner = self.problem.component_of_bit
        m = np.arange(self.problem.max_matches + 1)
        alpha, beta = predictor.coefficients(m[None, :], self.problem.num_inputs[owner][:, None])
        active = self.bound.min_active
        writers = self.problem.program.num_writers[:, None]
        means = active * alpha + (writers - active) * beta
        return np.where(active == NEVER, np.inf, means)

    @functools.cached_property
    def smallest_one(self) -> Float64[np.ndarray, "c m"]:
        """Smallest mean of a 1 by component and m; infinite where no 1 can occur."""
        smallest = np.full((len(self.problem.components), self.problem.max_matches + 1), np.inf)
        owner = self.problem.component_of_bit
        np.minimum.at(smallest, owner[owner >= 0], self._one_means[owner >= 0])
        return smallest

    @functools.cached_property
    def thresholds(self) -> Float64[np.ndarray, "rows m"]:
        """The threshold by component and m: half the smallest mean of a 1, never below 0.

        Where no 1 can occur the mean of a 1 that has one active writer stands in. The last row is
        for bits that nothing writes.
        """
        m = np.arange(self.problem.max_matches + 1)
        alpha, _ = predictor.coefficients(m[None, :], self.problem.num_inputs[:, None])
        smallest = np.where(np.isinf(self.smallest_one), alpha, self.smallest_one)
        # Without a match every output is exactly 0, whatever the weights.
        smallest[:, 0] = 1.0
        table = np.maximum(smallest / 2, 0.0)
        return np.concatenate([table, np.full((1, len(m)), 0.5)])

    @functools.cached_property
    def weakest(self) -> Weakest:
        """The decision that decides whether the program is certified."""
        bit, m = np.unravel_index(np.argmin(self._one_means), self._one_means.shape)
        return Weakest(
            component=int(self.problem.component_of_bit[bit]),
            bit=int(bit),
            bit_name=self.problem.program.layout.bit_names[bit],
            num_matches=int(m),
            num_writers=int(self.problem.program.num_writers[bit]),
            num_active=int(self.bound.min_active[bit, m]),
            mean=float(self._one_means[bit, m]),
        )

    @property
    def certified(self) -> bool:
        """Whether every bit has the right side of its threshold in the mean."""
        return self.weakest.mean > 0

    @property
    def smallest_margin(self) -> float:
        """Smallest distance of a mean to its threshold; negative if not certified."""
        return self.weakest.mean / 2

    @property
    def max_matches(self) -> int:
        """m_max, the largest over all components."""
        return int(self.bound.max_matches.max())

    @property
    def capacity(self) -> float:
        """C(m, n0) of the component and m of the weakest decision (`predictor.capacity`)."""
        num_inputs = self.problem.num_inputs[self.weakest.component]
        return float(predictor.capacity(self.weakest.num_matches, num_inputs))

    @property
    def threshold(self) -> float:
        """The threshold of the weakest decision."""
        return float(self.thresholds[self.weakest.component, self.weakest.num_matches])

    @functools.cached_property
    def noise_to_margin(self) -> float:
        """Largest variance of one network's output over its squared margin, over all decisions."""
        m = np.arange(self.problem.max_matches + 1)
        variance = predictor.variance(
            m[None, :], self.problem.num_inputs[:, None], weight_std=self.weight_std
        )
        squared_margin = self.thresholds[:-1] ** 2
        random = (m <= self.bound.max_matches[:, None]) & (variance > 0)
        hopeless = random & (squared_margin == 0)
        ratio = np.divide(
            variance, squared_margin, where=random & ~hopeless, out=np.zeros(random.shape)
        )
        return float(np.where(hopeless, np.inf, ratio).max())

    def ensemble_size(self, *, delta: float, num_decisions: int) -> int:
        """Networks enough that all decisions are right with probability at least 1 - delta.

        Args:
            delta: probability of any error, in (0, 1).
            num_decisions: how many bits are decided: bits times nodes times steps.

        Raises:
            CertificateError: not certified, or delta or num_decisions out of range.

        Source: Gaussian tail exp(-N g^2 / (2 sigma^2)) and a union bound, infinite-width limit.
        """
        check_odds(delta, num_decisions)
        self.require()
        needed = 2 * self.noise_to_margin * math.log(num_decisions / delta)
        return max(1, math.ceil(needed))

    def failure_probability(self, *, num_members: int, num_decisions: int) -> float:
        """The union bound turned round: probability of any error with `num_members` networks."""
        if self.noise_to_margin == 0:
            return 0.0
        return min(1.0, num_decisions * math.exp(-num_members / (2 * self.noise_to_margin)))

    def covers(self, matches: np.ndarray) -> bool:
        """Whether an execution stayed within the bound.

        Args:
            matches: largest number of matches seen in every component, shape (c,).
        """
        return bool((np.asarray(matches) <= self.bound.max_matches).all())

    def curves(self) -> dict[str, Any]:
        """What `ntkexec.plots.certificate` draws, as plain data.

        Returns:
            `curves`: by n0, as text, C(m, n0) for m = 2, 3, ... up to the largest that can occur;
            `bits`: n0, m and the collisions (w - a) / a with the fewest active writers a that
            are possible, for every bit and m, each triple once; `verdict`: one sentence. A bit is
            certified where its collisions are below the curve.
        """
        sizes = np.asarray(self.problem.num_inputs)
        found = set()
        for bit, owner in enumerate(self.problem.component_of_bit.tolist()):
            for m in range(2, self.bound.min_active.shape[1]):
                active = int(self.bound.min_active[bit, m])
                if owner >= 0 and active != NEVER:
                    writers = int(self.problem.program.num_writers[bit])
                    found.add((int(sizes[owner]), m, (writers - active) / active))
        used = sorted({n0 for n0, _, _ in found})
        largest = {n0: max(m for size, m, _ in found if size == n0) for n0 in used}
        return {
            "curves": {
                str(n0): [float(predictor.capacity(m, n0)) for m in range(2, largest[n0] + 1)]
                for n0 in used
            },
            "bits": [{"n0": n0, "m": m, "collisions": y} for n0, m, y in sorted(found)],
            "verdict": self.verdict(),
        }

    def require(self) -> None:
        """Raises CertificateError, naming the bit and the m that fail, unless certified."""
        if not self.certified:
            raise CertificateError(self.verdict())

    def verdict(self) -> str:
        """One sentence: certified, or which bit fails at which m."""
        tight = self.weakest
        if self.certified:
            return f"certified: smallest margin {self.smallest_margin:.4f}, at {tight.bit_name}"
        try:
            remedy = f"padding with {padding_needed(self)} templates would certify it"
        except CertificateError as error:
            remedy = str(error)
        return (
            f"not certified: bit {tight.bit_name} has {tight.num_writers} writers, but at "
            f"m = {tight.num_matches} matches and {tight.num_active} active writer(s) its mean is "
            f"{tight.mean:.4f} (w - 1 < C = {self.capacity:.2f} is needed); {remedy}"
        )

    def __str__(self) -> str:
        problem, tight = self.problem, self.weakest
        rows = [
            ("program", repr(problem.program)),
            ("networks", f"{problem.kind}: {len(problem.components)} learning problems"),
            ("matches m", f"at most {self.max_matches}; {self.bound.basis}"),
            ("tightest bit", f"{tight.bit_name}: w = {tight.num_writers}, a >= {tight.num_active}"),
            ("  at m, n0", f"{tight.num_matches}, {problem.num_inputs[tight.component]}"),
            ("  C(m, n0)", f"{self.capacity:.2f}"),
            ("  threshold", f"{self.threshold:.4f}"),
            ("verdict", self.verdict()),
        ]
        return "\n".join(f"{name:<13} {value}" for name, value in rows)


def check_odds(delta: float, num_decisions: int) -> None:
    """Raises CertificateError unless 0 < delta < 1 and something is decided."""
    if not 0 < delta < 1:
        raise CertificateError(f"delta must lie between 0 and 1, got {delta}")
    if num_decisions < 1:
        raise CertificateError(f"at least one decision is needed, got {num_decisions}")


def _with_padding(certificate: Certificate, padding: int) -> Certificate:
    return dataclasses.replace(
        certificate, problem=dataclasses.replace(certificate.problem, padding=padding)
    )


def padding_needed(certificate: Certificate) -> int:
    """The least padding with which the program is certified, by bisection.

    Raises:
        CertificateError: none up to a million helps.

    Source: padding lemma: C(m, n0) grows without bound in n0 at fixed m.
    """
    high = 0
    while not _with_padding(certificate, high).certified:
        high = max(1, 2 * high)
        if high > MAX_PADDING:
            raise CertificateError(
                f"no padding up to {MAX_PADDING} certifies {certificate.problem.program.name}"
            )
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        if _with_padding(certificate, middle).certified:
            high = middle
        else:
            low = middle + 1
    return high


def padded(certificate: Certificate, *, delta: float, num_decisions: int) -> Certificate:
    """The certificate with the padding that makes the ensemble cheapest.

    Padding raises the margins, so fewer networks are needed, but each has more inputs and must be
    wider in proportion. The cost that is minimised, over a geometric grid, is therefore networks
    times inputs squared.
    """
    least = padding_needed(certificate)
    base = max(1, int(certificate.problem.num_inputs.max()))
    grid = {least, *(least + round(base * step / 4) for step in (1, 2, 4, 8, 16, 32, 64))}
    if certificate.certified:
        grid.add(certificate.problem.padding)

    def cost(candidate: Certificate) -> int:
        size = candidate.ensemble_size(delta=delta, num_decisions=num_decisions)
        return size * int((candidate.problem.num_inputs**2).sum())

    return min((_with_padding(certificate, p) for p in sorted(grid)), key=cost)
