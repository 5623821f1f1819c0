"""Graphs from networkx, files and generators: checked, two-hop coloured, as arrays."""

from ntkexec.graphs.batching import batch_from_networkx
from ntkexec.graphs.colouring.greedy import check_two_hop_colouring, two_hop_colouring
from ntkexec.graphs.conversion import from_arrays, from_networkx, from_sparse
from ntkexec.graphs.generators.large import grid, random_regular
from ntkexec.graphs.generators.named import parse
from ntkexec.graphs.graph import Graph, batch
from ntkexec.graphs.io.formats import read
from ntkexec.graphs.loading import load
from ntkexec.graphs.ports import in_neighbours, port_slots, with_ports
from ntkexec.graphs.splitting import SplitGraph, split

__all__ = [
    "Graph",
    "SplitGraph",
    "batch",
    "batch_from_networkx",
    "check_two_hop_colouring",
    "from_arrays",
    "from_networkx",
    "from_sparse",
    "grid",
    "in_neighbours",
    "load",
    "parse",
    "port_slots",
    "random_regular",
    "read",
    "split",
    "two_hop_colouring",
    "with_ports",
]
