"""Engines that are made once for a program and a session; whether one is right does not depend on a graph."""

import functools

from ntkexec import ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig

DECISIONS = 10**8


@functools.cache
def engine_for(name, program):
    """An engine, and the certificate of its program; networks as the certificate asks for."""
    certificate = pipeline.certify(program, num_decisions=DECISIONS)
    networks = None
    if name == "ensemble":
        members = certificate.ensemble_size(delta=1e-3, num_decisions=DECISIONS)
        width = pipeline.default_width(certificate)
        networks = ensemble.train(certificate.problem, EnsembleConfig(members=members, width=width))
    return pipeline.make_engine(name, certificate, networks), certificate
