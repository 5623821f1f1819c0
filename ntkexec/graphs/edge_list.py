"""Edge lists: one edge a line, as most collections of graphs publish them."""

import re
from collections.abc import Iterable

import networkx as nx

from ntkexec.errors import GraphError

# Text that an int writes back unchanged: 7 and -7, but not 007, whose zeros may carry meaning.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WEIGHT = re.compile(r"[+-]?[0-9]{1,18}")


def parse_edge_list(lines: Iterable[str], place: str) -> nx.Graph:
    """The undirected graph of an edge list.

    A line holds two names and perhaps an integer weight, between commas or white space; `#` starts
    a comment. There is no header. An edge given twice, in either direction, keeps its smallest
    weight. Names that are all integers become integers.

    Args:
        lines: the text.
        place: the file, for messages.

    Raises:
        GraphError: names the line and what was expected there.
    """
    graph: nx.Graph = nx.Graph()
    first_line, num_columns = 0, 0
    first_edge: tuple[str, ...] = ()
    for number, line in enumerate(lines, start=1):
        content = line.split("#", 1)[0].strip()
        if not content:
            continue
        columns = [c.strip() for c in content.split(",")] if "," in content else content.split()
        where = f"line {number} of {place}"
        if len(columns) not in (2, 3) or not all(columns):
            raise GraphError(
                f"{where} is {content[:60]!r}; expected two names and perhaps an integer weight"
            )
        num_columns = num_columns or len(columns)
        first_line = first_line or number
        if len(columns) != num_columns:
            raise GraphError(
                f"{where} has {len(columns)} columns where line {first_line} has {num_columns}; "
                f"either all edges have a weight or none"
            )
        u, v, *rest = columns
        first_edge = first_edge or (u, v)
        if not rest:
            graph.add_edge(u, v)
            continue
        if not _WEIGHT.fullmatch(rest[0]):
            header = " (an edge list has no header)" if number == first_line else ""
            raise GraphError(f"{where} has weight {rest[0]!r}; expected an integer{header}")
        weight = int(rest[0])
        if graph.has_edge(u, v):
            weight = min(weight, graph.edges[u, v]["weight"])
        graph.add_edge(u, v, weight=weight)
    if len(graph) == 0:
        raise GraphError(f"{place} holds no edges; expected one a line")
    others = set(graph) - set(first_edge)
    others_are_integers = others and all(map(_INTEGER.fullmatch, others))
    if others_are_integers and all(name[0].isalpha() for name in first_edge):
        raise GraphError(
            f"line {first_line} of {place} has the names {first_edge[0]!r} and "
            f"{first_edge[1]!r} where all others are integers; an edge list has no header"
        )
    return with_integer_names(graph)


def with_integer_names(graph: nx.Graph) -> nx.Graph:
    """The graph with its names as integers if all of them read as such, and otherwise as it is."""
    if not all(isinstance(name, str) and _INTEGER.fullmatch(name) for name in graph):
        return graph
    return nx.relabel_nodes(graph, int)
