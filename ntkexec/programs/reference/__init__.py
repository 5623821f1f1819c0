"""What each program must compute, in plain Python and networkx, independent of templates."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

NONE = -(2**63)
"""Stands for no value in a field of an answer that can be negative; elsewhere -1 does."""

# Any: nodes are whatever can be hashed, and for this order compared.
Order = Callable[[Any, Iterable[Any]], list[Any]]
"""`order(node, others)`: in which order a node takes some of its neighbours."""


def by_identifier(node: Hashable, others: Iterable[Any]) -> list[Any]:
    """The order of the neighbours' identifiers, smallest first."""
    return sorted(others)
