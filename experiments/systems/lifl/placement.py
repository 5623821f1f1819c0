"""Which node an update goes to: as few nodes as can be, so that few sums travel between nodes."""

import itertools
from collections.abc import Callable, Sequence

from ntkexec.errors import ExperimentError

MOST_UPDATES = 12
"""For which the fewest nodes are searched exhaustively."""
Placement = tuple[int, ...]
"""The node of every update."""
Place = Callable[[Sequence[float], Sequence[float]], Placement]


def place_best_fit(residuals: Sequence[float], sizes: Sequence[float]) -> Placement:
    """Every update to the feasible node with the least residual; the most residual where none is.

    For equal nodes and updates of size 1 no placement uses fewer nodes, nor does any other rule that opens
    a node only where no open one has room. For unequal nodes it may use
    more: of two with residuals of 2 and 10, ten updates fit the second alone, and fill the first before.

    Args:
        residuals: updates that each node can still take, its capacity less what is under way there.
        sizes: of the updates, in the order in which they come; 1 for one model.

    Returns:
        The node of every update; of equal ones the first.

    Raises:
        ExperimentError: there is no node, or an update's size is not positive.
    """
    return _placed(residuals, sizes, lambda left, fits, turn: min(fits, key=left.__getitem__))


def place_first_fit(residuals: Sequence[float], sizes: Sequence[float]) -> Placement:
    """Every update to the first feasible node; see `place_best_fit`."""
    return _placed(residuals, sizes, lambda left, fits, turn: fits[0])


def place_round_robin(residuals: Sequence[float], sizes: Sequence[float]) -> Placement:
    """Updates to the feasible nodes in turn; see `place_best_fit`."""
    num = len(residuals)
    return _placed(
        residuals, sizes, lambda left, fits, turn: min(fits, key=lambda n: (n - turn) % num)
    )


def _placed(
    residuals: Sequence[float],
    sizes: Sequence[float],
    pick: Callable[[list[float], list[int], int], int],
) -> Placement:
    left = [float(value) for value in residuals]
    if not left:
        raise ExperimentError("updates need a node to go to; there is none")
    found: list[int] = []
    turn = 0
    for size in sizes:
        if not size > 0:
            raise ExperimentError(f"an update's size is above 0, not {size!r}")
        fits = [node for node, free in enumerate(left) if size <= free]
        node = pick(left, fits, turn) if fits else max(range(len(left)), key=left.__getitem__)
        left[node] -= size
        found.append(node)
        turn = (node + 1) % len(left)
    return tuple(found)


def fewest_nodes(residuals: Sequence[float], sizes: Sequence[float]) -> int:
    """The least number of nodes that hold all updates, by search.

    Raises:
        ExperimentError: too many updates to search, or they fit no choice of nodes.
    """
    if len(sizes) > MOST_UPDATES:
        raise ExperimentError(
            f"{len(sizes)} updates are too many to search; at most {MOST_UPDATES} are not"
        )
    largest_first = sorted(sizes, reverse=True)
    for number in range(len(residuals) + 1):
        chosen = {tuple(sorted(some)) for some in itertools.combinations(residuals, number)}
        if any(_fit(list(some), largest_first) for some in chosen):
            return number
    raise ExperimentError(f"{len(sizes)} updates do not fit the {len(residuals)} nodes")


def _fit(left: list[float], sizes: list[float]) -> bool:
    if not sizes:
        return True
    size, *others = sizes
    for free in {free for free in left if size <= free}:
        rest = left.copy()
        rest[rest.index(free)] -= size
        if _fit(rest, others):
            return True
    return False
