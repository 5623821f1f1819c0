"""What holds exactly of sheaf diffusion, measured on drawn graphs in float64; nothing is trained."""

from typing import TypedDict

import networkx as nx
import numpy as np
from jaxtyping import Float64, Int

from experiments.graphs.neural_sheaf_diffusion.separability import (
    LEAST_MARGIN,
    flat_sheaf,
    quaternion_group,
    rotation_group,
    separation_margin,
    sign_group,
)
from experiments.graphs.neural_sheaf_diffusion.sheaf import (
    Sheaf,
    dense_laplacian,
    harmonic_space,
    sheaf_on,
)
from experiments.graphs.neural_sheaf_diffusion.study_config import SheafConfig
from experiments.harness.study import Trial


class LimitResult(TypedDict):
    """Largest deviations; see `limit`."""

    deviation: float
    deviation_elsewhere: float


def limit(config: SheafConfig, trial: Trial) -> LimitResult:
    """The spectrum in [0, 2], the same in all gauges, and exp(-tL) X against its harmonic part.

    `deviation_elsewhere` takes the harmonic space of another sheaf, the constant one.
    """
    from scipy.linalg import expm

    generator, n = trial.generator, 10
    deviations: list[float] = []
    elsewhere: list[float] = []
    for draw in range(config.graphs):
        edges, d = _connected(generator, n), 1 + draw % 3
        m = len(edges)
        at_nodes, mixed = _orthogonal(generator, n, d), _orthogonal(generator, n, d)
        turned, ends = _orthogonal(generator, m, d), generator.normal(size=(2, m, d, d))
        x = generator.normal(size=(n, d, 2))
        constant = harmonic_space(flat_sheaf(edges, np.ones((n, d))))
        for sheaf in (flat_sheaf(edges, at_nodes), sheaf_on(edges, *ends, num_nodes=n)):
            laplacian, space = dense_laplacian(sheaf, how="normalised"), harmonic_space(sheaf)
            values = space.eigenvalues
            first, second = sheaf.far[:m], sheaf.near[:m]
            gauged = sheaf_on(
                edges,
                turned @ first @ mixed[edges[:, 0]],
                turned @ second @ mixed[edges[:, 1]],
                num_nodes=n,
            )
            change = np.abs(harmonic_space(gauged).eigenvalues - values).max()
            deviations += [-values[0], values[-1] - 2, change]
            for time in (1.0, 4.0, 16.0):
                later = (expm(-time * laplacian) @ x.reshape(n * d, 2)).reshape(x.shape)
                for distances, limits in ((deviations, space), (elsewhere, constant)):
                    distance = np.linalg.norm(later - limits.project(x)) / np.linalg.norm(x)
                    distances.append(distance - np.exp(-time * space.gap))
    return {
        "deviation": float(max(0.0, *deviations)),
        "deviation_elsewhere": float(max(0.0, *elsewhere)),
    }


class SeparationResult(TypedDict):
    """Cases by proposition: [separated, in all]; and how many contradict it."""

    cases: dict[str, list[int]]
    contrary: int
    contrary_exchanged: int


def separations(config: SheafConfig, trial: Trial) -> SeparationResult:
    """Propositions 9 to 13, by linear programming in the limit of diffusion from random features.

    `contrary_exchanged` gives the cases that must be separable the constant sheaf, and those of
    Proposition 9 the sheaf of Proposition 10.
    """
    generator = trial.generator
    cases: dict[str, list[int]] = {}
    contrary = exchanged = 0

    def judge(name: str, sheaf: Sheaf, labels: np.ndarray, channels: int, possible: bool) -> bool:
        x = generator.normal(size=(len(labels), sheaf.stalk, channels))
        points = harmonic_space(sheaf).project(x).reshape(len(labels), -1)
        separated = separation_margin(points, labels) > LEAST_MARGIN
        if name:
            counted = cases.setdefault(name, [0, 0])
            cases[name] = [counted[0] + separated, counted[1] + 1]
        return separated != possible

    for _ in range(config.graphs):
        edges, sides = _bipartite(generator, 8)
        weights = generator.uniform(0.5, 2.0, (len(edges), 1))
        signs = (2.0 * sides - 1)[:, None]
        symmetric = sheaf_on(edges, weights, weights, num_nodes=len(sides))
        contrary += judge("9 symmetric scalars", symmetric, sides, 8, False)
        contrary += judge("10 signed scalars", flat_sheaf(edges, signs), sides, 8, True)
        exchanged += judge("", flat_sheaf(edges, signs), sides, 8, False)
        for name, classes, group, channels in (
            ("11 scalars, 3 classes", 3, None, 8),
            ("12 diagonal, C = d = 4", 4, sign_group(4), 1),
            ("13 rotations, C = 4, d = 2", 4, rotation_group(4), 1),
            ("13 quaternions, C = 8, d = 4", 8, quaternion_group(), 1),
        ):
            edges, labels = (
                _scale_free(generator, 40),
                generator.permutation(np.arange(40) % classes),
            )
            any_scalars = generator.choice([-1, 1], (40, 1)) * generator.uniform(0.5, 2, (40, 1))
            sheaf = flat_sheaf(edges, any_scalars if group is None else group[labels])
            contrary += judge(name, sheaf, labels, channels, group is not None)
            if group is not None:
                constant = flat_sheaf(edges, np.ones((40, sheaf.stalk)))
                exchanged += judge("", constant, labels, channels, True)
    return {"cases": cases, "contrary": contrary, "contrary_exchanged": exchanged}


