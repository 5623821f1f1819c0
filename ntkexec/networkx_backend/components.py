"""Components, connected or weakly so, and whether they are bipartite."""

from collections.abc import Hashable, Iterator

from ntkexec.networkx_backend.calls import Call
from ntkexec.networkx_backend.distances import levels
from ntkexec.programs import prepare


def parts(call: Call) -> list[set[Hashable]]:
    """The components without regard to directions, in the order of their first nodes."""
    graph = call.converted(undirected=True)
    result = call.run(prepare("components", graph))
    found: dict[int, set[Hashable]] = {}
    for node, component in zip(graph.names, call.column(result, "component"), strict=True):
        found.setdefault(component, set()).add(node)
    return list(found.values())


def connected_components(call: Call) -> Iterator[set[Hashable]]:
    """As networkx's function of this name, like all that follow."""
    return iter(parts(call))


def number_connected_components(call: Call) -> int:
    return len(parts(call))


def is_connected(call: Call) -> bool:
    return len(parts(call)) == 1


def node_connected_component(call: Call, n: Hashable) -> set[Hashable]:
    if n not in call.graph:
        raise KeyError(n)
    return set(levels(call, [n]))


weakly_connected_components = connected_components
number_weakly_connected_components = number_connected_components
is_weakly_connected = is_connected


def is_bipartite(call: Call) -> bool:
    # A loop is a cycle of odd length, and no edge that a program sees.
    if any(node in call.graph.adj[node] for node in call.graph):
        return False
    result = call.run(prepare("bipartite", call.converted(undirected=True)))
    return all(call.column(result, "bipartite"))
