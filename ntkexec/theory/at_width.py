"""What a certificate says of networks of a finite width.

A certificate speaks of the limit of infinite width. At a finite width the mean of trained networks
is off by a bias that no ensemble averages away. Where `ntkexec.theory.bias_fit` bounds it, margins are
judged without it, and the ensemble size counts what is left; where it does not, that is said, and
nothing is claimed.
"""

import dataclasses
import functools
import math

import numpy as np
from jaxtyping import Float64

from ntkexec.errors import CertificateError
from ntkexec.theory.bias_fit import BiasBound, WidthNeeded, bias_bound, width_needed
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.union_bound import check_odds, largest_ratio, networks_needed

TOLERANCE = 1e-4
"""Residual at which training stops: at a single match, that is the bias."""

SHARE = 0.25
"""Of a margin, the bias that the default width allows for."""


@dataclasses.dataclass(frozen=True)
class TightestDecision:
    """The decision whose margin loses the largest part to the bias.

    Args:
        bit_name: which bit.
        num_matches: m.
        num_inputs: n0 of its network.
        bias: the most that the mean is off by.
        margin: at infinite width.
    """

    bit_name: str
    num_matches: int
    num_inputs: int
    bias: float
    margin: float


@dataclasses.dataclass(frozen=True, eq=False)
class AtWidth:
    """A certificate, and what becomes of it at a width.

    Args:
        certificate: of the limit.
        width: hidden units of a network.
        descent: how the networks are trained.
        tolerance: residual at which training stops.
    """

    certificate: Certificate
    width: int
    descent: str
    tolerance: float = TOLERANCE

    @functools.cached_property
    def not_covered(self) -> str:
        """Why nothing is known of the bias of these networks; empty where it is bounded."""
        if not self.certificate.kernel.runs:
            return (
                f"the fit is over two-layer ReLU networks, not the {self.certificate.kernel.told}"
            )
        if self.certificate.draw != "trained":
            return f"the fit is over trained networks, not {self.certificate.draw} ones"
        if self.tolerance > TOLERANCE:
            return (
                f"training stops at a residual of {self.tolerance:g}, in the fit at {TOLERANCE:g}"
            )
        for (n0, m), outputs in self._kinds.items():
            bound = self._bound(n0, m, outputs)
            if not bound.covered:
                return bound.source.removeprefix("not covered: ")
        return ""

    @property
    def covered(self) -> bool:
        """Whether the bias is bounded at every number of matches that can occur."""
        return not self.not_covered

    @functools.cached_property
    def _kinds(self) -> dict[tuple[int, int], int]:
        """By n0 and m that can occur, the most outputs of such a network."""
        problem = self.certificate.problem
        largest = self.certificate.bound.max_matches.tolist()
        kinds: dict[tuple[int, int], int] = {}
        for component, n0, most in zip(
            problem.components, problem.num_inputs.tolist(), largest, strict=True
        ):
            for m in range(1, most + 1):
                kinds[n0, m] = max(kinds.get((n0, m), 0), len(component.bits))
        return kinds

    def _bound(self, num_inputs: int, num_matches: int, num_outputs: int) -> BiasBound:
        return bias_bound(
            num_inputs,
            num_matches,
            self.width,
            self.descent,
            num_outputs=num_outputs,
            weight_std=self.certificate.weight_std,
        )

    @functools.cached_property
    def biases(self) -> Float64[np.ndarray, "k m"]:
        """The most that the mean is off by, by bit and m; nan where nothing is known."""
        problem = self.certificate.problem
        table = np.zeros((len(problem.components) + 1, problem.max_matches + 1))
        by_size: dict[int, np.ndarray] = {}
        for (n0, m), outputs in self._kinds.items():
            row = by_size.setdefault(n0, np.full(table.shape[1], np.nan))
            row[m] = max(self._bound(n0, m, outputs).value, self.tolerance)
        for index, n0 in enumerate(problem.num_inputs.tolist()):
            table[index] = by_size[n0]
        # Without a match the output is exactly 0, and a bit that no network learns is 0.
        table[:, 0] = 0
        return table[problem.component_of_bit]

    @functools.cached_property
    def _margins(self) -> Float64[np.ndarray, "k m"]:
        return np.minimum(self.certificate.one_margins, self.certificate.zero_margins)

    @functools.cached_property
    def tightest(self) -> TightestDecision:
        """Where the bias takes most of the margin.

        Raises:
            CertificateError: the bias is not bounded.
        """
        self._require_covered()
        decided = np.isfinite(self._margins)
        lost = decided & (self._margins <= 0)
        ratio = np.where(lost, np.inf, -1.0)
        np.divide(self.biases, self._margins, where=decided & ~lost, out=ratio)
        bit, m = (int(i) for i in np.unravel_index(np.argmax(ratio), ratio.shape))
        problem = self.certificate.problem
        return TightestDecision(
            bit_name=problem.program.layout.bit_names[bit],
            num_matches=m,
            num_inputs=int(problem.num_inputs[problem.component_of_bit[bit]]),
            bias=float(self.biases[bit, m]),
            margin=float(self._margins[bit, m]),
        )

    @property
    def holds(self) -> bool:
        """Whether the bias is bounded below every margin, so that certified means it here too."""
        return (
            self.covered
            and self.certificate.certified
            and self.tightest.bias < self.tightest.margin
        )

    @functools.cached_property
    def noise_to_margin(self) -> float:
        """As `Certificate.noise_to_margin`, with what the bias leaves of the margins.

        The spread is that of infinite width.
        """
        left = self._margins - np.nan_to_num(self.biases)
        return largest_ratio(self.certificate.variances, left)

    def ensemble_size(self, *, delta: float, num_decisions: int) -> int:
        """Networks enough that all decisions are right with probability at least 1 - delta.

        Where the bias is not bounded this is the certificate's, of the limit.

        Raises:
            CertificateError: not certified, the bias eats a margin, or numbers out of range.
        """
        check_odds(delta, num_decisions)
        if not self.covered:
            return self.certificate.ensemble_size(delta=delta, num_decisions=num_decisions)
        self.require()
        return networks_needed(self.noise_to_margin, delta=delta, num_decisions=num_decisions)

    def width_needed(self, share: float = SHARE) -> WidthNeeded:
        """The width at which the bias takes at most this share of every margin, by the same fit."""
        needed = WidthNeeded(1, True, "nothing is decided")
        problem = self.certificate.problem
        least: dict[tuple[int, int, int], float] = {}
        for component, n0 in zip(problem.components, problem.num_inputs.tolist(), strict=True):
            margins = self._margins[list(component.bits)].min(axis=0)
            for m in np.flatnonzero(np.isfinite(margins) & (margins > 0)).tolist():
                kind = (n0, m, len(component.bits))
                least[kind] = min(least.get(kind, math.inf), float(margins[m]))
        for (n0, m, num_outputs), margin in least.items():
            # At a single match a network interpolates, whatever its width.
            if m < 2:
                continue
            at_least = width_needed(
                n0,
                m,
                share * margin,
                self.descent,
                num_outputs=num_outputs,
                weight_std=self.certificate.weight_std,
            )
            if (not at_least.covered, at_least.value) > (not needed.covered, needed.value):
                needed = at_least
        return needed

    def require(self) -> None:
        """Raises CertificateError where the bias is known to be able to eat a margin."""
        self.certificate.require()
        if self.covered and not self.holds:
            raise CertificateError(self.verdict())

    def _require_covered(self) -> None:
        if not self.covered:
            raise CertificateError(f"the bias is not bounded: {self.not_covered}")

    def verdict(self) -> str:
        """One sentence: what width does to the margins, or why nothing is known."""
        if not self.covered:
            return f"not covered: {self.not_covered}"
        tight = self.tightest
        source = self._bound(tight.num_inputs, tight.num_matches, 1).source
        reason = f"by {source}" if tight.num_matches > 1 else f"since {source}"
        told = (
            f"bias at most {tight.bias:.2g} where the margin is {tight.margin:.2g} ({tight.bit_name}, "
            f"m = {tight.num_matches}, n0 = {tight.num_inputs})"
        )
        if self.holds:
            return f"covered at width {self.width}: {told}, {reason}"
        needed = self.width_needed(1.0)
        if needed.value <= self.width:
            remedy = "no width would do; the thresholds 'bit' or the descent 'auto' may"
        elif needed.covered:
            remedy = f"width {needed.value:,} would do"
        else:
            remedy = f"by the same law width {needed.value:,} would do, which is beyond what was measured"
        return f"too narrow at width {self.width}: {told}, {reason}; {remedy}"
