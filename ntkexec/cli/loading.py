"""Graphs as they are named on the command line."""

from typing import TYPE_CHECKING

from ntkexec.errors import NtkexecError
from ntkexec.vocabulary import SelfLoops

if TYPE_CHECKING:
    from ntkexec.graphs import Graph


def load_graph(
    algorithm: str | None,
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
        algorithm: whose graph it is; None for a program of one's own.
        spec: a generator or a file.
        degree: the largest that is not refused.
        self_loops, directed, weight_scale: see `ntkexec.graphs.load`.
        weights: the attribute of edges that holds their weights.

    Raises:
        NtkexecError: no such graph, a bound that it breaks, or weights that nobody reads.
    """
    from ntkexec import graphs, pipeline

    shipped = None if algorithm is None else pipeline.find_algorithm(algorithm)
    if weights is not None and shipped is not None and not shipped.weighted:
        raise NtkexecError(f"{algorithm} reads no weights; --weights {weights} goes without")
    return graphs.load(
        spec,
        degree=degree,
        self_loops=self_loops,
        directed=directed,
        weight=weights,
        weight_scale=weight_scale,
    )
