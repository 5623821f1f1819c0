"""GML: networkx reads it, nodes get their labels for names, and nested graphs are refused."""

import re

import networkx as nx

from ntkexec.errors import GraphError, shown


def parse_gml(text: str, place: str) -> nx.Graph:
    """The graph of a GML document; nodes are called by their labels if each has its own.

    Args:
        text: the document.
        place: the file, for messages.

    Raises:
        GraphError: a node holds a graph, or nodes or edges are written in a way that networkx takes for
            something else.
        Exception: whatever networkx raises on other bad content.
    """
    graph = nx.parse_gml(re.split(r"\r\n|\r|\n", text), label=None)
    if odd := [key for key in graph.graph if key.lower() in ("node", "edge", "nodes", "edges")]:
        raise GraphError(f"{place} has {shown(odd[0])} where GML writes 'node' and 'edge'")
    for name, attributes in graph.nodes(data=True):
        if {"graph", "node", "edge"} & attributes.keys():
            raise GraphError(
                f"node {shown(name)} of {place} holds a graph of its own; nested graphs are not "
                f"supported"
            )
    labels = nx.get_node_attributes(graph, "label")
    # Labels are names only if each node has its own.
    if len(labels) == len(graph) == len(set(map(str, labels.values()))):
        graph = nx.relabel_nodes(graph, {node: str(label) for node, label in labels.items()})
        for _, attributes in graph.nodes(data=True):
            del attributes["label"]
    return graph
