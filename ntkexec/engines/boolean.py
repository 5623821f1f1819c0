"""The program itself as an engine: nothing is learned."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntkexec.executor.encoding import Encoding, Matches, index_arrays
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import devices
from ntkexec.theory.certificate import Certificate


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BooleanEngine:
    """The program itself, a sum of products: nothing is learned. Its margins are 1/2."""

    encoding: Encoding
    thresholds: Float[Array, "k m"]

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        return (matches.matched_writers > 0).astype(jnp.float32)


def program_engine(problem: LearningProblem) -> BooleanEngine:
    """A program as an engine: what every other one is compared with."""
    thresholds = devices.put(np.full((problem.program.layout.num_bits, 1), 0.5, np.float32))
    return BooleanEngine(index_arrays(problem), thresholds)


def boolean_engine(certificate: Certificate) -> BooleanEngine:
    """The program of a certificate as an engine, for comparison and for tracing."""
    return program_engine(certificate.problem)
