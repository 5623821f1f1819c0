"""Kernels of other fully connected networks, which enter the closed forms by three numbers.

On the standard basis the Gram matrix of every dot-product kernel k is lambda I + c 11^T with c = k(0) and
lambda = k(1) - c. So means, interference and thresholds of `predictor` need nothing but c, lambda and
f_m = k(1/sqrt m), and the variance the same three numbers of the covariance before training. All of it
is about the limit of infinite width; of these networks only the two-layer ReLU network without
biases can be trained and run here.
"""

import dataclasses
import functools
import math
from typing import get_args

import numpy as np

from ntkexec.errors import CertificateError, shown
from ntkexec.theory.kernel import NTK_GAP, NTK_ORTHOGONAL, Numbers, arccosine_0, arccosine_1
from ntkexec.theory.kernel import namespace as _namespace
from ntkexec.theory.kernel import nngp as _two_layer_nngp
from ntkexec.theory.kernel import ntk as _two_layer_ntk
from ntkexec.vocabulary import Activation, TrainedLayers

MAX_DEPTH = 100
"""Beyond it the recursion has lost so many digits that a certificate would be about rounding."""

SMALLEST_GAP = 1e-9
"""Least share of a kernel's diagonal by which it tells inputs apart.

A variance is of the order of this share, a difference of numbers near 1: below, rounding is seen in it.
"""


