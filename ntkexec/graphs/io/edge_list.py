"""Edge lists: one edge a line, as most collections of graphs publish them."""

import re
from decimal import Decimal

import networkx as nx

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.io.separators import Line, content_lines, split

# Text that an int writes back unchanged: 7 and -7, but not 007, whose zeros may carry meaning.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_WEIGHT = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
# What a table calls the ends of an edge, in lower case and without blanks, "_" or "id".
_HEADERS = {
    *(("source", "target"), ("from", "to"), ("fromnode", "tonode"), ("src", "dst")),
    *(("sender", "receiver"), ("head", "tail"), ("tail", "head"), ("start", "end")),
    *(("node1", "node2"), ("node", "node"), ("nodea", "nodeb"), ("1", "2")),
}
# What other formats begin a comment or a header with.
_FOREIGN_COMMENTS = ("%", "//")


def is_weight(text: str) -> bool:
    """Whether the third column of an edge list may hold this: a decimal number."""
    return _WEIGHT.fullmatch(text) is not None


def weight_of(text: str) -> int | Decimal:
    """The number, with all its digits."""
    return int(text) if _WHOLE.fullmatch(text) else Decimal(text)


def parse_edge_list(
    text: str, place: str, *, directed: bool = False, commas: bool = False
) -> nx.Graph:
    """The graph of an edge list.

    A line holds two names and perhaps a weight, a decimal number. Tabs, commas or semicolons separate
    them if every line has some, and names may hold blanks then; otherwise blanks do. Between commas,
    semicolons and tabs, quotation marks are read as Python's csv reads them. A `#` starts a comment at
    the beginning of a line or after a blank, nowhere else. There is no header. An edge given twice, in
    either direction unless edges are directed, keeps its smallest weight. Names that are all integers
    become integers.

    Args:
        text: the whole file.
        place: the file, for messages.
        directed: whether an edge leads from the first name to the second.
        commas: whether the file says by its name that it is separated by commas or semicolons.

    Raises:
        GraphError: names the line and what was expected there; or the text can be read in two ways.
    """
    lines = content_lines(text)
    if not lines:
        raise GraphError(f"{place} holds no edges; expected one a line")
    first = lines[0]
    if first.content.startswith(_FOREIGN_COMMENTS):
        raise GraphError(
            f"line {first.number} of {place} begins with {shown(first.content[0])}; a comment begins with "
            f"'#'"
        )
    graph: nx.Graph = nx.DiGraph() if directed else nx.Graph()
    fits = split(lines, place, commas=commas, is_weight=is_weight)
    for line in lines:
        _check_columns(line, first, place)
        u, v, *rest = line.columns
        if not rest:
            graph.add_edge(u, v)
            continue
        weight = weight_of(rest[0])
        if graph.has_edge(u, v):
            weight = min(weight, graph.edges[u, v]["weight"])
        graph.add_edge(u, v, weight=weight)
    if not fits:
        raise GraphError(f"{place} is separated by blanks in one place and by commas in another")
    _check_header(graph, first, place)
    return with_integer_names(graph)


def _check_columns(line: Line, first: Line, place: str) -> None:
    """Raises unless a line has two names and perhaps a weight, as many columns as the first."""
    where, columns = f"line {line.number} of {place}", line.columns
    if len(columns) not in (2, 3) or not all(columns):
        raise GraphError(
            f"{where} is {shown(line.content)}; expected two names and perhaps a weight"
        )
    if len(columns) != len(first.columns):
        raise GraphError(
            f"{where} has {len(columns)} columns where line {first.number} has "
            f"{len(first.columns)}; either all edges have a weight or none"
        )
    if len(columns) == 3 and not is_weight(columns[2]):
        header = " (an edge list has no header)" if line is first else ""
        raise GraphError(f"{where} has weight {shown(columns[2])}; expected a number{header}")


def _check_header(graph: nx.Graph, first: Line, place: str) -> None:
    """Raises if the first line names columns rather than nodes."""
    u, v = first.columns[:2]
    others = set(graph) - {u, v}
    others_are_integers = bool(others) and all(map(_INTEGER.fullmatch, others))
    is_apart = u != v and all(set(graph.adj[name]) <= {u, v} for name in (u, v))
    if graph.is_directed():
        is_apart = is_apart and all(set(graph.pred[name]) <= {u, v} for name in (u, v))
    if others_are_integers and u[0].isalpha() and v[0].isalpha():
        why = f"has the names {shown(u)} and {shown(v)} where all others are integers"
    elif others and is_apart and (_plain(u), _plain(v)) in _HEADERS and not u.isdecimal():
        why = f"holds {shown(u)} and {shown(v)}, which occur nowhere else"
    else:
        return
    raise GraphError(
        f"line {first.number} of {place} {why}; an edge list has no header (begin it with '#')"
    )


def _plain(header: str) -> str:
    return re.sub(r"[ _-]|id", "", header.lower())


def with_integer_names(graph: nx.Graph) -> nx.Graph:
    """The graph with its names as integers if all of them read as such, and otherwise as it is."""
    if not all(isinstance(name, str) and _INTEGER.fullmatch(name) for name in graph):
        return graph
    return nx.relabel_nodes(graph, int)
