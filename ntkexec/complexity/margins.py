"""How far every decision is from its threshold, in the mean and in standard deviations."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float64
from scipy import stats

from ntkexec.complexity.cases import Cases, ComponentCases
from ntkexec.errors import CertificateError
from ntkexec.vocabulary import Convention, Draw


@dataclasses.dataclass(frozen=True, eq=False)
class ComponentMargins:
    """The decisions of one component.

    Args:
        cases: its match sets.
        thresholds: by state and output.
        spread: factor of the variances at unit weights: 0 for networks without spread in the limit.
    """

    cases: ComponentCases
    thresholds: Float64[np.ndarray, "u o"]
    spread: float = 1.0

    @functools.cached_property
    def signs(self) -> Float64[np.ndarray, "u o"]:
        """1 where the bit must be 1, -1 where it must be 0."""
        return np.where(self.cases.matched_writers > 0, 1.0, -1.0)

    @functools.cached_property
    def margins(self) -> Float64[np.ndarray, "u o"]:
        """g: distance of the mean to the threshold, positive on the right side."""
        return self.signs * (self.cases.means - self.thresholds)

    @functools.cached_property
    def variances(self) -> Float64[np.ndarray, "u"]:
        """Variance of every output of one network at infinite width."""
        return self.spread * self.cases.variances

    @functools.cached_property
    def random(self) -> Bool[np.ndarray, "u"]:
        """Which states have outputs that differ between networks: those with two matches or more."""
        return self.variances > 0


@dataclasses.dataclass(frozen=True, eq=False)
class Margins:
    """All decisions at all match sets.

    Args:
        cases: the match sets.
        convention: of the thresholds.
        weight_std: standard deviation of the networks' weights at initialisation.
        draw: how the networks are drawn; `antisymmetric` ones have no spread in the limit.
        components: by component.
    """

    cases: Cases
    convention: Convention
    weight_std: float
    draw: Draw
    components: tuple[ComponentMargins, ...]

    @functools.cached_property
    def z(self) -> Float64[np.ndarray, "d"]:
        """g / sigma of every decision that differs between networks."""
        found = [
            (part.margins[part.random] / np.sqrt(part.variances[part.random])[:, None]).ravel()
            for part in self.components
        ]
        return np.concatenate([np.zeros(0), *found])

    @property
    def right_in_the_mean(self) -> bool:
        """Whether infinitely many networks decide everything right."""
        # Without spread a 0-bit may sit on the threshold: only what exceeds it is a 1.
        certain = all(
            ((p.margins > 0) | ((p.margins == 0) & (p.signs < 0)))[~p.random].all()
            for p in self.components
        )
        return certain and bool((self.z > 0).all())

    @property
    def noise_ratio(self) -> float:
        """Largest sigma^2 / mu^2, mu the mean that decides: the margin itself where thresholds are
        0, twice the margin where they lie half-way."""
        if not len(self.z):
            return 0.0
        smallest = self.z.min()
        if smallest <= 0:
            return np.inf
        return float((1 if self.convention == "zero" else 0.25) / smallest**2)

    def union_bound(self, num_members: float) -> float:
        """Probability of any wrong decision is at most this: the sum of all Gaussian tails."""
        return float(min(1.0, stats.norm.sf(self.z * np.sqrt(num_members)).sum()))

    def independent(self, num_members: float) -> float:
        """Probability that all is right if all decisions were independent."""
        return float(np.exp(stats.norm.logcdf(self.z * np.sqrt(num_members)).sum()))

    def members_for(self, delta: float) -> int:
        """The least N whose union bound is at most delta.

        Raises:
            CertificateError: some decision is wrong in the mean, so no N will do.
        """
        if not self.right_in_the_mean:
            raise CertificateError(
                f"no number of networks executes {self.cases.problem.program.name} exactly on these "
                f"graphs with the thresholds {self.convention!r}: some mean is on the wrong side; the "
                "thresholds 'bit', more padding or a factored ensemble would help"
            )
        high = 1
        while self.union_bound(high) > delta:
            high *= 2
        low = high // 2 + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.union_bound(middle) <= delta else (middle + 1, high)
        return high


def margins_of(
    cases: Cases,
    convention: Convention = "bit",
    *,
    weight_std: float = 1.0,
    draw: Draw = "trained",
) -> Margins:
    """The margins of all decisions under a convention for the thresholds.

    Args:
        cases: the match sets.
        convention: see `ntkexec.theory.thresholds`.
        weight_std: standard deviation of the networks' weights at initialisation.
        draw: how the networks are drawn.

    Raises:
        CertificateError: an unknown convention.
    """
    spread = 0.0 if draw == "antisymmetric" else weight_std**4
    table = cases.certificate(convention).thresholds
    return Margins(
        cases,
        convention,
        weight_std,
        draw,
        tuple(
            ComponentMargins(part, table[list(one.bits)][:, part.count].T, spread)
            for part, one in zip(cases.components, cases.problem.components, strict=True)
        ),
    )
