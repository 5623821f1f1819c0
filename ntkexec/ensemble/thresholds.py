"""The thresholds with which networks run: float32 numbers, by bit and number of matches.

Defined once, here: an ensemble is stored with them, and they are what a certificate judges, what a
run compares with and what `ntkexec.recheck` reads.
"""

import numpy as np
from jaxtyping import Float32

from ntkexec.errors import EnsembleError
from ntkexec.theory.certificate import Certificate


def running(certificate: Certificate) -> Float32[np.ndarray, "k m"]:
    """A certificate's thresholds as they run."""
    return certificate.thresholds.astype(np.float32)


def shared_by(
    stored: Float32[np.ndarray, "k m"] | None, certificate: Certificate
) -> Float32[np.ndarray, "k m"]:
    """The thresholds of a stored ensemble, which must be the certificate's; or the latter.

    They are compared at the numbers of matches that the certificate's bound admits.

    Raises:
        EnsembleError: they differ; names the first bit and number of matches.
    """
    found = running(certificate)
    if stored is None:
        return found
    most = np.append(certificate.bound.max_matches, -1)[certificate.problem.component_of_bit]
    differ = (found != stored) & (np.arange(found.shape[1]) <= most[:, None])
    if differ.any():
        bit, m = (int(i) for i in np.argwhere(differ)[0])
        raise EnsembleError(
            f"the ensemble runs with the threshold {stored[bit, m]:.6g} for "
            f"{certificate.problem.program.layout.bit_names[bit]} at {m} matches, the certificate is "
            f"for {found[bit, m]:.6g}; certify with the thresholds and the bound with which the "
            "ensemble was stored"
        )
    return stored
