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

Until = Literal["steps", "fixed-point", "halt"]
"""What ends a run, see `ntkexec.executor.execute`."""

UNTILS: tuple[Until, ...] = get_args(Until)

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

Scale = Literal["quick", "standard", "full"]
"""How much work a measurement may do, rising; the claim and its bound stay the same."""

SCALES: tuple[Scale, ...] = get_args(Scale)

ALGORITHM_NAMES = (
    "flooding",
    "bfs",
    "bfs-queue",
    "dfs",
    "dfs-forest",
    "bellman-ford",
    "leader-election",
    "components",
    "spanning-tree",
    "bipartite",
    "eccentricity",
    "neighbourhood-size",
    "triangles",
    "greedy-colouring",
    "independent-set",
    "cole-vishkin",
    "rule-110",
    "life",
    "permute",
    "add",
    "multiply",
    "sbn",
)
"""Those of `ntkexec.programs.ALGORITHMS`, in their order."""
