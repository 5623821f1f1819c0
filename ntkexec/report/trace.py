"""A traced run as plain data, from which a page can show every state, match and margin."""

import base64
from collections.abc import Hashable, Mapping
from typing import Any

import networkx as nx
import numpy as np
from jaxtyping import Bool

from ntkexec.errors import NtkexecError
from ntkexec.executor import Execution
from ntkexec.executor.deciding import decided
from ntkexec.executor.protocol import Engine
from ntkexec.graphs import Graph
from ntkexec.program.problem import LearningProblem
from ntkexec.report.listings import listing, phase_names
from ntkexec.report.trees import tree_data
from ntkexec.result import Result
from ntkexec.runtime import devices
from ntkexec.summary import verdict

# A page with more is too large for a browser to be quick with.
MAX_BITS = 2**28
MAX_NODES = 3000
# Up to so many nodes are laid out by the distances between them, which looks best.
MAX_DISTANCES = 150
CHUNK = 4096

Positions = Mapping[Hashable, tuple[float, float]]


def trace_data(result: Result, *, positions: Positions | None = None) -> dict[str, Any]:
    """Everything that a page needs to know of a run.

    The means of the learned update are not stored for every node and step: they depend on nothing
    but the matched templates of a learning problem, so each set of matches that occurs is listed
    once, with the means of its bits.

    Args:
        result: a run of one graph, with a trace.
        positions: of the nodes, by name; by default a layout by networkx.

    Raises:
        NtkexecError: an `Execution` by itself, no trace, a node without a position, or too much for one page.
    """
    if isinstance(result, Execution):
        raise NtkexecError(
            "an Execution holds neither its program nor its networks, which a page shows; "
            "ntkexec.run(program, graph, initial=..., trace=True) gives a Result with all of them"
        )
    trace = result.execution.trace
    if trace is None:
        raise NtkexecError("a page needs the states of all steps; run with trace=True")
    num_nodes = trace.shape[1]
    if trace.size > MAX_BITS or num_nodes > MAX_NODES:
        raise NtkexecError(
            f"{num_nodes} nodes and {trace.size / 8e6:.0f} MB of states are too much for a page; "
            f"{MAX_NODES} nodes and {MAX_BITS / 8e6:.0f} MB fit"
        )
    instance, problem = result.instance, result.certificate.problem
    drawn = _graph(instance.graph, positions)
    return {
        "algorithm": instance.program.name,
        "inputs": {name: _told(value) for name, value in instance.inputs.items()},
        "engine": result.engine,
        "verdict": verdict(result),
        "certificate": str(result.certificate),
        "graph": drawn,
        "split": None
        if instance.split is None
        else tree_data(instance.split, arcs=drawn["arcs"], places=drawn["places"]),
        **listing(instance.program, shown_where=instance.shown_where),
        "problems": _problems(result.update, problem, trace),
        "thresholds": np.round(np.asarray(result.update.thresholds, float), 6).tolist(),
        "trace": {
            "steps": trace.shape[0] - 1,
            "bits": base64.b64encode(np.packbits(trace, bitorder="little").tobytes()).decode(),
        },
        "answer": [
            {field: None if v is None else str(v) for field, v in fields.items()}
            for fields in result.by_node().values()
        ],
        "wrong_nodes": [int(v) for v in result.wrong_nodes],
        "expected_fields": sorted(result.expected),
        "colour_by": instance.colour_by,
        "parents": _parents(result),
        "phases": phase_names(instance.program),
    }


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _parents(result: Result) -> list[int | None] | None:
    """By node the index of its parent in the answer, where that is a neighbour that it hears."""
    if "parent" not in result.answer or "parent" not in result.instance.formats:
        return None
    graph = result.instance.graph.tuple
    arcs = {*zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True)}
    parents = np.asarray(result.answer["parent"]).tolist()
    return [int(u) if (u, v) in arcs else None for v, u in enumerate(parents)]


def _graph(graph: Graph, positions: Positions | None) -> dict[str, Any]:
    senders, receivers = graph.tuple.senders.tolist(), graph.tuple.receivers.tolist()
    weights = None if graph.tuple.edges is None else np.asarray(graph.tuple.edges).tolist()
    weight_of = dict(zip(zip(senders, receivers, strict=True), weights or (), strict=False))
    arcs = sorted(zip(senders, receivers, strict=True))
    if not graph.directed:
        arcs = [(u, v) for u, v in arcs if u < v]
    places = _layout_of(graph, arcs) if positions is None else _given(graph, positions)
    # To the unit square; a single node, or a line, stays in the middle.
    low, high = places.min(axis=0), places.max(axis=0)
    span = np.where(high - low < 1e-9, 1, high - low)
    unit = np.where(high - low < 1e-9, 0.5, (places - low) / span)
    return {
        "label": graph.label,
        "names": [str(name) for name in graph.names],
        "directed": graph.directed,
        "arcs": [list(arc) for arc in arcs],
        "weights": None if weights is None else [weight_of[arc] for arc in arcs],
        "colours": graph.colours.tolist(),
        "places": np.round(unit, 4).tolist(),
    }


def _layout_of(graph: Graph, arcs: list[tuple[int, int]]) -> np.ndarray:
    drawn: nx.Graph = nx.empty_graph(graph.num_nodes)
    drawn.add_edges_from(arcs)
    if graph.num_nodes <= MAX_DISTANCES:
        found = nx.kamada_kawai_layout(drawn)
    else:
        found = nx.spring_layout(drawn, seed=0, iterations=60)
    return np.array([found[node] for node in range(graph.num_nodes)], float)


def _given(graph: Graph, positions: Positions) -> np.ndarray:
    if missing := [name for name in graph.names if name not in positions]:
        raise NtkexecError(f"node {missing[0]!r} has no position")
    return np.array([positions[name] for name in graph.names], float)


def _problems(
    update: Engine, problem: LearningProblem, trace: Bool[np.ndarray, "s n k"]
) -> list[dict[str, Any]]:
    """By learning problem the sets of matches that occur, as strings of 0 and 1, and their means."""
    states = np.unique(trace[:-1].reshape(-1, trace.shape[2]), axis=0)
    found: list[dict[str, list[float]]] = [{} for _ in problem.components]
    for start in range(0, len(states), CHUNK):
        some = devices.put(states[start : start + CHUNK].T)
        matches, decision = decided(update, some)
        means = np.asarray(decision.means, float)
        matched = np.asarray(matches.matched)
        for known, component in zip(found, problem.components, strict=True):
            rows = matched[list(component.templates)]
            patterns, first = np.unique(rows, axis=1, return_index=True)
            for pattern, column in zip(patterns.T, first, strict=True):
                values = means[list(component.bits), column]
                known.setdefault(
                    "".join("01"[int(b)] for b in pattern), np.round(values, 6).tolist()
                )
    return [
        {"templates": list(c.templates), "bits": list(c.bits), "means": known}
        for c, known in zip(problem.components, found, strict=True)
    ]
