"""Two-hop colourings: every closed neighbourhood is rainbow, with at most D^2 + 1 colours."""

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping

import networkx as nx
import numpy as np

from ntkexec import graphs
from ntkexec.check import Check, Measurement, Scale
from ntkexec.errors import ColouringError
from ntkexec.graphs.colouring.greedy import check_two_hop_colouring, two_hop_colouring

Colouring = Callable[[nx.Graph], Mapping[Hashable, int]]


def some_graphs(scale: Scale) -> Iterator[nx.Graph]:
    """All graphs up to five (quick) or seven nodes, and random ones of bounded degree."""
    atlas = nx.graph_atlas_g()
    yield from atlas[1 : 53 if scale == "quick" else len(atlas)]
    rng = np.random.default_rng(4)
    for _ in range({"quick": 100, "standard": 500, "full": 3000}[scale]):
        size, degree = int(rng.integers(2, 60)), int(rng.integers(1, 7))
        connected = degree > 1 and bool(rng.integers(2))
        yield graphs.generators.samplers.random_bounded(size, degree, rng, connected=connected)


def measure_rainbow(scale: Scale, colour: Colouring = two_hop_colouring) -> Measurement:
    """Graphs in which two nodes within two hops share a colour."""
    wrong = 0
    for graph in some_graphs(scale):
        try:
            check_two_hop_colouring(graph, colour(graph))
        except ColouringError:
            wrong += 1
    return Measurement(wrong)


def measure_bound(scale: Scale, colour: Colouring = two_hop_colouring) -> Measurement:
    """Largest number of colours less D^2 + 1."""
    excess = -np.inf
    for graph in some_graphs(scale):
        degree = max(dict(graph.degree).values())
        excess = max(excess, 1 + max(colour(graph).values()) - (degree**2 + 1))
    return Measurement(float(excess))


def _one_each(graph: nx.Graph) -> Mapping[Hashable, int]:
    return {node: index for index, node in enumerate(graph)}


CHECKS = (
    Check(
        name="colouring-rainbow",
        claim="the colouring is proper on the square graph: in no closed neighbourhood do slots collide",
        formula=r"d(u, v) \le 2 \;\Rightarrow\; \operatorname{colour}(u) \ne \operatorname{colour}(v)",
        source="definition of a two-hop colouring",
        how="graphs with a collision: all small ones, and random ones of degree up to 6",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_rainbow,
        broken=functools.partial(measure_rainbow, colour=nx.greedy_color),
    ),
    Check(
        name="colouring-bound",
        claim="D^2 + 1 colours are always enough, whatever the number of nodes",
        formula=r"\chi(G^2) \le D^2 + 1",
        source="greedy colouring: a node has at most D^2 others within two hops",
        how="largest number of colours less D^2 + 1, over the same graphs",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_bound,
        broken=functools.partial(measure_bound, colour=_one_each),
    ),
)
