"""What theory says of the number of networks: the public bounds, and ours."""

import dataclasses
import math

from ntkexec.complexity.margins import Margins


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Numbers of networks that are enough, from loose to sharp; None where none is.

    Args:
        theory: 8 n0 log(2 n0 T I), which puts n0 for sigma^2 / mu^2.
        numerical: 8 (sigma^2 / mu^2) log(2 n0 T I), with the largest ratio that occurs.
        certificate: the certificate's union bound over all decisions of the executions.
        union: the union bound, with exact Gaussian tails, over the distinct decisions.

    n0 counts training pairs, of all components in the logarithm and of the largest before it; T
    steps, I nodes of all graphs.

    Source: Fetrat Qharabagh et al., "Learning to Execute Graph Algorithms Exactly with Graph Neural
        Networks" (2026), for the first two.
    """

    theory: int
    numerical: int | None
    certificate: int | None
    union: int | None

    def to_data(self) -> dict[str, int | None]:
        return dataclasses.asdict(self)


def bounds(margins: Margins, *, delta: float) -> Bounds:
    """All bounds.

    Args:
        margins: of the decisions.
        delta: probability of any error that the last two allow.
    """
    cases = margins.cases
    num_inputs = cases.problem.num_inputs
    terms = 2 * int(num_inputs.sum()) * cases.num_steps * cases.num_nodes
    finite = margins.right_in_the_mean
    certificate = None
    if finite:
        certificate = cases.certificate(
            margins.convention, weight_std=margins.weight_std
        ).ensemble_size(delta=delta, num_decisions=cases.num_decisions)
    return Bounds(
        theory=math.ceil(8 * int(num_inputs.max()) * math.log(terms)),
        numerical=max(1, math.ceil(8 * margins.noise_ratio * math.log(terms))) if finite else None,
        certificate=certificate,
        union=margins.members_for(delta) if finite else None,
    )
