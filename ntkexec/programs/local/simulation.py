"""LOCAL algorithms carried out directly, function by function: what compiled programs must equal.

Their ports follow the neighbours' identifiers on every graph, whatever its own ports: a node may
rely on that its neighbours' identifiers increase.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph
from ntkexec.graphs.ports import by_identifiers, in_neighbours
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node, Stage, Update


def nodes_of(graph: Graph, inputs: Sequence[Any] | None = None) -> list[Node]:
    """What every node knows at the start; identifiers count within each graph of a batch.

    Args:
        graph: one graph or a batch.
        inputs: of every node, over the whole batch.

    Raises:
        ProgramError: another number of inputs than of nodes.
    """
    if inputs is not None and len(inputs) != graph.num_nodes:
        raise ProgramError(f"{len(inputs)} inputs for {graph.num_nodes} nodes")
    ports = in_neighbours(by_identifiers(graph), max(1, graph.degree))
    nodes = []
    for part in graph.node_ranges():
        for index in range(part.start, part.stop):
            heard = ports[index][ports[index] >= 0] - part.start
            given = None if inputs is None else inputs[index]
            nodes.append(
                Node(index - part.start, tuple(heard.tolist()), part.stop - part.start, given)
            )
    return nodes


def simulate(
    algorithm: Local, graph: Graph, *, rounds: int, inputs: Sequence[Any] | None = None
) -> list[Any]:
    """The state of every node after so many rounds.

    Args:
        algorithm: what the nodes do.
        graph: one graph or a batch.
        rounds: T.
        inputs: of every node.

    Raises:
        ProgramError: a state or a message that is not of its type, or a node that has not halted.
    """
    nodes = nodes_of(graph, inputs)
    num_ports = max(1, graph.degree)
    ports = in_neighbours(by_identifiers(graph), num_ports)
    reverse = reverse_ports(graph, num_ports) if algorithm.addressed else None
    states = [algorithm.start(node) for node in nodes]
    for _ in range(rounds):
        after = []
        for index, state in enumerate(states):
            received = []
            for port, sender in enumerate(ports[index].tolist()):
                message = None
                if sender >= 0:
                    where = () if reverse is None else (int(reverse[index, port]),)
                    message = algorithm.send(states[sender], *where)
                    if message is not None:
                        algorithm.message.encode(message)
                received.append(message)
            for stage in algorithm.stages:
                if isinstance(stage, Gather):
                    marks = stage.marks(nodes[index])
                    heard = received[: len(marks)]
                    state = stage.after(state, algorithm.send(state), heard, marks)
                else:
                    state = _apply(stage, state, tuple(received))
                algorithm.state.encode(state)
            after.append(state)
        states = after
    for node, state in zip(nodes, states, strict=True):
        algorithm.check_halted(node, state, rounds)
    return states


def _apply(stage: Stage, state: Any, received: tuple[Any, ...]) -> Any:
    if isinstance(stage, Fold):
        for port, message in enumerate(received):
            state = stage.at_port(state, message, port)
        return state
    return stage.function(state, received) if isinstance(stage, Update) else stage.function(state)


def reverse_ports(graph: Graph, num_ports: int) -> np.ndarray:
    """For every node and port, the port at which the neighbour there has this node; -1 if free.

    Raises:
        ProgramError: a directed graph, on which there may be none.
    """
    if graph.directed:
        raise ProgramError(f"graph {graph.label!r} is directed; addressed messages need both ways")
    ports = in_neighbours(by_identifiers(graph), num_ports)
    found = np.full(ports.shape, -1)
    for node, port in np.argwhere(ports >= 0):
        found[node, port] = np.flatnonzero(ports[ports[node, port]] == node)[0]
    return found
