"""The infinitely large ensemble of infinitely wide networks as an engine, in closed form."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Array, Float

from ntkexec.executor.encoding import Encoding, Matches, index_arrays, lookup
from ntkexec.executor.protocol import count_of_bits
from ntkexec.runtime import devices
from ntkexec.theory import predictor
from ntkexec.theory.certificate import Certificate


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
        return matches.matched_writers.astype(excess.dtype) * excess + lookup(
            self.background, count
        )


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
        encoding=index_arrays(problem),
        thresholds=devices.put(certificate.thresholds),
        background=devices.put(writers * beta),
        excess=devices.put(alpha - beta),
    )
