"""A linear read-out of the encoding as an engine: the baseline without networks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntkexec.executor.encoding import Encoding, Matches, index_arrays
from ntkexec.executor.protocol import count_of_bits
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import devices


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
        active = matches.matched_writers.astype(self.thresholds.dtype)
        return active / jnp.sqrt(count.astype(self.thresholds.dtype))


def linear_engine(problem: LearningProblem) -> LinearEngine:
    """The linear read-out, with thresholds half-way between its 0 and its smallest 1 at each m."""
    m = np.maximum(np.arange(problem.max_matches + 1), 1)
    half = np.broadcast_to(0.5 / np.sqrt(m), (problem.program.layout.num_bits, len(m)))
    return LinearEngine(index_arrays(problem), devices.put(half))
