"""The certificates and thresholds that statements speak of, in one place.

Three conventions: `zero` (the paper's), `shared` (one threshold for all bits, by the number of
matches: half the smallest mean of a 1), and one for each bit, w beta + Delta / (2 lambda). Here the
second; the third is computed in `bit_thresholds` on its own, as an independent second route.
"""

import dataclasses

import numpy as np
from jaxtyping import Float64

from ntkexec import pipeline
from ntkexec.certificate import Certificate
from ntkexec.match_bound import state_bound
from ntkexec.problem import LearningProblem
from ntkexec.programs.instance import Instance


def shared(problem: LearningProblem) -> Certificate:
    """The certificate of a problem over all states, with one threshold for all bits at each m."""
    return Certificate(problem, state_bound(problem), convention="shared")


def shared_on(instance: Instance) -> Certificate:
    """Likewise of a joint program over the states that occur on its graph."""
    return pipeline.certify(
        instance.program,
        kind="joint",
        num_decisions=10**6,
        instance=instance,
        threshold="shared",
    )


def as_shared(certificate: Certificate) -> Certificate:
    """The same certificate with one threshold for all bits of a component at each m."""
    return dataclasses.replace(certificate, convention="shared", given_thresholds=None)


def table(certificate: Certificate) -> Float64[np.ndarray, "k m"]:
    """The thresholds of a certificate, by bit and number of matches, whatever its convention."""
    return certificate.thresholds


def at(certificate: Certificate, num_matches: np.ndarray) -> Float64[np.ndarray, "s k"]:
    """The thresholds of all bits in states with these numbers of matches (of a joint problem)."""
    return table(certificate)[:, num_matches].T
