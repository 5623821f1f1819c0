"""Interference of every bit beside the capacity that it must stay below, as data to draw."""

from typing import Any

from ntkexec.theory import predictor
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import NEVER


def interference_curves(certificate: Certificate) -> dict[str, Any]:
    """What `ntkexec.plots.certificate` draws, as plain data.

    Returns:
        `curves`: by n0, as text, C(m, n0) for m = 2, 3, ... up to the largest that can occur;
        `bits`: n0, m and the interference (w - a) / a with the fewest matched writers a that
        are possible, for every bit and m, each triple once; `verdict`: one sentence. With one
        threshold for all bits, a bit is certified where its interference is below the curve.
    """
    problem, fewest = certificate.problem, certificate.bound.min_matched_writers
    points = set()
    for bit, owner in enumerate(problem.component_of_bit.tolist()):
        for m in range(2, fewest.shape[1]):
            matched = int(fewest[bit, m])
            if owner >= 0 and matched != NEVER:
                writers = int(problem.program.num_writers[bit])
                points.add((int(problem.num_inputs[owner]), m, (writers - matched) / matched))
    largest: dict[int, int] = {}
    for n0, m, _ in sorted(points):
        largest[n0] = max(m, largest.get(n0, 0))
    return {
        "curves": {
            str(n0): [
                float(predictor.capacity(m, n0, kernel=certificate.kernel))
                for m in range(2, most + 1)
            ]
            for n0, most in largest.items()
        },
        "bits": [{"n0": n0, "m": m, "interference": y} for n0, m, y in sorted(points)],
        "verdict": certificate.verdict(),
    }
