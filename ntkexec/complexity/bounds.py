"""What theory says of the number of networks: the public bounds, and ours."""

import dataclasses
import math

from scipy import stats

from ntkexec.complexity.margins import Margins
from ntkexec.complexity.records import BoundsRecord


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Numbers of networks, from loose to sharp; None where no number is enough.

    All but the first speak of the same decisions and the same probability delta of any mistake, and
    can be compared with one another.

    Args:
        published: 8 n0 log(2 n0 T) + 8 n0^2 log 2: the published 8 n0 log(2 n0 T I) for all I = 2^n0
            encoded inputs. It knows no delta.
        theory: 8 n0 log(decisions / delta): the same n0 for sigma^2 / mu^2, which is no upper bound of it
            (`ntkexec check noise-unbounded`), over the D decisions of the executions.
        numerical: 8 (sigma^2 / mu^2) log(decisions / delta), with the largest ratio that occurs.
        certificate: the certificate's union bound over the D decisions.
        union: the union bound, with exact Gaussian tails, over the distinct decisions.
        lower: (sigma z_delta / g)^2: with fewer the worst decision alone fails more often than delta.

    n0 counts training pairs, of the largest component before the logarithm and in I and of all in the
    rest; T steps.

    Source: Fetrat Qharabagh et al., "Learning to Execute Graph Algorithms Exactly with Graph Neural
        Networks" (2026), for the published one.
    """

    published: int
    theory: int
    numerical: int | None
    certificate: int | None
    union: int | None
    lower: int | None

    def to_data(self) -> BoundsRecord:
        """As plain data, for JSON."""
        return BoundsRecord(
            published=self.published,
            theory=self.theory,
            numerical=self.numerical,
            certificate=self.certificate,
            union=self.union,
            lower=self.lower,
        )


def published(num_templates: int, num_steps: int, *, total: int | None = None) -> int:
    """8 n0 log(2 n0 T) + 8 n0^2 log 2.

    Args:
        num_templates: n0 of the largest component.
        num_steps: T.
        total: n0 of all components, where there are several.
    """
    terms = 2 * (num_templates if total is None else total) * num_steps
    return math.ceil(8 * num_templates * (math.log(terms) + num_templates * math.log(2)))


def bounds_of(margins: Margins, *, delta: float) -> Bounds:
    """All bounds.

    Args:
        margins: of the decisions.
        delta: probability of any error that all but the published one allow.
    """
    cases = margins.cases
    num_inputs = cases.problem.num_inputs
    log_terms = math.log(cases.num_decisions / delta)
    finite = margins.right_in_the_mean
    certificate = None
    if finite:
        certificate = cases.certificate(
            margins.convention, weight_std=margins.weight_std, draw=margins.draw
        ).ensemble_size(delta=delta, num_decisions=cases.num_decisions)
    return Bounds(
        published=published(int(num_inputs.max()), cases.num_steps, total=int(num_inputs.sum())),
        theory=math.ceil(8 * int(num_inputs.max()) * log_terms),
        numerical=max(1, math.ceil(8 * margins.noise_ratio * log_terms)) if finite else None,
        certificate=certificate,
        union=margins.members_for(delta) if finite else None,
        lower=_lower(margins, delta) if finite else None,
    )


def _lower(margins: Margins, delta: float) -> int:
    """The least N with which the worst decision alone is right with probability 1 - delta."""
    if not len(margins.z):
        return 1
    return max(1, math.ceil((stats.norm.isf(delta) / margins.z.min()) ** 2))
