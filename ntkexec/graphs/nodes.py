"""Nodes have names outside and identifiers (their index) inside: the order, and the way back."""

import operator
from collections.abc import Hashable, Sequence

import networkx as nx

from ntkexec.errors import GraphError, did_you_mean, shown

# Names compared when suggesting the nearest one; difflib takes a second for 50,000.
MAX_COMPARED = 10_000


def ordered_nodes(graph: nx.Graph) -> list[Hashable]:
    """The nodes in the order of their identifiers, on which every tie-break rests.

    Returns:
        The names in ascending order if they have one, and otherwise as they were inserted.
        Strings compare as strings: '10' comes before '2'.
    """
    nodes = list(graph)
    try:
        ascending = sorted(nodes)
        # Sets and nan sort without an error, but into no order.
        is_total = all(map(operator.lt, ascending, ascending[1:]))
    except (TypeError, ValueError):
        return nodes
    return ascending if is_total else nodes


def find_node(names: Sequence[Hashable], name: Hashable, place: str) -> int:
    """The identifier of the node with a name.

    Args:
        names: the names by identifier.
        name: a name, or its text as `str` writes it. A node with this very name goes before one
            that only reads like it.
        place: the graph, for the message.

    Raises:
        GraphError: names `name` and what would fit: the range of integer names, or the nearest.
    """
    exact = next((i for i, other in enumerate(names) if other == name), None)
    if exact is not None:
        return exact
    text = str(name)
    alike = [i for i, other in enumerate(names) if str(other) == text]
    if len(alike) == 1:
        return alike[0]
    if alike:
        some = ", ".join(f"{shown(names[i])} (identifier {i})" for i in alike[:3])
        raise GraphError(
            f"node {shown(name)} of {place} is ambiguous: {len(alike)} nodes fit: {some}"
        )
    whole = [other for other in names if type(other) is int]
    if len(whole) == len(names):
        known = f"; its {len(names)} nodes lie in {min(whole)}..{max(whole)}"
    else:
        known = did_you_mean(text, map(str, names[:MAX_COMPARED]))
        known = known or f"; its nodes are {', '.join(map(shown, names[:3]))}, ..."
    raise GraphError(f"{place} has no node {shown(name)}{known}")
