"""Polynomials evaluated node by node, which models can do so, and what is left where they cannot."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import networkx as nx
from jaxtyping import Num

from experiments.graphs.equivariant_polynomials.patterns import Pattern, canonical, enumerate_basis
from ntkexec.errors import ExperimentError

Bank = Literal["node", "edge", "edge_no_transpose"]
"""Operations of message passing, of PPGN with transposes, and of PPGN without."""
BANKS: tuple[Bank, ...] = ("node", "edge", "edge_no_transpose")


@dataclasses.dataclass(frozen=True)
class Contraction:
    """The order in which a pattern's unmarked nodes are summed over.

    Args:
        nodes: in this order.
        neighbours: those that each is joined to when its turn comes: two make a product of matrices,
            one a row sum.
    """

    nodes: tuple[int, ...]
    neighbours: tuple[tuple[int, ...], ...]

    @property
    def exponent(self) -> int:
        """Of n in the cost: 3 where products of matrices suffice."""
        return max((len(around) + 1 for around in self.neighbours), default=2)

    def multiplies(self, num_nodes: int) -> int:
        """Products of numbers for a graph of so many nodes, those of merged edges left out."""
        return sum(max(1, len(a)) * num_nodes ** (len(a) + 1) for a in self.neighbours)


def contraction(pattern: Pattern) -> Contraction:
    """An order of elimination: always the unmarked node with the fewest neighbours.

    Where two neighbours suffice for all, this order finds it; elsewhere it is a heuristic.
    """
    around, order, met = _around(pattern), [], []
    while left := [v for v in around if v not in pattern.marks]:
        node = min(left, key=lambda v: (len(around[v]), v))
        order.append(node)
        met.append(tuple(sorted(_removed(around, node))))
    return Contraction(tuple(order), tuple(met))


def _around(pattern: Pattern) -> dict[int, set[int]]:
    around: dict[int, set[int]] = {v: set() for v in range(pattern.num_nodes)}
    for u, v in pattern.edges:
        if u != v:
            around[u].add(v)
            around[v].add(u)
    return around


def _removed(around: dict[int, set[int]], node: int) -> set[int]:
    """The neighbours of a node, which is taken out and leaves all of them joined."""
    neighbours = around.pop(node)
    for u in neighbours:
        around[u] |= neighbours
        around[u] -= {u, node}
    return neighbours


def core(pattern: Pattern) -> Pattern | None:
    """What is left of a pattern when no unmarked node has two neighbours or fewer.

    Returns:
        An irreducible pattern without directions, the reason why no edge-based model computes the
        polynomial; none if only marked nodes are left, so that such a model does.
    """
    around = _around(pattern)
    while few := [v for v in around if v not in pattern.marks and len(around[v]) <= 2]:
        _removed(around, few[0])
    if set(around) <= set(pattern.marks):
        return None
    place = {v: i for i, v in enumerate(around)}
    edges = [(place[u], place[v]) for u in around for v in around[u] if u < v]
    marks = tuple(place[v] for v in pattern.marks)
    return canonical(Pattern(len(place), tuple(sorted(edges)), marks), simple=True)


def is_computable(pattern: Pattern, bank: Bank) -> bool:
    """Whether a model can contract a pattern's polynomial.

    Args:
        pattern: with at most one mark for the bank "node", whose outputs are of nodes.
        bank: "node": message passing contracts forests alone; loops and parallel edges are functions of
            a node and of an edge to it. "edge": products of matrices and of entries, row sums, diagonals
            and transposes. "edge_no_transpose": the same without transposes, on an X that is not symmetric.

    Raises:
        ExperimentError: no such bank, or marks that it has no outputs for.

    Source: Puny et al., arXiv:2302.11556: contraction rules of the node- and edge-based models.
    """
    if bank not in BANKS or (bank == "node" and len(pattern.marks) > 1):
        raise ExperimentError(
            f"a bank {bank!r} for {len(pattern.marks)} marks; there are {', '.join(BANKS)}, and "
            "node has outputs of one mark at most"
        )
    if bank == "node":
        graph = nx.Graph()
        graph.add_nodes_from(range(pattern.num_nodes))
        graph.add_edges_from((u, v) for u, v in pattern.edges if u != v)
        return pattern.num_nodes == 0 or nx.is_forest(graph)
    if bank == "edge":
        return core(pattern) is None
    return _without_transposes(frozenset(e for e in pattern.edges if e[0] != e[1]), pattern)


def _without_transposes(edges: frozenset[tuple[int, int]], pattern: Pattern) -> bool:
    """Whether some order needs no edge turned round; equal edges have been merged."""
    nodes = {*itertools.chain(*edges)} - set(pattern.marks)
    if not nodes:
        return edges <= {pattern.marks} or not edges
    for node in nodes:
        into = {u for u, v in edges if v == node}
        out = {v for u, v in edges if u == node}
        rest = frozenset(edge for edge in edges if node not in edge)
        if len(into | out) == 1:  # a row or a column sum, or the diagonal of a product
            fits, new = True, rest
        else:
            fits = len(into) == len(out) == 1 and len(into | out) == 2
            new = rest | {(u, v) for u in into for v in out} if fits else rest
        if fits and _without_transposes(new, pattern):
            return True
    return False


def missing(degree: int, marks: int, bank: Bank) -> tuple[Pattern, ...]:
    """Connected simple patterns of a degree that a model cannot contract."""
    found = enumerate_basis(degree, marks, simple=True)
    return tuple(pattern for pattern in found if not is_computable(pattern, bank))


def evaluate(pattern: Pattern, x: Num[Any, "*batch n n"]) -> Num[Any, "..."]:
    """A pattern's polynomial, by summing over one node after the other.

    Args:
        pattern: any.
        x: arrays of NumPy or JAX, of integers for exact values; those of floats are exact as well while
            they are whole and below 2^53.

    Returns:
        Shape (*batch), (*batch, n) or (*batch, n, n), by the number of marks.
    """
    xp, factors = x.__array_namespace__(), _Factors(x)
    for u, v in pattern.edges:
        if u == v:
            factors.put((u,), xp.diagonal(x, 0, -2, -1))
        else:
            factors.put((u, v), x)
    for node in contraction(pattern).nodes:
        factors.eliminate(node)
    return factors.output(pattern.marks)


class _Factors:
    """A product of tensors, each over some nodes; those over the same nodes are merged."""

    def __init__(self, x: Any) -> None:
        self.xp, self.x = x.__array_namespace__(), x
        self.ones = self.xp.ones_like(x[..., 0])
        self.known: dict[tuple[int, ...], Any] = {}

    def put(self, nodes: tuple[int, ...], tensor: Any) -> None:
        key = tuple(sorted(nodes))
        if key != nodes:
            tensor = self.xp.swapaxes(tensor, -1, -2)
        self.known[key] = self.known[key] * tensor if key in self.known else tensor

    def eliminate(self, node: int) -> None:
        parts = {key: self.known.pop(key) for key in list(self.known) if node in key}
        left = tuple(sorted({*itertools.chain(*parts)} - {node}))
        if len(left) == 2:
            one, two = ((left[0], node), (node, left[1]))
            inner = parts.pop((node,), None)
            if set(parts) == {tuple(sorted(one)), tuple(sorted(two))}:
                first, second = self._turned(parts, one), self._turned(parts, two)
                first = first if inner is None else first * inner[..., None, :]
                self.put(left, first @ second)
                return
            if inner is not None:
                parts[node,] = inner
        letter = {v: chr(ord("a") + i) for i, v in enumerate((*left, node))}
        words = ["..." + "".join(letter[v] for v in key) for key in parts]
        out = "..." + "".join(letter[v] for v in left)
        made = self.xp.einsum(",".join(words) + "->" + out, *parts.values())
        self.known[left] = self.known[left] * made if left in self.known else made

    def _turned(self, parts: dict[tuple[int, ...], Any], pair: tuple[int, int]) -> Any:
        tensor = parts[tuple(sorted(pair))]
        return tensor if pair[0] < pair[1] else self.xp.swapaxes(tensor, -1, -2)

    def output(self, marks: tuple[int, ...]) -> Any:
        if not marks:
            return self.known.get((), self.ones[..., 0])
        if len(set(marks)) == 1:
            found = self.known.get((marks[0],), self.ones)
            found = found * self._scalar()[..., None]
            if len(marks) == 1:
                return found
            return found[..., None] * self.xp.eye(found.shape[-1], dtype=found.dtype)
        found = self.xp.ones_like(self.x)
        for i, mark in enumerate(marks):
            if (mark,) in self.known:
                vector = self.known[mark,]
                found = found * (vector[..., None, :] if i else vector[..., None])
        if tuple(sorted(marks)) in self.known:
            found = found * self._turned(self.known, (marks[0], marks[1]))
        return found * self._scalar()[..., None, None]

    def _scalar(self) -> Any:
        return self.known.get((), self.ones[..., 0])


def polynomial_features(
    x: Num[Any, "*batch n n"], patterns: Sequence[Pattern], *, order: Literal[0, 1, 2] = 2
) -> Num[Any, "..."]:
    """The polynomials of several patterns as channels, to be put beside a network's inputs.

    Args:
        x: as for `evaluate`.
        patterns: of at most `order` marks. Those of fewer are put where more are wanted: a number at
            each node, a node's on the diagonal.
        order: 0 for channels of a graph, 1 of nodes (for GIN), 2 of pairs (for PPGN).

    Returns:
        Shape (*batch, k), (*batch, n, k) or (*batch, n, n, k).

    Raises:
        ExperimentError: a pattern with more marks, or none at all.
    """
    if not patterns or any(len(p.marks) > order for p in patterns):
        raise ExperimentError(
            f"{len(patterns)} patterns for features of order {order}; there is one at least, with "
            "no more marks than that"
        )
    xp, found = x.__array_namespace__(), []
    for pattern in patterns:
        values = evaluate(pattern, x)
        if len(pattern.marks) == 0 and order > 0:
            values = values[..., None] * xp.ones_like(x[..., 0])
        if len(pattern.marks) < 2 and order == 2:
            values = values[..., None] * xp.eye(x.shape[-1], dtype=x.dtype)
        found.append(values)
    return xp.stack(found, -1)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What it takes to count a pattern.

    Args:
        model: the cheapest that can: "node" (GIN), "edge" (PPGN), or "polynomial", which is PPGN with
            the polynomials of `cores` as further channels.
        contractions: of each polynomial that is summed, in the order of `polynomials`.
        polynomials: of which the count is a combination.
        cores: irreducible patterns that keep an edge-based model from it; none where it can.
    """

    model: Literal["node", "edge", "polynomial"]
    polynomials: tuple[Pattern, ...]
    contractions: tuple[Contraction, ...]
    cores: tuple[Pattern, ...]

    def multiplies(self, num_nodes: int) -> int:
        """Products of numbers for a graph of so many nodes."""
        return sum(each.multiplies(num_nodes) for each in self.contractions)


