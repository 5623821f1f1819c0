"""Real executions of depth-first search as witnesses of the obligations of its theorem.

What the run is comes from networkx.
"""

from collections.abc import Sequence
from typing import NamedTuple

import networkx as nx

from ntkexec.recheck.theorem.statements.depth_first.stack import NAMES


class Run(NamedTuple):
    """The searches of a graph on 0..n-1, with one source at most in each component.

    Args:
        graph: where.
        holders: by source, the node on top of the stack in every round of its search.
        clocks: by source, the time used before.
        of: by node, the source of its component, if it has one.
    """

    graph: nx.Graph
    holders: dict[int, list[int]]
    clocks: dict[int, int]
    of: dict[int, int]

    def at(self, node: int, r: int) -> dict[str, bool]:
        """What is true of a node before round r."""
        source = self.of.get(node)
        holders = [] if source is None else self.holders[source]
        return {
            "root": node == source,
            "token": r < len(holders) and holders[r] == node,
            "previous": 0 < r <= len(holders) and holders[r - 1] == node,
            "visited": node in holders[:r],
            "finished": node in holders[:r] and node not in holders[r:],
            "ended": 0 < len(holders) <= r,
        }

    def times(self, node: int) -> tuple[int, int]:
        """Of discovery and finish."""
        source = self.of[node]
        holders = self.holders[source]
        last = len(holders) - 1 - holders[::-1].index(node)
        return self.clocks[source] + holders.index(node) + 1, self.clocks[source] + last + 2

    def parent(self, node: int) -> int | None:
        """Who held before the node did, the first time."""
        holders = self.holders[self.of[node]]
        first = holders.index(node)
        return holders[first - 1] if first else None

    def neighbours(self, node: int) -> list[int]:
        """By port."""
        return sorted(self.graph[node])


def run_of(graph: nx.Graph, sources: Sequence[int], *, forest: bool = False) -> Run:
    """The run of a graph, by one clock through all searches if they are a forest's."""
    holders, clocks, of, clock = {}, {}, {}, 0
    for source in sources:
        walk = nx.dfs_labeled_edges(graph, source, sort_neighbors=sorted)
        held = [source]
        for u, v, kind in walk:
            if u != v and kind != "nontree":
                held.append(v if kind == "forward" else u)
        holders[source], clocks[source] = held, clock if forest else 0
        clock += len(held) + 1
        of |= dict.fromkeys(held, source)
    return Run(graph, holders, clocks, of)


def near(
    run: Run, colours: Sequence[int], sizes: dict[str, int], node: int, r: int
) -> dict[str, int]:
    """What `choose` and `listen` call a node and its neighbours before round r, without states."""
    degree, word = sizes["degree"], sizes["word"]
    members = [node, *run.neighbours(node)]
    source = run.of.get(node)
    rounds = len(run.holders.get(source, ()))
    ended, largest = run.at(node, r)["ended"], 2**word - 1
    values = {
        "present": 2 ** (len(members) - 1) - 1,
        "ended": ended,
        "ended-next": run.at(node, r + 1)["ended"],
        "age": min(r - rounds, largest) if ended else 0,
        "tick": (run.clocks.get(source, 0) + r + 1) % 2**word,
    }
    values |= {f"colour{x}": 1 for x in range(degree + 1)}
    for flag in ("root", "token", "previous", "visited", "finished"):
        values[flag] = sum(run.at(own, r)[flag] << x for x, own in enumerate(members))
    for x, own in enumerate(members):
        ports = run.neighbours(own)
        values[f"colour{x}"] = colours[own]
        if x:
            values[f"present{x}"] = 2 ** len(ports) - 1
            values[f"back{x}"] = 1 << ports.index(node)
            for flag in ("visited", "previous"):
                seen = (run.at(other, r)[flag] << q for q, other in enumerate(ports))
                values[f"near-{flag}{x}"] = sum(seen)
        for q, other in enumerate(ports):
            values[f"identifier{x}-{q}" if x else f"identifier{q}"] = q
            if x:
                values[f"colour{x}-{q}"] = colours[other]
        if source is not None:
            discovery, finish = run.times(own)
            values[f"discovery{x}"], values[f"finish{x}"] = discovery, finish
            values[f"distance{x}"] = nx.shortest_path_length(run.graph, source, own)
            if run.at(own, r)["visited"] and own != source:
                values[f"parent{x}"] = 1 << ports.index(run.parent(own))
    return values


def on_the_stack(run: Run, named: dict[str, int], r: int) -> dict[str, int]:
    """What the obligations about the stack machine call named nodes before round r."""
    values = {}
    numbers = {node: i for i, node in enumerate(dict.fromkeys(named.values()))}
    for a in NAMES:
        own, at = named[a], run.at(named[a], r)
        values |= {f"{flag}-{a}": at[flag] for flag in at if flag != "ended"}
        values |= {f"node-{a}": numbers[own], f"height-{a}": height(run, own, r)}
        values |= {f"adjacent-{a}{b}": run.graph.has_edge(own, named[b]) for b in NAMES}
        child = at["visited"] and not at["root"]
        values |= {f"parent-{a}{b}": child and named[b] == run.parent(own) for b in NAMES}
    values["ended"] = run.at(named["u"], r)["ended"]
    values["top"] = height(run, named["u"], r)
    return values


def height(run: Run, node: int, r: int) -> int:
    """How many nodes are below it on the stack, 0 if it is not on it."""
    at = run.at(node, r)
    if at["finished"] or not (at["visited"] or at["token"]):
        return 0
    count, parent = 0, run.parent(node)
    while parent is not None:
        count, parent = count + 1, run.parent(parent)
    return count
