"""What no program computes, in words: which calls the backend leaves to others."""

import collections
import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any

import networkx as nx

from ntkexec.networkx_backend.info import BREADTH_FIRST, DEPTH_FIRST, SPLITTABLE, WEIGHTED
from ntkexec.networkx_backend.weighted import lengths_of

TREES = {*BREADTH_FIRST, *DEPTH_FIRST}
DEGREE_OF_TREES = 8
"""Largest degree by default: programs with a token, and those with weights, grow with its square."""

DEGREE = 32
"""Likewise, where all nodes work at once."""

MOST = 2**31
"""Weights are numbers of 32 bits with a sign."""


def why_not(
    name: str, graph: nx.Graph, arguments: Mapping[str, Any], options: Mapping[str, Any]
) -> str | None:
    """Why a call is declined, or None if it is not.

    Args:
        name: networkx's function.
        graph: its graph.
        arguments: the others, all of them.
        options: of the call; see `calls.options`.
    """
    if len(graph) == 0:
        return "a graph without nodes"
    weight = arguments.get("weight")
    is_weighted = name in WEIGHTED or (name == "shortest_path_length" and weight is not None)
    reasons = [_of_trees(name, graph, arguments) if name in TREES else None]
    if name == "eccentricity" and (arguments["sp"] is not None or weight is not None):
        reasons.append("eccentricity with weights, or with paths that are there")
    if is_weighted:
        to_one = name == "shortest_path_length" and arguments["source"] is None
        against = to_one and arguments["target"] is not None and graph.is_directed()
        positive = "dijkstra" in _method(name, arguments)
        reasons.append(_of_weights(graph, weight, against=against, positive=positive))
    max_degree = options["max_degree"]
    if options["split_degree"] is not None:
        if name not in SPLITTABLE:
            reasons.append("a split graph, on which its program does not run")
        return next((reason for reason in reasons if reason), None)
    if max_degree is None:
        max_degree = DEGREE_OF_TREES if name in TREES or is_weighted else DEGREE
    degree = max(
        len({*graph.adj[node], *(graph.pred[node] if graph.is_directed() else ())} - {node})
        for node in graph
    )
    if degree > max_degree:
        reasons.append(
            f"degree {degree}, with which the program would be large; max_degree is {max_degree}"
        )
    return next((reason for reason in reasons if reason), None)


def _method(name: str, arguments: Mapping[str, Any]) -> str:
    return str(arguments["method"]) if name == "shortest_path_length" else name


def _of_trees(name: str, graph: nx.Graph, arguments: Mapping[str, Any]) -> str | None:
    if graph.is_directed():
        return "a directed graph, in which a token cannot walk back"
    if name in DEPTH_FIRST and arguments["depth_limit"] is not None:
        return "depth-first search with a limit on depth"
    order = arguments.get("sort_neighbors")
    if order is not None:
        for node in graph:
            given, there = order(iter(graph.adj[node])), iter(graph.adj[node])
            if collections.Counter(given) != collections.Counter(there):
                return "sort_neighbors that leaves neighbours out, or adds some"
    return None


def _of_weights(graph: nx.Graph, weight: Any, *, against: bool, positive: bool) -> str | None:
    length, near = lengths_of(graph, weight, against=against), graph.pred if against else graph.adj
    for node in near:
        for other in near[node]:
            value = length(node, other)
            if value is None:
                return "weights that hide edges"
            if isinstance(value, bool) or not isinstance(value, numbers.Integral):
                whole = isinstance(value, float) and math.isfinite(value) and value.is_integer()
                return "weights that are floats" if whole else "weights that are not integers"
            if not -MOST <= int(value) < MOST:
                return "weights beyond 32 bits"
            if positive and value < 0:
                return "Dijkstra's algorithm with negative weights"
            if not graph.is_directed() and length(other, node) != value:
                return "weights that depend on the direction of an undirected edge"
    return None


def bound(name: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of networkx's function by name, defaults filled in, and the backend's options."""
    function = nx.utils.backends._registered_algorithms[name].orig_func
    signature = inspect.signature(function)
    own = {key: value for key, value in kwargs.items() if key in signature.parameters}
    options = {key: value for key, value in kwargs.items() if key not in signature.parameters}
    found = signature.bind(*args, **own)
    found.apply_defaults()
    return dict(found.arguments), options