def plan(pattern: Pattern, *, subgraphs: bool = False) -> Plan:
    """The cheapest model that can count a pattern, how, and else what it fails on.

    Args:
        pattern: simple, with up to two marks.
        subgraphs: whether its nodes must be placed on distinct nodes. Such a count is a combination of the
            polynomials of all patterns that it becomes when nodes are identified, none of which cancels.

    Source: for subgraphs Curticapean, Dell and Marx, STOC 2017, arXiv:1705.01595.
    """
    terms = quotients(pattern) if subgraphs else (pattern,)
    cores = {found for term in terms if (found := core(term)) is not None}
    nodes = len(pattern.marks) < 2 and all(is_computable(term, "node") for term in terms)
    model: Any = "node" if nodes else "polynomial" if cores else "edge"
    ordered = sorted(cores, key=lambda p: (p.num_nodes, p.edges, p.marks))
    return Plan(model, terms, tuple(map(contraction, terms)), tuple(ordered))


def quotients(pattern: Pattern) -> tuple[Pattern, ...]:
    """All patterns that come of identifying nodes that are not joined; marks stay distinct."""
    around, found = _around(pattern), set()
    for blocks in _blocks(pattern, around, 0, []):
        place = {v: i for i, block in enumerate(blocks) for v in block}
        pairs = ((place[u], place[v]) for u, v in pattern.edges)
        edges = sorted({(min(pair), max(pair)) for pair in pairs})
        marks = tuple(place[v] for v in pattern.marks)
        found.add(canonical(Pattern(len(blocks), tuple(edges), marks), simple=True))
    return tuple(sorted(found, key=lambda p: (p.num_nodes, p.edges, p.marks)))


def _blocks(
    pattern: Pattern, around: dict[int, set[int]], node: int, blocks: list[list[int]]
) -> Iterator[list[tuple[int, ...]]]:
    if node == pattern.num_nodes:
        yield [tuple(block) for block in blocks]
        return
    for i, block in enumerate(blocks):
        marked = node in pattern.marks and any(v in pattern.marks for v in block)
        if not marked and not around[node] & set(block):
            yield from _blocks(
                pattern, around, node + 1, [*blocks[:i], [*block, node], *blocks[i + 1 :]]
            )
    yield from _blocks(pattern, around, node + 1, [*blocks, [node]])
