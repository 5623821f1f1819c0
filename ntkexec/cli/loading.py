"""Graphs as they are named on the command line."""

from typing import TYPE_CHECKING

from ntkexec.errors import NtkexecError
from ntkexec.vocabulary import SelfLoops

if TYPE_CHECKING:
    from ntkexec.graphs import Graph


def load_graph(
    algorithm: str,
    spec: str,
    *,
    degree: int | None = None,
    self_loops: SelfLoops,
    directed: bool | None,
    weights: str | None,
    weight_scale: int,
) -> "Graph":
    """The graph that an algorithm is to run on.

    Args:
        algorithm: whose graph it is.
        spec: a generator or a file.
        degree: the largest that is not refused.
        self_loops, directed, weight_scale: see `ntkexec.graphs.load`.
        weights: the attribute of edges that holds their weights.

    Raises:
        NtkexecError: no such graph, a bound that it breaks, or weights that nobody reads.
    """
    from ntkexec import graphs, pipeline

    if weights is not None and not pipeline.find_algorithm(algorithm).weighted:
        raise NtkexecError(f"{algorithm} reads no weights; --weights {weights} goes without")
    return graphs.load(
        spec,
        degree=degree,
        self_loops=self_loops,
        directed=directed,
        weight=weights,
        weight_scale=weight_scale,
    )
