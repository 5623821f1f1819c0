"""The words of options, without JAX, so that the library and the command line share them."""

from typing import Literal, get_args

Kind = Literal["factored", "joint"]
"""One network for every bit, or one for all templates; see `ntkexec.program.problem`."""

KINDS: tuple[Kind, ...] = get_args(Kind)

EngineName = Literal[
    "ensemble", "ensemble-memo", "kernel", "kernel-packed", "oracle", "linear", "boolean"
]
"""How the learned function is evaluated; see `ntkexec.engines.registry`."""

ENGINES: tuple[EngineName, ...] = get_args(EngineName)

EngineChoice = Literal["auto", EngineName]
"""The same, or what suits the graph; see `ntkexec.engines.automatic`."""

Until = Literal["steps", "fixed-point", "halt"]
"""What ends a run, see `ntkexec.executor.execute`."""

UNTILS: tuple[Until, ...] = get_args(Until)

Verify = bool | Literal["program"]
"""Whether every step is compared, and of packed engines with what; see `ntkexec.executor.execute`."""

VerifyWith = Literal["engine", "program"]
"""What a packed engine is compared with at every step: the plain engine too, or the program alone."""

Draw = Literal["trained", "antisymmetric", "linearised", "gaussian"]
"""What becomes of initial weights, see `ntkexec.ensemble.EnsembleConfig`."""

DRAWS: tuple[Draw, ...] = get_args(Draw)

Descent = Literal["auto", "plain", "heavy-ball", "whitened"]
"""How networks are trained, see `ntkexec.ensemble.schedule`."""

DESCENTS: tuple[Descent, ...] = get_args(Descent)

TrainedLayers = Literal["ntk", "nngp"]
"""What learns, all layers or the last alone, see `ntkexec.theory.dot_product`."""

Activation = Literal["relu", "erf", "linear"]
"""Of hidden units, see `ntkexec.theory.dot_product`."""

Convention = Literal["zero", "shared", "bit"]
"""Where thresholds lie, see `ntkexec.theory.thresholds`."""

CONVENTIONS: tuple[Convention, ...] = get_args(Convention)

Padding = int | Literal["auto"]
"""Padding templates for every network, or what is cheapest; see `ntkexec.certify`."""

Ties = Literal["clrs", "fifo"]
"""Which of several parents a breadth-first search takes."""

SelfLoops = Literal["refuse", "drop"]
"""What becomes of edges from a node to itself, see `ntkexec.graphs.load`."""

PortOrder = Literal["identifiers", "adjacency"]
"""In which order a node's ports list its neighbours, see `ntkexec.graphs.from_networkx`."""

PORT_ORDERS: tuple[PortOrder, ...] = get_args(PortOrder)

SplitDegree = int | Literal["auto"] | None
"""Most neighbours of a node before it is split into a tree: from 3 on; None for any number, and `auto`
for what an estimate says; see `ntkexec.programs.split_choice`."""

Scale = Literal["quick", "standard", "full"]
"""How much work a measurement may do, rising; the claim and its bound stay the same."""

SCALES: tuple[Scale, ...] = get_args(Scale)

SUMMARIES: dict[str, str] = {
    "flooding": "every node learns the sources' message",
    "flooding-split": "flooding on trees of nodes of small degree that stand for nodes of any",
    "bfs": "distance and parent of every node in breadth-first search",
    "bfs-split": "breadth-first search on trees of nodes of small degree that stand for nodes of any",
    "bfs-queue": "distance, parent and order of visits of every node in breadth-first search with a queue",
    "dfs": "parent, discovery and finish time of every node in depth-first search",
    "dfs-split": "depth-first search on trees of nodes of small degree that stand for nodes of any",
    "dfs-forest": "depth-first search of all components, one after the other by their smallest nodes",
    "dfs-forest-split": "depth-first search of all components on trees of nodes of small degree",
    "bellman-ford": "distance and parent of every node in a graph with weights, negative ones too",
    "leader-election": "every node learns the smallest node of its component",
    "components": "connected components, each called by its smallest node",
    "spanning-tree": "breadth-first tree of every component from its smallest node",
    "bipartite": "whether a component has no odd cycle, and the sides",
    "eccentricity": "distance to the farthest node of the component",
    "neighbourhood-size": "nodes within as many hops as there are rounds, 2 by default",
    "triangles": "whether a node lies on a triangle",
    "greedy-colouring": "colouring with D + 1 colours, first fit in the order of identifiers",
    "independent-set": "maximal independent set, nodes joining in the order of identifiers",
    "cole-vishkin": "3-colouring of rooted trees and rings in O(log* n) rounds",
    "rule-110": "Wolfram's elementary cellular automaton on a path or a ring, for so many rounds",
    "life": "Conway's Life on any graph, for so many rounds",
    "permute": "a permutation of bits, on one node",
    "add": "sum of two binary numbers, on one node",
    "multiply": "product of two binary numbers, on one node",
    "sbn": "a machine that subtracts and branches if negative, on one node",
}
"""What each of `ntkexec.programs.ALGORITHMS` does, in one line and in their order."""

ALGORITHM_NAMES = tuple(SUMMARIES)
