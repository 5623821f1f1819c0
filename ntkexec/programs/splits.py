"""What programs on split graphs have in common before they run."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs import Graph, SplitGraph, split
from ntkexec.graphs.splitting import LEAST_DEGREE
from ntkexec.programs import inputs
from ntkexec.programs.instance import Instance

# Enough for trees of 3 * 2^31 leaves.
DEFAULT_DEPTH_BITS = 5


def port_kinds(parts: SplitGraph, degree: int) -> dict[str, Bool[np.ndarray, "N D"]]:
    """By port whether it leads to another tree, `outer`, and whether to the node above, `upper`.

    Args:
        parts: the split graph.
        degree: ports of the program, at least the degree of the split graph.
    """
    missing = max(0, degree - parts.most)
    kinds = {"outer": parts.outer, "upper": parts.upper}
    return {name: np.pad(kind, ((0, 0), (0, missing)))[:, :degree] for name, kind in kinds.items()}


def is_root(parts: SplitGraph) -> Bool[np.ndarray, "N"]:
    """Whether a node is the root of its tree."""
    return parts.roots[parts.owner] == np.arange(len(parts.owner))


def served_depth(parts: SplitGraph) -> int:
    """The depth that a program counts with: that of the deepest tree, and at least 1."""
    return max(1, parts.depth)


def largest_depth(num_nodes: int) -> int:
    """The least depth that serves every graph of so many nodes, split to degree 3 or more."""
    return max(1, math.ceil(math.log2(max(3, num_nodes - 1) / 3)))


def with_depth(
    sizing: Callable[..., dict[str, int]], *, depth_bits: int = DEFAULT_DEPTH_BITS, **given: int
) -> dict[str, int]:
    """The sizes that `sizing` gives, and the bits of what counts the depth of trees."""
    return sizing(**given) | {"depth_bits": depth_bits}


OWN_SIZES: Mapping[str, Callable[[int], int]] = {
    "depth_bits": lambda num_nodes: inputs.bits_for(largest_depth(num_nodes))
}
"""What users may give beside degree, word and slots, of programs that count the depth of trees alone."""


def degree_word_and_depth(
    algorithm: str,
    *,
    degree: int | None = None,
    word: int | None = None,
    slots: int | None = None,
    depth_bits: int | None = None,
) -> dict[str, int]:
    """The sizes of a program with numbers of one length, for every graph that is split to a degree.

    Args:
        algorithm: its name, for messages.
        degree: D, most neighbours of a node of the split graph.
        word: bits of its numbers.
        slots: colours; by default D^2 + 1, which a two-hop colouring never exceeds.
        depth_bits: of what counts the depth of trees; by default `DEFAULT_DEPTH_BITS`.

    Raises:
        ProgramError: degree or word is missing.
    """
    found = inputs.degree_and_word(algorithm, degree=degree, word=word, slots=slots)
    return found | {"depth_bits": DEFAULT_DEPTH_BITS if depth_bits is None else depth_bits}


def from_sources(
    instance: Callable[..., Instance],
    parts: SplitGraph,
    *,
    sizes: Mapping[str, int] | None = None,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
) -> Instance:
    """An instance on a single split graph whose only input is where to start, original nodes by name.

    Args:
        instance: `instance(parts, *, sources, sizes)`, sources as indices.
        parts: where.
        sizes: sizes of the program, if they are given; by default the least that fit.
        source: the node to start from; by default the first.
        sources: several such nodes, instead of `source`.

    Raises:
        GraphError: an unknown source, both `source` and `sources`, or what `instance` refuses.
    """
    indices = inputs.source_indices(parts.original, source, sources)
    return instance(parts, sources=indices, sizes=sizes)


def split_first(
    on_split: Callable[..., Instance],
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    **asked: Any,  # what the algorithm asks
) -> Instance:
    """An instance on a graph that is still to be split: to the degree of the sizes, or to 3."""
    degree = max(LEAST_DEGREE, (sizes or {}).get("degree", LEAST_DEGREE))
    return on_split(split(graph, degree), sizes=sizes, **asked)