@dataclasses.dataclass(frozen=True)
class DotProductKernel:
    """The kernel of a fully connected network at infinite width, for inputs of norm 1 or 0.

    The first layer keeps the variance of its input, 1 without biases; weights of hidden ReLU layers
    have the variance 2, others 1; biases have theirs in every layer. The output is scaled to the
    variance 1/2 (times weight_std^4 / n0, see `predictor.variance`) at an input of norm 1, as that of
    the two-layer ReLU network is, so that numbers of networks can be compared.

    Args:
        depth: hidden layers.
        trained: what learns, `ntk` or `nngp`.
        activation: `relu`, `erf` or `linear`.
        bias_std: standard deviation of all biases, where weights have 1 in the first layer.

    Raises:
        CertificateError: an unknown word, or a number out of range; or a kernel that tells inputs apart
            by less than `SMALLEST_GAP`, as many layers and large biases make it.

    Source: Jacot et al., arXiv:1806.07572, theorem 1; Lee et al., arXiv:1711.00165, for the NNGP kernel;
        erf: Williams, NeurIPS 1996.
    """

    depth: int = 1
    trained: TrainedLayers = "ntk"
    activation: Activation = "relu"
    bias_std: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= MAX_DEPTH:
            raise CertificateError(
                f"a network has 1 to {MAX_DEPTH} hidden layers, got depth {self.depth}"
            )
        words = (
            ("trained", self.trained, TrainedLayers),
            ("activation", self.activation, Activation),
        )
        for name, word, known in words:
            if word not in get_args(known):
                raise CertificateError(f"{name} is {', '.join(get_args(known))}, not {shown(word)}")
        if not 0 <= self.bias_std < 1e6:
            raise CertificateError(
                f"bias_std must lie between 0 and a million, got {self.bias_std:g}"
            )
        if not (share := self._share_that_differs) >= SMALLEST_GAP:
            raise CertificateError(
                f"the {self.told} tells orthogonal inputs apart by {share:.1e} of its size, which drowns in "
                f"rounding; from {SMALLEST_GAP:g} on it would fit: fewer layers or smaller biases"
            )

    @property
    def _share_that_differs(self) -> float:
        """What the diagonals have above the orthogonal values, the smaller of the two shares."""
        return min(1 - 2 * self.prior_orthogonal, self.gap / (self.orthogonal + self.gap))

    @property
    def runs(self) -> bool:
        """Whether networks of this kernel can be trained and run, and not only be certified."""
        # Not by comparison with TWO_LAYER_RELU, which asks while it is made.
        return dataclasses.astuple(self) == (1, "ntk", "relu", 0.0)

    def require_run(self, what: str) -> None:
        """Raises CertificateError, about `what`, unless networks of this kernel are run here."""
        if not self.runs:
            raise CertificateError(
                f"{what} is of two-layer ReLU networks without biases, all of whose layers learn, not "
                f"of the {self.told}; that can be certified at infinite width, and not run"
            )

    @property
    def has_biases(self) -> bool:
        """Whether there are biases: then the output without a match is not 0."""
        return self.bias_std > 0

    @property
    def told(self) -> str:
        """The network in words."""
        activation = {"relu": "ReLU"}.get(self.activation, self.activation)
        what = {"ntk": "NTK", "nngp": "NNGP (the last layer learns)"}[self.trained]
        depth = "" if self.depth == 1 else f", {self.depth} hidden layers"
        biases = f", biases of standard deviation {self.bias_std:g}" if self.has_biases else ""
        return f"{activation} {what}{depth}{biases}"

    def _recursion(
        self, covariance: Numbers, square: float, other: float
    ) -> tuple[Numbers, Numbers]:
        """NNGP kernel and NTK of two inputs, by their products, without the output's scale."""
        xp = _namespace(covariance)
        bias = self.bias_std**2
        between, one, two = covariance + bias, square + bias, other + bias
        tangent = between
        for _ in range(self.depth):
            if self.activation == "relu":
                size = math.sqrt(one * two)
                u = xp.clip(between / size, -1.0, 1.0)
                passed, slope = size * arccosine_1(u), arccosine_0(u)
            elif self.activation == "erf":
                size = (1 + 2 * one) * (1 + 2 * two)
                passed = 2 / np.pi * xp.asin(2 * between / math.sqrt(size))
                slope = 4 / np.pi / xp.sqrt(size - 4 * between**2)
                one, two = (2 / np.pi * math.asin(2 * v / (1 + 2 * v)) for v in (one, two))
            else:
                passed, slope = between, xp.ones_like(between)
            between, one, two = passed + bias, one + bias, two + bias
            tangent = between + tangent * slope
        return between, tangent

    @functools.cached_property
    def _scale(self) -> float:
        return 0.5 / float(self._recursion(np.float64(1.0), 1.0, 1.0)[0])

    def prior(self, cosine: Numbers) -> Numbers:
        """Covariance before training of the outputs at two inputs of norm 1; 1/2 at the cosine 1."""
        if self.runs:
            return _two_layer_nngp(cosine)
        return self._scale * self._recursion(cosine, 1.0, 1.0)[0]

    def learned(self, cosine: Numbers) -> Numbers:
        """The kernel that predicts: NTK or NNGP kernel at two inputs of norm 1.

        Only its ratios count; of the two-layer ReLU network without biases it is 1 at the cosine 1.
        """
        if self.runs:
            return _two_layer_ntk(cosine)
        return self._scale * self._recursion(cosine, 1.0, 1.0)[self.trained == "ntk"]

    @functools.cached_property
    def orthogonal(self) -> float:
        """c: the kernel that predicts, at two orthogonal inputs."""
        return NTK_ORTHOGONAL if self.runs else float(self.learned(np.float64(0.0)))

    @functools.cached_property
    def gap(self) -> float:
        """lambda: what its diagonal has above c, the smallest eigenvalue of the train Gram."""
        if self.runs:
            return NTK_GAP
        return float(self.learned(np.float64(1.0))) - self.orthogonal

    @functools.cached_property
    def prior_orthogonal(self) -> float:
        """Covariance before training at two orthogonal inputs."""
        return NTK_ORTHOGONAL if self.runs else float(self.prior(np.float64(0.0)))

    @functools.cached_property
    def without_match(self) -> tuple[float, float, float]:
        """At the input 0: what predicts, and the covariance, with an input of norm 1; the variance.

        All are 0 without biases.
        """
        if not self.has_biases:
            return 0.0, 0.0, 0.0
        nngp, ntk = self._recursion(np.float64(0.0), 0.0, 1.0)
        variance = self._recursion(np.float64(0.0), 0.0, 0.0)[0]
        learned = ntk if self.trained == "ntk" else nngp
        return tuple(self._scale * float(x) for x in (learned, nngp, variance))  # type: ignore[return-value]


TWO_LAYER_RELU = DotProductKernel()
"""The networks that are trained and run here."""


def writers_below(kernel: DotProductKernel, num_matches: int, num_templates: int) -> float:
    """Writers of a bit below which the mean is above 0, if it is 1 and one of them is matched.

    w (m - lambda/Delta_m) < n0 + lambda/c; infinite where unmatched writers do not pull down. Then
    they pull up (beta > 0), so that a bit that is 0 has a mean above 0 as well: the threshold 0
    errs there, and one threshold for all bits allows w < alpha / beta.

    Args:
        kernel: of the networks.
        num_matches: m, at least 2.
        num_templates: n0, training pairs.
    """
    c, gap = kernel.orthogonal, kernel.gap
    excess = float(kernel.learned(np.float64(num_matches**-0.5))) - c
    pull = num_matches - gap / excess
    if c <= 1e-12 or pull <= 0:
        return math.inf
    return (num_templates + gap / c) / pull
