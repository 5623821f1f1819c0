"""GraphML: networkx reads it, and what it would leave out or make up is refused."""

import io
import warnings
from collections import Counter
from xml.etree import ElementTree

import networkx as nx

from ntkexec.errors import GraphError, shown

_DIRECTIONS = {"directed", "undirected"}


def parse_graphml(data: bytes, place: str) -> nx.Graph:
    """The graph of a GraphML document, in the encoding that it declares.

    Edges without a value for an attribute have its default, if the document has one.

    Args:
        data: the document.
        place: the file, for messages.

    Raises:
        GraphError: it holds several graphs, or graphs within nodes that networkx does not read; an edge
            ends in no node, a node or an edge is there twice, or a direction is neither.
        Exception: whatever networkx and the XML parser raise on other bad content.
    """
    root = ElementTree.fromstring(data)
    _check(root, place)
    with warnings.catch_warnings():
        # Ports and keys without a type, which say nothing about nodes and edges.
        warnings.simplefilter("ignore")
        graph = nx.read_graphml(io.BytesIO(data))
    num_nodes, num_edges = _count(root, "node"), _count(root, "edge")
    if (len(graph), graph.number_of_edges()) != (num_nodes, num_edges):
        nested = [node for node in _find(root, "node") if _find(node, "graph")]
        raise GraphError(
            f"{place} holds {num_nodes} nodes and {num_edges} edges, of which networkx reads "
            f"{len(graph)} and {graph.number_of_edges()}"
            + (
                f"; node {shown(nested[0].get('id'))} holds a graph of its own, and nested graphs are "
                f"not supported"
                if nested
                else ""
            )
        )
    for name, value in graph.graph.get("edge_default", {}).items():
        for _, _, attributes in graph.edges(data=True):
            attributes.setdefault(name, value)
    return graph


def _check(root: ElementTree.Element, place: str) -> None:
    """Raises GraphError for what networkx reads as something else."""
    graphs = [child for child in root if _local(child) == "graph"]
    if len(graphs) > 1:
        names = ", ".join(shown(graph.get("id")) for graph in graphs[:3])
        raise GraphError(
            f"{place} holds {len(graphs)} graphs ({names}, ...); expected one in a file"
            if len(graphs) > 3
            else f"{place} holds {len(graphs)} graphs ({names}); expected one in a file"
        )
    directions = [graph.get("edgedefault", "undirected") for graph in _find(root, "graph")]
    if odd := set(directions) - _DIRECTIONS:
        raise GraphError(
            f"{place} has edgedefault {shown(min(odd))}; it must be 'directed' or 'undirected'"
        )
    if len(set(directions)) > 1:
        raise GraphError(f"{place} has directed and undirected edges; expected one kind")
    nodes = Counter(node.get("id") for node in _find(root, "node"))
    if None in nodes:
        raise GraphError(f"{place} has a node without an id")
    if repeated := [name for name, count in nodes.items() if count > 1]:
        raise GraphError(f"{place} has the node {shown(repeated[0])} twice")
    for number, edge in enumerate(_find(root, "edge"), start=1):
        if edge.get("directed", "true") not in ("true", "false"):
            raise GraphError(
                f"edge {number} of {place} has directed={shown(edge.get('directed'))}; it must be "
                f"'true' or 'false'"
            )
        for end in ("source", "target"):
            name = edge.get(end)
            if name is None:
                raise GraphError(f"edge {number} of {place} has no {end}")
            if name not in nodes:
                raise GraphError(
                    f"edge {number} of {place} has the {end} {shown(name)}, which is no node"
                )


def _local(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _find(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if _local(element) == name and element is not root]


def _count(root: ElementTree.Element, name: str) -> int:
    return len(_find(root, name))
