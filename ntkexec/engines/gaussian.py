"""Gaussian draws as an update engine: the compiled execution asks the host for new states' values."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.executor.encoding import Encoding, Matches, index_arrays
from ntkexec.theory.certificate import Certificate

# Compiled code carries a number in place of the ensemble, so that all draws share it.
_ensembles: dict[int, GaussianEnsemble] = {}
_next_number = itertools.count()


def _means(number: np.ndarray, matched: np.ndarray) -> np.ndarray:
    return _ensembles[int(number)].means(np.asarray(matched)).astype(np.float32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class GaussianEngine:
    """N networks of infinite width, averaged.

    number: which ensemble this is, in this process.
    """

    encoding: Encoding
    thresholds: Float[Array, "k m"]
    number: Int[Array, ""]

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        shape = (self.encoding.num_writers.shape[0], matches.count.shape[1])
        return jax.pure_callback(
            _means, jax.ShapeDtypeStruct(shape, jnp.float32), self.number, matches.matched
        )


def gaussian_engine(ensemble: GaussianEnsemble, certificate: Certificate) -> GaussianEngine:
    """The ensemble as an engine, with the certificate's thresholds.

    The ensemble, and the values that it has drawn, are kept as long as the process lives.
    """
    number = next(_next_number)
    _ensembles[number] = ensemble
    return GaussianEngine(
        index_arrays(certificate.problem),
        jnp.asarray(certificate.thresholds),
        jnp.asarray(number, jnp.int32),
    )