class EnergyResult(TypedDict):
    """Energies after a layer, relative; see `energy`."""

    excess: float
    raised: float


def energy(config: SheafConfig, trial: Trial) -> EnergyResult:
    """Theorems 15 and 16: one layer Y = s((I - L) (I x W1) X W2) contracts the sheaf's energy.

    `excess` is the largest E(Y) - bound over E(X) |W1|^2 |W2|^2, or 0; s is ReLU or leaky. `raised` is
    E(Y) / |Y|^2 outside of those classes (Proposition 17): on two nodes with a rotation between
    them, from E(X) = 0, with |W1| = 0.001.
    """
    generator = trial.generator
    excess = 0.0
    for draw in range(config.draws):
        edges, n = _connected(generator, 8), 8
        d, slope = (1, 2, 3)[draw % 3], (0.0, 0.1, 0.5)[draw // 3 % 3]
        if d == 1:  # Theorem 15: any positive scalars
            first, second = generator.uniform(0.3, 2.0, (2, len(edges), 1, 1))
        else:  # Theorem 16: orthogonal maps, the same at both ends
            first = second = _orthogonal(generator, len(edges), d)
        sheaf = sheaf_on(edges, first, second, num_nodes=n)
        w1, w2 = generator.normal(size=(d, d)), generator.normal(size=(3, 3))
        x = generator.normal(size=(n, d, 3))
        before, after, values = _layer(sheaf, x, w1, w2, slope)
        contraction = max((value - 1) ** 2 for value in values if value > 1e-9)
        scale = np.linalg.norm(w1, 2) ** 2 * np.linalg.norm(w2, 2) ** 2 * before
        excess = max(excess, (after - contraction * scale) / scale)
    angle = generator.uniform(0.5, 1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pair = sheaf_on(np.array([[0, 1]]), np.eye(2)[None], turn[None], num_nodes=2)
    x = np.stack([turn @ [1.0, 2.0], [1.0, 2.0]])[:, :, None]
    before, after, _ = _layer(pair, x, 1e-3 * np.diag([1.0, -1.0]), np.eye(1), 0.5, relative=True)
    return {"excess": excess, "raised": after - before}


def _layer(
    sheaf: Sheaf,
    x: Float64[np.ndarray, "n d f"],
    w1: Float64[np.ndarray, "d d"],
    w2: Float64[np.ndarray, "f f"],
    slope: float,
    relative: bool = False,
) -> tuple[float, float, Float64[np.ndarray, " nd"]]:
    """Energies before and after one layer, and the spectrum."""
    n, d, f = x.shape
    laplacian = dense_laplacian(sheaf, how="normalised")
    moved = np.einsum("ij,vjf,fg->vig", w1, x, w2).reshape(n * d, f)
    y = moved - laplacian @ moved
    y = np.where(y > 0, y, slope * y)
    flat = x.reshape(n * d, f)
    before, after = (float(np.einsum("if,ij,jf", z, laplacian, z)) for z in (flat, y))
    if relative:
        before, after = before / float((flat**2).sum()), after / float((y**2).sum())
    return before, after, np.linalg.eigvalsh(laplacian)


class SymmetryResult(TypedDict):
    """Change of a learner's map when its two nodes change places; see `symmetry`."""

    even: float
    odd: float


def symmetry(config: SheafConfig, trial: Trial) -> SymmetryResult:
    """The public sparse learner as it is wired: does it tell an edge's two nodes apart?

    `even` is its largest change over even numbers of rows in a stalk, `odd` its smallest over odd ones.
    """
    generator, channels = trial.generator, 16
    changes: dict[int, float] = {}
    for rows in range(2, 8):
        pair = generator.normal(size=(2, 100, rows * channels))
        weights = generator.normal(size=(2 * channels, rows)) / np.sqrt(2 * channels)
        laid = [np.concatenate(nodes, axis=1) for nodes in (pair, pair[::-1])]
        one, two = (np.tanh(x.reshape(100, rows, 2 * channels).sum(1) @ weights) for x in laid)
        changes[rows] = float(np.abs(one - two).max())
    return {
        "even": max(change for rows, change in changes.items() if rows % 2 == 0),
        "odd": min(change for rows, change in changes.items() if rows % 2),
    }


def _connected(generator: np.random.Generator, n: int) -> Int[np.ndarray, "m 2"]:
    """A random tree and as many edges again."""
    tree = [(node, int(generator.integers(node))) for node in range(1, n)]
    pairs = np.sort(np.concatenate([tree, generator.integers(n, size=(n, 2))]), axis=1)
    edges: np.ndarray = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return edges


def _bipartite(
    generator: np.random.Generator, side: int
) -> tuple[Int[np.ndarray, "m 2"], Int[np.ndarray, " n"]]:
    """A connected bipartite graph of two equal sides, and the sides."""
    ring = np.array([(i, side + (i + shift) % side) for i in range(side) for shift in (0, 1)])
    more = np.stack(
        [generator.integers(side, size=side), generator.integers(side, 2 * side, side)], 1
    )
    return np.unique(np.concatenate([ring, more]), axis=0), np.arange(2 * side) // side


def _scale_free(generator: np.random.Generator, n: int) -> Int[np.ndarray, "m 2"]:
    return np.array(nx.barabasi_albert_graph(n, 2, seed=int(generator.integers(2**31))).edges())


def _orthogonal(
    generator: np.random.Generator, number: int, d: int
) -> Float64[np.ndarray, "m d d"]:
    q, _ = np.linalg.qr(generator.normal(size=(number, d, d)))
    return q
