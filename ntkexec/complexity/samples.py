"""Random executions to measure on: graphs of bounded degree, sources, messages, weights."""

import numpy as np

from ntkexec.errors import GraphError
from ntkexec.graphs import from_networkx
from ntkexec.graphs.generators.samplers import random_bounded, with_uniform_weights
from ntkexec.programs import find_algorithm
from ntkexec.programs.inputs import bits_for
from ntkexec.programs.instance import Instance

MAX_NODES = 2_000_000
"""Of all graphs of a study together: they are held, and run, at once."""


def random_instances(
    algorithm: str,
    *,
    degree: int,
    word: int | None,
    num_graphs: int,
    nodes: tuple[int, int],
    weights: tuple[int, int] = (0, 3),
    seed: int,
) -> list[Instance]:
    """Executions of one program on random connected graphs, each from its first node.

    Args:
        algorithm: its name.
        degree: D, most neighbours of a node; at least 2.
        word: bits of a word of the program; by default 1 for a message, and else what the largest
            number on such graphs takes.
        num_graphs: how many graphs.
        nodes: fewest and most nodes of a graph, uniformly drawn.
        weights: least and largest weight of an edge, for algorithms that read them.
        seed: of graphs, messages and weights.

    Raises:
        GraphError: nothing to draw from.
        ProgramError: the numbers on these graphs do not fit the word.
    """
    low, high = nodes
    if not 2 <= low <= high:
        raise GraphError(f"graphs have from 2 nodes to some larger number, not {low} to {high}")
    if degree < 2:
        raise GraphError(f"connected graphs of {low} to {high} nodes need degree 2, got {degree}")
    if num_graphs < 1:
        raise GraphError(f"at least one graph is needed, got {num_graphs}")
    if num_graphs * high > MAX_NODES:
        raise GraphError(
            f"{num_graphs} graphs of up to {high} nodes are too many for one study; {MAX_NODES // high} "
            f"graphs, of {MAX_NODES:,} nodes in all, fit"
        )
    found = find_algorithm(algorithm)
    takes_message = "message" in found.inputs
    if word is None:
        # A message; the largest weighted sum with its sign; twice as many times as nodes in DFS.
        heaviest = max(map(abs, weights)) * (high + 1)
        word = (
            1 if takes_message else bits_for(heaviest) + 1 if found.weighted else bits_for(2 * high)
        )
    own = {name: least(high) for name, least in found.own_sizes.items()}
    sizes = found.sizes(degree=degree, word=word, **own)
    rng = np.random.default_rng(seed)
    instances = []
    for index in range(num_graphs):
        graph = random_bounded(int(rng.integers(low, high + 1)), degree, rng, connected=True)
        inputs = {}
        if found.weighted:
            graph = with_uniform_weights(graph, *weights, rng)
        if takes_message:
            inputs["message"] = "".join("01"[bit] for bit in rng.integers(2, size=word))
        loaded = from_networkx(
            graph, label=f"random {index}", weight="weight" if found.weighted else None
        )
        instances.append(found.prepare(loaded, sizes=sizes, **inputs))
    return instances
