"""What is measured exactly: the basis, lists of what models cannot compute, which graphs tests confuse."""

import itertools
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from scipy.linalg import lstsq

from experiments.data.graph_sets import Graph
from experiments.graphs.equivariant_polynomials import contracting, patterns
from experiments.graphs.equivariant_polynomials.patterns import Pattern
from experiments.graphs.equivariant_polynomials.study_config import PolynomialConfig
from experiments.harness.study import Trial
from experiments.kits.graph_sets.families import rook_and_shrikhande, triangular_and_chang
from experiments.kits.graph_sets.isomorphism import (
    colour_classes,
    fwl2_colours,
    undistinguished_pairs,
    wl_colours,
)

Counts = dict[str, int]
"""Pairs of graphs that are not told apart, by what looks at them."""


class BasisResult(TypedDict):
    """Differences of rank and dimension, residuals of other polynomials; the same without a premise."""

    ranks: list[int]
    dimensions: list[int]
    gap: int
    residual: float
    gap_of_graphs: int
    residual_without_one: float


def basis(config: PolynomialConfig, trial: Trial) -> BasisResult:
    """Rank of all polynomials up to a degree, against the count of orbits; and what they span."""
    generator = trial.generator
    ranks, dimensions, of_graphs = [], [], []
    for nodes, degree in zip(config.basis_nodes, config.basis_degrees, strict=True):
        elements = _elements(nodes, degree)
        drawn = generator.normal(size=(config.basis_inputs, nodes, nodes))
        graphs = np.triu(generator.random(drawn.shape) < 0.5, 1).astype(float)
        ranks.append(_rank(elements, drawn))
        of_graphs.append(_rank(elements, graphs + graphs.swapaxes(1, 2)))
        dimensions.append(sum(patterns.dimension(nodes, d, 2) for d in range(degree + 1)))
    drawn = generator.normal(size=(30, 4, 4))
    columns = _columns(_elements(4, 2), drawn)
    other = _averaged(generator, drawn).ravel()
    # Left out: the element that is least like the others' combinations in this polynomial.
    weights = lstsq(columns, other)[0]
    rest = np.delete(columns, np.abs(weights).argmax(), axis=1)
    gaps = np.subtract(dimensions, ranks)
    return {
        "ranks": ranks,
        "dimensions": dimensions,
        "gap": int(np.abs(gaps).max()),
        "residual": _residual(columns, other),
        "gap_of_graphs": int(np.subtract(dimensions, of_graphs).min()),
        "residual_without_one": _residual(rest, other),
    }


def _elements(nodes: int, degree: int) -> list[Pattern]:
    degrees = range(degree + 1)
    return [p for d in degrees for p in patterns.enumerate_basis(d, 2, num_nodes=nodes)]


def _columns(elements: Sequence[Pattern], x: np.ndarray) -> np.ndarray:
    found = np.stack([contracting.evaluate(pattern, x).ravel() for pattern in elements], 1)
    scaled: np.ndarray = found / np.linalg.norm(found, axis=0)
    return scaled


def _rank(elements: Sequence[Pattern], x: np.ndarray) -> int:
    kept = [p for p in elements if contracting.evaluate(p, x).any()]
    return int(np.linalg.matrix_rank(_columns(kept, x), tol=1e-8))


def _residual(columns: np.ndarray, other: np.ndarray) -> float:
    left = other - columns @ lstsq(columns, other)[0]
    return float(np.linalg.norm(left) / np.linalg.norm(other))


