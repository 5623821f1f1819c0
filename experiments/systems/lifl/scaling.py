"""How many aggregators each node gets, from a smoothed count of what arrives."""

import dataclasses
import math
from collections.abc import Sequence

from ntkexec.errors import ExperimentError

SMOOTHING = 0.7
"""Weight of the newest count, as a third party's simulation of the paper has it."""
ROUNDING = 1e-9
"""Of a smoothed count that comes down to a whole number of leaves, and would need one more."""


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Aggregators for the next period.

    Args:
        queues: smoothed number of updates of every node.
        leaves: of every node; none where nothing is expected.
        middles: of every node: one where several leaves are to be merged.
        top: the node with most updates; the first of several.
    """

    queues: tuple[float, ...]
    leaves: tuple[int, ...]
    middles: tuple[int, ...]
    top: int


def scale(
    arrived: Sequence[float],
    before: Sequence[float] | None = None,
    *,
    fan_in: int = 2,
    smoothing: float = SMOOTHING,
) -> Scaling:
    """Leaves, middles and the top for updates that arrived at every node in the last period.

    A node's queue is `smoothing * arrived + (1 - smoothing) * before`; it gets a leaf for every
    `fan_in` of it, rounded up. Under constant load the error of the queue shrinks by `1 - smoothing`
    each period.

    Args:
        arrived: updates by node.
        before: the `queues` of the period before; none at the start, when what arrived is taken as it is.
        fan_in: updates of a leaf.
        smoothing: between 0 and 1.

    Raises:
        ExperimentError: a number that makes no sense.
    """
    if not 0 < smoothing <= 1:
        raise ExperimentError(f"smoothing lies above 0 and up to 1; got {smoothing!r}")
    if not fan_in >= 1:
        raise ExperimentError(f"a leaf takes an update at least; fan_in was {fan_in!r}")
    before = arrived if before is None else before
    if len(before) != len(arrived) or not arrived or min(*arrived, *before, 0) < 0:
        raise ExperimentError(
            f"updates are counted from 0 on at the same nodes, not {list(before)} and {list(arrived)}"
        )
    queues = tuple(
        smoothing * new + (1 - smoothing) * old for new, old in zip(arrived, before, strict=True)
    )
    leaves = tuple(max(0, math.ceil(queue / fan_in - ROUNDING)) for queue in queues)
    middles = tuple(int(number > 1) for number in leaves)
    return Scaling(queues, leaves, middles, max(range(len(queues)), key=queues.__getitem__))
