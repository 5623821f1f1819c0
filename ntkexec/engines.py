"""Update engines: how the mean output of the learned function is obtained for encoded states.

All engines share one protocol, so that the executor need not know them apart. `boolean` is the
specification itself; `kernel` is the infinitely large ensemble of infinitely wide networks in
closed form. The trained ensemble lives in `ntkexec.ensemble`, the neural-tangents oracle in
`ntkexec.oracle`.
"""

import dataclasses
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec import predictor
from ntkexec.certificate import Certificate
from ntkexec.encoding import Encoding, Matches, encoding, lookup
from ntkexec.problem import LearningProblem


@runtime_checkable
class Engine(Protocol):
    """A pytree that evaluates the learned function.

    encoding: the learning problem's index arrays.
    thresholds: by bit and number of matches.
    """

    @property
    def encoding(self) -> Encoding: ...

    @property
    def thresholds(self) -> Float[Array, "k m"]: ...

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        """The network outputs before the Heaviside step, bit-major."""
        ...


class Decision(NamedTuple):
    """Bits of the next state, before messages are exchanged, and how they came about."""

    bits: Bool[Array, "k n"]
    means: Float[Array, "k n"]
    thresholds: Float[Array, "k n"]


def decide(engine: Engine, matches: Matches) -> Decision:
    """The Heaviside step: which outputs exceed the threshold for their number of matches."""
    means = engine.means(matches)
    thresholds = lookup(engine.thresholds, count_of_bits(engine.encoding, matches))
    return Decision(means > thresholds, means, thresholds)


def count_of_bits(arrays: Encoding, matches: Matches) -> Int[Array, "k n"]:
    """m, for every bit that of its component; any component's for a bit that nothing writes."""
    return matches.count[jnp.minimum(arrays.component_of_bit, matches.count.shape[0] - 1)]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BooleanEngine:
    """The program itself, a sum of products: nothing is learned. Its margins are 1/2."""

    encoding: Encoding
    thresholds: Float[Array, "k m"]

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        return (matches.active > 0).astype(jnp.float32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LinearEngine:
    """A linear read-out of the encoding, fitted to the same training pairs: the baseline.

    Least squares of least norm on the standard basis gives the weight 1 from every template to
    every bit that it writes, so a bit's output is a / sqrt(m): 0 or at least 1 / sqrt(m), without
    training, without spread and for any program. What networks add to that is not exactness.
    """

    encoding: Encoding
    thresholds: Float[Array, "k m"]

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        count = jnp.maximum(count_of_bits(self.encoding, matches), 1)
        active = matches.active.astype(self.thresholds.dtype)
        return active / jnp.sqrt(count.astype(self.thresholds.dtype))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KernelEngine:
    """The mean of the trained network over initialisations, at infinite width.

    background: by bit and number of matches, the mean if no writer is matched, w * beta.
    excess: likewise, what every matched writer adds to it, alpha - beta.
    """

    encoding: Encoding
    thresholds: Float[Array, "k m"]
    background: Float[Array, "k m"]
    excess: Float[Array, "k m"]

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        count = count_of_bits(self.encoding, matches)
        excess = lookup(self.excess, count)
        return matches.active.astype(excess.dtype) * excess + lookup(self.background, count)


def boolean_engine(certificate: Certificate) -> BooleanEngine:
    """The specification as an engine, for comparison and for tracing."""
    thresholds = jnp.full((certificate.problem.program.layout.num_bits, 1), 0.5, jnp.float32)
    return BooleanEngine(encoding(certificate.problem), thresholds)


def linear_engine(problem: LearningProblem) -> LinearEngine:
    """The linear read-out, with thresholds half-way between its 0 and its smallest 1 at each m."""
    m = np.maximum(np.arange(problem.max_matches + 1), 1)
    half = np.broadcast_to(0.5 / np.sqrt(m), (problem.program.layout.num_bits, len(m)))
    return LinearEngine(encoding(problem), jnp.asarray(half, float))


def kernel_engine(certificate: Certificate) -> KernelEngine:
    """The infinite ensemble with the certificate's thresholds, which need not be certified."""
    problem = certificate.problem
    writers = problem.program.num_writers[:, None]
    m = np.arange(problem.max_matches + 1)
    # A bit that nothing writes gets some component's coefficients, times w = a = 0.
    alpha, beta = predictor.coefficients(
        m[None, :], problem.num_inputs[problem.component_of_bit][:, None]
    )
    return KernelEngine(
        encoding=encoding(problem),
        thresholds=jnp.asarray(certificate.thresholds),
        background=jnp.asarray(writers * beta),
        excess=jnp.asarray(alpha - beta),
    )