def _averaged(generator: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """An equivariant polynomial of degree 2: random monomials averaged over all permutations."""
    n, made = x.shape[1], np.zeros_like(x)
    for _ in range(10):
        (a, b), (c, d), (i, j) = generator.integers(n, size=(3, 2)).tolist()
        weight = generator.normal()
        for order in itertools.permutations(range(n)):
            of = list(order)
            made[:, of[i], of[j]] += weight * x[:, of[a], of[b]] * x[:, of[c], of[d]]
    return made


def lists(config: PolynomialConfig, trial: Trial) -> dict[str, list[int]]:
    """How many connected patterns of degree 1, 2, ... models cannot contract."""
    degrees = range(1, config.degree + 1)
    edge = {
        (d, marks): contracting.missing(d, marks, "edge") for d in degrees for marks in range(3)
    }
    # As if (a, b) and (b, a) were one output, which the public code does.
    both = [{tuple(sorted((p, _reversed(p)), key=str)) for p in edge[d, 2]} for d in degrees]
    return {
        "edge": [sum(len(edge[d, marks]) for marks in range(3)) for d in degrees],
        "edge_unordered": [
            len(pairs) + len(edge[d, 0]) + len(edge[d, 1])
            for d, pairs in zip(degrees, both, strict=True)
        ],
        "node": [len(contracting.missing(d, 1, "node")) for d in degrees],
    }


def _reversed(pattern: Pattern) -> Pattern:
    turned = Pattern(pattern.num_nodes, pattern.edges, pattern.marks[::-1])
    return patterns.canonical(turned, simple=True)


def uncomputable(degree: int) -> list[Pattern]:
    """All patterns up to a degree that the edge-based model cannot contract."""
    every = itertools.product(range(1, degree + 1), range(3))
    return [p for d, marks in every for p in contracting.missing(d, marks, "edge")]


def tables(graphs: Sequence[Graph], size: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Adjacency (G, n, n) int64 of padded graphs, and which nodes there are."""
    size = size or max(graph.num_nodes for graph in graphs)
    found = np.zeros((len(graphs), size, size), np.int64)
    for table, graph in zip(found, graphs, strict=True):
        u, v = graph.edges.T
        table[u, v] = table[v, u] = 1
    return found, np.array([np.arange(size) < graph.num_nodes for graph in graphs])


def regular_sets(trial: Trial) -> dict[str, tuple[Graph, ...]]:
    """Strongly regular graphs of one set of parameters each; those of 25 nodes are real data."""
    return {
        "16": rook_and_shrikhande(),
        "28": triangular_and_chang(),
        "25": trial.load("sr25").graphs,
    }


def strongly_regular(config: PolynomialConfig, trial: Trial) -> dict[str, Counts]:
    """Pairs of strongly regular graphs that stay confused, in whole numbers throughout."""
    found: dict[str, Counts] = {}
    chosen = {"five": uncomputable(5), "all": uncomputable(config.degree)}
    for name, graphs in regular_sets(trial).items():
        x, _ = tables(graphs)
        classes = colour_classes(fwl2_colours(graphs, generator=trial.generator))
        pairs = len(graphs) * (len(graphs) - 1) // 2
        found[name] = {"pairs": pairs, "fwl2": undistinguished_pairs(classes)}
        for which, polynomials in chosen.items():
            features = contracting.polynomial_features(x, polynomials)
            diagonal = np.broadcast_to(np.eye(x.shape[1], dtype=x.dtype), x.shape)
            joint = np.concatenate([np.stack([x, diagonal], -1), features], -1)
            found[name][f"sums_{which}"] = undistinguished_pairs(features.sum((1, 2)))
            found[name][f"joint_{which}"] = undistinguished_pairs(sorted_rows(joint))
    return found


def sorted_rows(channels: np.ndarray) -> np.ndarray:
    """(G, n, n, C) as (G, n n C): the multiset of all pairs' channels, in a fixed order."""
    rows = channels.reshape(len(channels), -1, channels.shape[-1])
    return np.stack([part[np.lexsort(part.T)].ravel() for part in rows])


def colours_of(graphs: Sequence[Graph], trial: Trial) -> dict[str, np.ndarray]:
    """Classes of graphs under both refinements.

    Two rounds of 2-FWL: pairs that they separate stay separated.
    """
    fwl2 = fwl2_colours(graphs, generator=trial.generator, rounds=2)
    return {"wl": colour_classes(wl_colours(graphs)), "fwl2": colour_classes(fwl2)}
