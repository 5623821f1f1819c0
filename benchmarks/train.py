"""Seconds to train a certified ensemble, compilation apart.

There is no rival to install: the public implementation trains networks of width 42,000 for 7,000
steps at a fixed rate. The steps it would take are named next to ours.
"""

import time
from typing import Any

from ntkexec import ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig
from ntkexec.programs.graph import flooding
from ntkexec.runtime import compilation

CASES: tuple[dict[str, Any], ...] = (
    {"degree": 2, "word": 1, "kind": "factored"},
    {"degree": 2, "word": 1, "kind": "joint"},
    {"degree": 3, "word": 4, "kind": "factored"},
    {"degree": 3, "word": 4, "kind": "joint"},
)
DECISIONS = 1_000_000
DELTA = 1e-3
PUBLIC_STEPS, PUBLIC_WIDTH = 7_000, 42_000


def one(degree: int, word: int, kind: Any) -> dict[str, Any]:
    """Trains the ensemble of one flooding program twice, with and without compiling."""
    program = flooding.program(**flooding.sizes(degree=degree, word=word))
    certificate = pipeline.certify(program, kind=kind, delta=DELTA, num_decisions=DECISIONS)
    config = EnsembleConfig(
        members=certificate.ensemble_size(delta=DELTA, num_decisions=DECISIONS),
        width=pipeline.default_width(certificate),
    )
    compilation.clear()
    start = time.perf_counter()
    ensemble.train(certificate.problem, config)
    first = time.perf_counter() - start
    start = time.perf_counter()
    trained = ensemble.train(certificate.problem, config)
    again = time.perf_counter() - start
    return {
        "degree": degree,
        "word": word,
        "kind": kind,
        "templates": program.num_templates,
        "padding": certificate.problem.num_padding,
        "networks": len(certificate.problem.components) * config.members,
        "members": config.members,
        "width": config.width,
        "gradient_steps": trained.max_steps,
        "public_gradient_steps": PUBLIC_STEPS,
        "public_width": PUBLIC_WIDTH,
        "seconds": first,
        "seconds_when_compiled": again,
        "residual": trained.residual,
    }


def run() -> dict[str, Any]:
    """All cases."""
    return {"rows": [one(**case) for case in CASES]}
