"""The basis of equivariant polynomials: multigraphs with a marked output, enumerated and counted."""

import dataclasses
import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ntkexec.errors import ExperimentError

MOST_EDGES = 8
"""Of an enumerated pattern; beyond, enumeration takes hours."""


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A directed multigraph H whose polynomial is a sum over all ways to place its nodes.

    `P_H(X)[i_a, i_b]` is the sum over the indices of unmarked nodes of the product of `X[i_r, i_s]`
    over edges (r, s); indices may coincide.

    Args:
        num_nodes: numbered from 0; each is touched by an edge or a mark.
        edges: ordered pairs, loops and repetitions allowed.
        marks: none for a number, one for a number of each node, two for one of each ordered pair; twice
            the same node for a diagonal matrix.

    Raises:
        ExperimentError: an edge or mark beyond the nodes, more than two marks, an untouched node.
    """

    num_nodes: int
    edges: tuple[tuple[int, int], ...]
    marks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        touched = {*self.marks, *itertools.chain(*self.edges)}
        if touched != set(range(self.num_nodes)) or len(self.marks) > 2:
            raise ExperimentError(
                f"a pattern's edges and at most two marks touch all of its nodes and no others; got "
                f"{self.num_nodes} nodes, edges {self.edges}, marks {self.marks}"
            )

    @property
    def degree(self) -> int:
        """Of the polynomial: the number of edges."""
        return len(self.edges)


def canonical(pattern: Pattern, *, simple: bool = False) -> Pattern:
    """The same pattern for all numberings of its nodes.

    Args:
        pattern: to be numbered anew.
        simple: whether edges have no direction, as for a symmetric X.
    """
    colours = _refined(pattern, simple)
    groups = [[v for v in colours if colours[v] == c] for c in sorted(set(colours.values()))]
    best: tuple[tuple[tuple[int, int], ...], tuple[int, ...]] | None = None
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        place = {v: i for i, v in enumerate(itertools.chain(*orders))}
        edges = ((place[u], place[v]) for u, v in pattern.edges)
        if simple:
            edges = ((min(edge), max(edge)) for edge in edges)
        found = (tuple(sorted(edges)), tuple(place[v] for v in pattern.marks))
        best = found if best is None or found < best else best
    assert best is not None
    return Pattern(pattern.num_nodes, *best)


def _refined(pattern: Pattern, simple: bool) -> dict[int, int]:
    """Colours that isomorphisms keep: fewer orders are left to try."""
    nodes = range(pattern.num_nodes)
    marks = {v: tuple(i for i, mark in enumerate(pattern.marks) if mark == v) for v in nodes}
    colours = _ranked(marks)
    for _ in nodes:
        arriving = {v: sorted(colours[r] for r, s in pattern.edges if s == v) for v in nodes}
        leaving = {v: sorted(colours[s] for r, s in pattern.edges if r == v) for v in nodes}
        if simple:
            arriving = {v: sorted(arriving[v] + leaving[v]) for v in nodes}
            leaving = arriving
        loops = Counter(r for r, s in pattern.edges if r == s)
        colours = _ranked(
            {v: (colours[v], loops[v], tuple(arriving[v]), tuple(leaving[v])) for v in nodes}
        )
    return colours


def _ranked(signatures: Mapping[int, Any]) -> dict[int, int]:
    rank = {signature: i for i, signature in enumerate(sorted(set(signatures.values())))}
    return {v: rank[signature] for v, signature in signatures.items()}


@functools.cache
def enumerate_basis(
    degree: int, marks: int, *, num_nodes: int | None = None, simple: bool = False
) -> tuple[Pattern, ...]:
    """All patterns with so many edges and marks, up to isomorphism: the basis of one degree.

    Args:
        degree: number of edges, up to 8.
        marks: 0 for invariant, 1 for node, 2 for pair outputs.
        num_nodes: of the graph: patterns with more nodes are combinations of others, and left out.
        simple: connected patterns without loops, repetitions or directions, with distinct marks alone: what a
            symmetric X of zeros and ones has as generators.

    Raises:
        ExperimentError: a degree or marks beyond what is said.

    Source: Puny et al., arXiv:2302.11556: the basis theorem.
    """
    if not 0 <= degree <= MOST_EDGES or marks not in (0, 1, 2):
        raise ExperimentError(
            f"{degree} edges and {marks} marks; enumerated are up to {MOST_EDGES} edges, 2 marks"
        )
    if simple:
        found = {p for graph in _connected(degree) for p in _marked(graph, marks)}
    else:
        found = set(_directed(degree, marks))
    most = math.inf if num_nodes is None else num_nodes
    fitting = (p for p in found if p.num_nodes <= most)
    return tuple(sorted(fitting, key=lambda p: (p.num_nodes, p.edges, p.marks)))


@functools.cache
def _directed(degree: int, marks: int) -> frozenset[Pattern]:
    """Each comes from one with an edge less, by an edge between old nodes, new ones, or both."""
    if degree == 0:
        starts = {0: [Pattern(0, ())], 1: [Pattern(1, (), (0,))]}
        pairs = [Pattern(1, (), (0, 0)), Pattern(2, (), (0, 1))]
        return frozenset(starts.get(marks, pairs))
    found = set()
    for pattern in _directed(degree - 1, marks):
        n = pattern.num_nodes
        ends = [(u, v) for u in range(n + 1) for v in range(n + 1)]
        for edge in (*ends, (n, n + 1)):
            longer = Pattern(
                max(n, *(end + 1 for end in edge)), (*pattern.edges, edge), pattern.marks
            )
            found.add(canonical(longer))
    return frozenset(found)


@functools.cache
def _connected(degree: int) -> frozenset[Pattern]:
    """Connected simple graphs; of one node where there are no edges, which then must be marked."""
    if degree == 0:
        return frozenset()
    if degree == 1:
        return frozenset([Pattern(2, ((0, 1),))])
    found = set()
    for graph in _connected(degree - 1):
        n = graph.num_nodes
        for u, v in itertools.combinations(range(n + 1), 2):
            if (u, v) not in graph.edges:
                longer = Pattern(max(n, v + 1), (*graph.edges, (u, v)))
                found.add(canonical(longer, simple=True))
    return frozenset(found)


def _marked(graph: Pattern, marks: int) -> Iterator[Pattern]:
    for chosen in itertools.permutations(range(graph.num_nodes), marks):
        yield canonical(dataclasses.replace(graph, marks=chosen), simple=True)


def dimension(num_nodes: int, degree: int, marks: int) -> int:
    """Dimension of the equivariant polynomials of one degree on graphs of so many nodes.

    Orbits of (multiset of `degree` ordered pairs, output index) under permutations of nodes, by
    Burnside's lemma: so it knows nothing of patterns.

    Args:
        num_nodes: of the graph.
        degree: of the polynomials.
        marks: 0, 1 or 2 output indices.
    """
    fixed = 0
    for cycles in _partitions(num_nodes, num_nodes):
        # A permutation's cycles on ordered pairs, and so the multisets that it leaves as they are.
        lengths = Counter(
            math.lcm(one, two)
            for one in cycles
            for two in cycles
            for _ in range(math.gcd(one, two))
        )
        multisets = [1] + [0] * degree
        for length, number in lengths.items():
            for _ in range(number):
                for total in range(length, degree + 1):
                    multisets[total] += multisets[total - length]
        sizes = math.prod(
            length**number * math.factorial(number) for length, number in Counter(cycles).items()
        )
        permutations = math.factorial(num_nodes) // sizes
        fixed += permutations * multisets[degree] * cycles.count(1) ** marks
    return fixed // math.factorial(num_nodes)


def _partitions(total: int, most: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for first in range(min(total, most), 0, -1):
        for rest in _partitions(total - first, first):
            yield (first, *rest)
