"""Certificates: when every bit of every step comes out right, with which thresholds, and how many
networks that takes.

A bit with w writers, a of them matched, has the mean a alpha + (w - a) beta (`predictor.mean`). A
program is certified if every bit has its mean on the right side of its threshold
(`ntkexec.theory.thresholds`) in all states that the bound on the matches admits. That speaks of the limit
of infinite width; `ntkexec.theory.at_width` says what is known of networks that are not as wide.
"""

import dataclasses
import functools
import math

import numpy as np
from jaxtyping import Float64

from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime.keeping import read_only
from ntkexec.runtime.tables import as_html, as_text
from ntkexec.theory import predictor
from ntkexec.theory.dot_product import TWO_LAYER_RELU, DotProductKernel
from ntkexec.theory.match_bound import MatchBound
from ntkexec.theory.padding import padding_needed
from ntkexec.theory.thresholds import BitMeans, bit_means, check_convention, threshold_table
from ntkexec.theory.union_bound import (
    check_odds,
    failure_probability,
    largest_ratio,
    networks_needed,
)
from ntkexec.theory.weakest import WeakestDecision
from ntkexec.vocabulary import CONVENTIONS, Convention, Draw


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """Exactness of a learning problem in the infinite-width limit, under a bound on the matches.

    It speaks of one kind of network: with this kernel, `weight_std` and draw.

    Args:
        problem: the program, divided among networks.
        bound: which numbers of matches can occur.
        weight_std: standard deviation of the networks' weights at initialisation.
        convention: where the thresholds lie, see `ntkexec.theory.thresholds`.
        draw: how the networks are drawn; `antisymmetric` ones have no spread in the limit.
        given_thresholds: those of a stored ensemble, by bit and m, instead of the convention's.
        kernel: of the networks; other ones than the two-layer ReLU network without biases are
            certified in the limit, and not run.

    Raises:
        CertificateError: an unknown convention, a weight_std that is not positive, or thresholds
            of another shape.
    """

    problem: LearningProblem
    bound: MatchBound
    weight_std: float = 1.0
    convention: Convention = "bit"
    draw: Draw = "trained"
    given_thresholds: Float64[np.ndarray, "k m"] | None = None
    kernel: DotProductKernel = TWO_LAYER_RELU

    def __post_init__(self) -> None:
        check_convention(self.convention)
        if not 0 < self.weight_std < math.inf:
            raise CertificateError(f"weight_std must be positive, got {self.weight_std:g}")
        shape = (self.problem.program.layout.num_bits, self.problem.max_matches + 1)
        if self.given_thresholds is not None and np.shape(self.given_thresholds) != shape:
            raise CertificateError(
                f"thresholds by bit and number of matches have shape {shape}, not "
                f"{np.shape(self.given_thresholds)}"
            )

    @functools.cached_property
    def _means(self) -> BitMeans:
        return bit_means(self.problem, self.bound, self.kernel)

    @functools.cached_property
    def thresholds(self) -> Float64[np.ndarray, "k m"]:
        """The threshold by bit and number of matches m, float32 numbers: those that run."""
        if self.given_thresholds is not None:
            return read_only(np.asarray(self.given_thresholds, np.float32).astype(np.float64))
        return read_only(threshold_table(self.problem, self.bound, self.convention, self.kernel))

    @functools.cached_property
    def convention_in_use(self) -> str:
        """The convention's name, or `stored` where the given thresholds are not the convention's."""
        own = threshold_table(self.problem, self.bound, self.convention, self.kernel)
        return self.convention if np.array_equal(own, self.thresholds) else "stored"

    @functools.cached_property
    def one_margins(self) -> Float64[np.ndarray, "k m"]:
        """How far the smallest mean of a 1 lies above the threshold; infinite where there is none."""
        return read_only(self._means.one - self.thresholds)

    @functools.cached_property
    def zero_margins(self) -> Float64[np.ndarray, "k m"]:
        """How far the mean of a 0 lies below the threshold; infinite where there is none.

        Without a match the output of a network without biases is 0 whatever the weights, and so is
        that of a bit that no network learns. No margin describes that, unless a given threshold lies
        below 0.
        """
        margins = np.where(self._means.can_be_zero, self.thresholds - self._means.zero, np.inf)
        still = np.where(self.thresholds >= 0, np.inf, self.thresholds)
        if self.kernel.has_biases:
            margins[:, 0] = self.thresholds[:, 0] - self._means.zero[:, 0]
        else:
            margins[:, 0] = still[:, 0]
        return read_only(np.where((self.problem.component_of_bit < 0)[:, None], still, margins))

    @functools.cached_property
    def variances(self) -> Float64[np.ndarray, "k m"]:
        """Variance of one network's output over initialisations, by bit and m; 0 where none is."""
        if self.draw == "antisymmetric":
            return read_only(np.zeros_like(self.thresholds))
        owner = self.problem.component_of_bit
        m = np.arange(self.problem.max_matches + 1)
        variance = predictor.variance(
            m[None, :],
            self.problem.num_inputs[owner][:, None],
            weight_std=self.weight_std,
            kernel=self.kernel,
        )
        return read_only(np.where((owner >= 0)[:, None], variance, 0.0))

    @functools.cached_property
    def weakest(self) -> WeakestDecision:
        """The decision that decides whether the program is certified."""
        # Where both sides are as close, up to the rounding of thresholds, the 1 is told.
        slack = np.spacing(np.float32(abs(self.thresholds).max()))
        expected = bool(self.one_margins.min() <= self.zero_margins.min() + slack)
        margins = self.one_margins if expected else self.zero_margins
        bit, m = (int(i) for i in np.unravel_index(np.argmin(margins), margins.shape))
        means = self._means.one if expected else self._means.zero
        return WeakestDecision(
            component=int(self.problem.component_of_bit[bit]),
            bit=bit,
            bit_name=self.problem.program.layout.bit_names[bit],
            expected=expected,
            num_matches=m,
            num_writers=int(self.problem.program.num_writers[bit]),
            num_matched_writers=int(self.bound.min_matched_writers[bit, m]) if expected else 0,
            mean=float(means[bit, m]),
            threshold=float(self.thresholds[bit, m]),
            margin=float(margins[bit, m]),
        )

    @property
    def certified(self) -> bool:
        """Whether every bit is on the right side of its threshold in the mean, at infinite width.

        On the threshold a bit is 0, which is right for a 0 whose output is exactly there: that of
        gaussian draws at a single match. Networks that are trained, or solved for, stop within a
        tolerance of it, on either side.
        """
        exact = self.draw == "gaussian"
        on_threshold = exact & (self.zero_margins == 0) & (self.variances == 0)
        zeros = (self.zero_margins > 0) | on_threshold
        return bool((self.one_margins > 0).all() and zeros.all())

    @property
    def smallest_margin(self) -> float:
        """Smallest distance of a mean to its threshold; not positive if not certified."""
        return float(min(self.one_margins.min(), self.zero_margins.min()))

    @property
    def max_matches(self) -> int:
        """m_max, the largest over all components."""
        return int(self.bound.max_matches.max())

    @property
    def capacity(self) -> float:
        """C(m, n0) of the component and m of the weakest decision (`predictor.capacity`)."""
        num_inputs = self.problem.num_inputs[self.weakest.component]
        return float(predictor.capacity(self.weakest.num_matches, num_inputs, kernel=self.kernel))

    @property
    def threshold(self) -> float:
        """The threshold of the weakest decision."""
        return self.weakest.threshold

    @functools.cached_property
    def noise_to_margin(self) -> float:
        """Largest variance of one network's output over its squared margin, over all decisions."""
        return largest_ratio(self.variances, np.minimum(self.one_margins, self.zero_margins))

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
        return networks_needed(self.noise_to_margin, delta=delta, num_decisions=num_decisions)

    def failure_probability(self, *, num_members: int, num_decisions: int) -> float:
        """The union bound turned round: probability of any error with `num_members` networks."""
        if not self.certified:
            return 1.0
        return failure_probability(
            self.noise_to_margin, num_members=num_members, num_decisions=num_decisions
        )

    def require_networks(self, *, weight_std: float, bias_std: float, draw: str) -> None:
        """Raises EnsembleError unless the certificate speaks of such networks.

        Args:
            weight_std: of the networks.
            bias_std: likewise; certificates are for networks without biases.
            draw: how they were drawn.
        """
        self.kernel.require_run("what is trained and run")
        if bias_std:
            raise EnsembleError(
                f"certificates are for networks without biases, but these have bias_std {bias_std:g}"
            )
        if weight_std != self.weight_std:
            raise EnsembleError(
                f"the certificate is for networks with weight_std {self.weight_std:g}, but these have "
                f"weight_std {weight_std:g}; certify with the same"
            )
        # Both promise more than others keep: no spread in the limit, and an exact end of training.
        if self.draw in ("antisymmetric", "gaussian") and draw != self.draw:
            raise EnsembleError(
                f"the certificate is for {self.draw} networks, but these are {draw}"
            )

    def with_padding(self, padding: int) -> "Certificate":
        """The certificate of the same problem with another padding."""
        return dataclasses.replace(self, problem=dataclasses.replace(self.problem, padding=padding))

    def conventions(self) -> dict[str, "Certificate"]:
        """The same certificate under every convention for the thresholds, to be compared."""
        return {
            name: dataclasses.replace(self, convention=name, given_thresholds=None)
            for name in CONVENTIONS
        }

    def covers(self, matches: np.ndarray) -> bool:
        """Whether an execution stayed within the bound.

        Args:
            matches: largest number of matches seen in every component, shape (c,).
        """
        return bool((np.asarray(matches) <= self.bound.max_matches).all())

    def require(self) -> None:
        """Raises CertificateError, naming the bit and the m that fail, unless certified."""
        if not self.certified:
            raise CertificateError(self.verdict())

    def verdict(self) -> str:
        """One sentence: certified in the limit, or which bit fails at which m."""
        tight = self.weakest
        if self.certified:
            return (
                f"certified at infinite width: smallest margin {self.smallest_margin:.4f}, at "
                f"{tight.bit_name}"
            )
        if self.given_thresholds is not None:
            remedy = "the thresholds of this ensemble are not for these states"
        elif self.convention == "bit":
            remedy = "so many matches leave a margin below the rounding of float32"
        else:
            try:
                needed = padding_needed(self)
                remedy = f"padding with {needed} templates would certify it, and so would the "
                remedy += "thresholds 'bit'"
            except CertificateError as error:
                remedy = f"{error}; the thresholds 'bit' would certify it"
        if not tight.expected:
            return (
                f"not certified: bit {tight.bit_name}, when it is 0, has the mean {tight.mean:.4f} at "
                f"m = {tight.num_matches} matches, not below its threshold {tight.threshold:.4f}; {remedy}"
            )
        return (
            f"not certified: bit {tight.bit_name} has {tight.num_writers} writers, but at "
            f"m = {tight.num_matches} matches and {tight.num_matched_writers} matched writer(s) its mean is "
            f"{tight.mean:.4f}, not above its threshold {tight.threshold:.4f} (with one threshold for "
            f"all bits, w - 1 < C = {self.capacity:.2f} is needed); {remedy}"
        )

    def __repr__(self) -> str:
        problem = self.problem
        told = "certified at infinite width" if self.certified else "not certified"
        other = "" if self.kernel.runs else f", {self.kernel.told}"
        return (
            f"Certificate({problem.program.name}, {problem.kind}, padding {problem.padding}, "
            f"thresholds by {self.convention_in_use}{other}: {told}, "
            f"smallest margin {self.smallest_margin:.4f})"
        )

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, for a table."""
        problem, tight = self.problem, self.weakest
        return [
            ("program", repr(problem.program)),
            ("networks", f"{problem.kind}: {len(problem.components)} learning problems"),
            *([] if self.kernel.runs else [("kernel", f"{self.kernel.told}; in the limit alone")]),
            ("matches m", f"at most {self.max_matches}; {self.bound.basis}"),
            (
                "tightest bit",
                f"{tight.bit_name} when it is {int(tight.expected)}: w = {tight.num_writers}, "
                f"a >= {tight.num_matched_writers}",
            ),
            ("  at m, n0", f"{tight.num_matches}, {problem.num_inputs[tight.component]}"),
            ("  C(m, n0)", f"{self.capacity:.2f}"),
            ("  threshold", f"{self.threshold:.4f} (convention: {self.convention_in_use})"),
            ("verdict", self.verdict()),
        ]

    def __str__(self) -> str:
        return as_text(self.rows())

    def _repr_html_(self) -> str:
        return as_html(self.rows())
