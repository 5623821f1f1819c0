"""When aggregators are done, by formulas: folding on arrival, folding at the end, and in a tree."""

from collections.abc import Sequence


def eager_end(arrivals: Sequence[float], fold: float) -> float:
    """When all is folded, if every update is folded as soon as it has come and the one before is done.

    Args:
        arrivals: times in seconds, sorted.
        fold: seconds of one update.
    """
    end = float("-inf")
    for arrival in arrivals:
        end = max(end, arrival) + fold
    return end


def lazy_end(arrivals: Sequence[float], fold: float) -> float:
    """When all is folded, if the first is folded after the last has come; never before `eager_end`."""
    return max(arrivals) + len(arrivals) * fold


def tree_end(leaves: Sequence[Sequence[float]], fold: float) -> float:
    """When the first of several eager leaves, which then merges the others, is done.

    Args:
        leaves: the sorted arrivals at every leaf; the first is promoted, and keeps its own sum.
        fold: seconds of one update or one sum.
    """
    first, *others = (eager_end(arrivals, fold) for arrivals in leaves)
    end = first
    for other in others:  # in this order, whichever comes first
        end = max(end, other) + fold
    return end
