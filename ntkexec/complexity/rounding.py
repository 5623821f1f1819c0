"""Whether evaluating an ensemble in float32 gives the bits of exact arithmetic.

Every decision has a margin; the accumulated rounding error of its evaluation has an upper bound that
holds in whatever order the sums are taken, and so for every batch of nodes (`ntkexec.theory.rounding` says
on which hardware).
"""

import dataclasses
from typing import Any

import numpy as np

from ntkexec.complexity.cases import Cases
from ntkexec.ensemble import Ensemble
from ntkexec.ensemble.decisions import decisions_of
from ntkexec.ensemble.thresholds import running
from ntkexec.errors import EnsembleError
from ntkexec.theory.rounding import Products
from ntkexec.vocabulary import Convention


@dataclasses.dataclass(frozen=True)
class Float32Certificate:
    """The narrowest decision of an ensemble, against its rounding error.

    Args:
        products: how matrix products are taken; `ntkexec` asks for float32 everywhere.
        num_decisions: decisions that were looked at.
        wrong: those that exact arithmetic decides wrongly.
        smallest_margin: smallest distance of a mean to its threshold, in float64.
        largest_bound: largest bound on the rounding error of a mean.
        smallest_slack: smallest difference of the two at one decision.
    """

    products: Products
    num_decisions: int
    wrong: int
    smallest_margin: float
    largest_bound: float
    smallest_slack: float

    @property
    def certified(self) -> bool:
        """Whether float32 decides every bit as exact arithmetic does."""
        return self.smallest_slack > 0

    def to_data(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"certified": self.certified}


def float32_certificate(
    ensemble: Ensemble,
    cases: Cases,
    *,
    products: Products = "float32",
    convention: Convention = "bit",
) -> Float32Certificate:
    """Compares every decision's margin with the bound on its rounding error.

    Args:
        ensemble: the networks.
        cases: the match sets; their certificate gives the thresholds.
        products: how matrix products are taken. `ntkexec` takes them in float32 on every device;
            the others show whether a faster, coarser product would have done.
        convention: of the thresholds.

    Raises:
        EnsembleError: the ensemble learned another problem.
        CertificateError: so many members and units that nothing is known of their sum.
    """
    if ensemble.problem != cases.problem:
        raise EnsembleError("the ensemble and the match sets are of different learning problems")
    thresholds = running(cases.certificate(convention))
    distances, slack, largest = [], [], 0.0
    for index, part in enumerate(cases.components):
        decided = decisions_of(ensemble, index, part.matched, thresholds)
        bound = decided.evaluation.error_with(products)
        distances.append(decided.distance.ravel())
        slack.append((np.abs(decided.distance) - bound).ravel())
        largest = max(largest, float(bound.max(initial=0)))
    distance, slacks = np.concatenate(distances), np.concatenate(slack)
    return Float32Certificate(
        products=products,
        num_decisions=len(distance),
        wrong=int((~(distance > 0)).sum()),
        smallest_margin=float(np.abs(distance).min()),
        largest_bound=largest,
        smallest_slack=float(slacks.min()),
    )
