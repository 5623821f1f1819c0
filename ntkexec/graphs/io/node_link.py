"""networkx's node-link JSON: read by networkx, once its promises are checked."""

import json
from typing import Any

import networkx as nx

from ntkexec.errors import GraphError, shown


def parse_node_link(text: str, place: str) -> nx.Graph:
    """The graph of a node-link document.

    Args:
        text: the document.
        place: the file, for messages.

    Raises:
        GraphError: it is no JSON, or no node-link graph; a key or a node is there twice, an edge twice
            with different attributes, or a flag is not true or false.
        Exception: whatever networkx raises on other bad content.
    """
    try:
        data = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise GraphError(f"line {error.lineno} of {place} is not JSON: {error.msg}") from error
    except _RepeatedKeyError as error:
        raise GraphError(f"{place} has the key {shown(str(error))} twice in one object") from error
    keys = [key for key in ("edges", "links") if isinstance(data, dict) and key in data]
    if not keys or not isinstance(data.get("nodes"), list) or not isinstance(data[keys[0]], list):
        raise GraphError(
            f"{place} is not a node-link graph; expected an object with the lists 'nodes' and "
            f"'edges' (or 'links')"
        )
    if len(keys) > 1:
        raise GraphError(f"{place} has 'edges' and 'links'; expected one of them")
    for flag in ("directed", "multigraph"):
        if not isinstance(data.get(flag, False), bool):
            raise GraphError(f"{place} has {flag} {shown(data[flag])}; it must be true or false")
    edges = data[keys[0]]
    graph = nx.node_link_graph(data, edges=keys[0])
    if len(graph) != len(data["nodes"]):
        raise GraphError(
            f"{place} lists {len(data['nodes'])} nodes where its edges and names make {len(graph)}; "
            f"each node must be listed once"
        )
    if graph.number_of_edges() != len(edges):
        _check_repeated(graph, edges, place)
    return graph


class _RepeatedKeyError(Exception):
    """Of two values for one key JSON keeps the last."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def _check_repeated(graph: nx.Graph, edges: list[dict[str, Any]], place: str) -> None:
    """Raises unless edges that are there twice say the same both times."""
    first: dict[object, dict[str, Any]] = {}
    for edge in edges:
        source, target = (
            tuple(end) if isinstance(end, list) else end for end in (edge["source"], edge["target"])
        )
        ends = (source, target) if graph.is_directed() else frozenset((source, target))
        attributes = {k: v for k, v in edge.items() if k not in ("source", "target")}
        key = (ends, edge.get("key") if graph.is_multigraph() else None)
        if first.setdefault(key, attributes) != attributes:
            raise GraphError(
                f"{place} has the edge from {shown(source)} to {shown(target)} twice, as "
                f"{shown(first[key])} and {shown(attributes)}"
            )
