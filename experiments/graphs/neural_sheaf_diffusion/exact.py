"""What holds exactly of sheaf diffusion, measured on drawn graphs in float64; nothing is trained."""

from typing import TYPE_CHECKING, TypedDict

import networkx as nx
import numpy as np
from jaxtyping import Float64, Int

from experiments.graphs.neural_sheaf_diffusion.separation import (
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
from experiments.harness.study import Trial

if TYPE_CHECKING:
    from experiments.graphs.neural_sheaf_diffusion.study import SheafConfig


class LimitResult(TypedDict):
    """Largest deviations from what the spectrum, gauges and the limit must be."""

    spectrum: float
    gauge: float
    rate: float
    deviation: float
    deviation_elsewhere: float


def limit(config: "SheafConfig", trial: Trial) -> LimitResult:
    """The spectrum in [0, 2], the same in all gauges, and exp(-tL) X against its harmonic part.

    `deviation_elsewhere` takes the harmonic space of another sheaf, the constant one.
    """
    from scipy.linalg import expm

    generator = trial.generator
    found: dict[str, list[float]] = {"spectrum": [], "gauge": [], "rate": [], "elsewhere": []}
    for draw in range(config.graphs):
        edges, n = _connected(generator, 10), 10
        d, num_edges = 1 + draw % 3, len(edges)
        at_nodes = _orthogonal(generator, n, d)
        ends = generator.normal(size=(2, num_edges, d, d))
        sheaves = [flat_sheaf(edges, at_nodes), sheaf_on(edges, *ends, num_nodes=n)]
        turned, mixed = _orthogonal(generator, num_edges, d), _orthogonal(generator, n, d)
        x = generator.normal(size=(n, d, 2))
        for sheaf in sheaves:
            laplacian = dense_laplacian(sheaf, how="normalised")
            space = harmonic_space(sheaf)
            values = space.eigenvalues
            found["spectrum"].append(max(0.0, -values[0], values[-1] - 2))
            once = np.arange(num_edges)
            near, far = sheaf.near[once], sheaf.far[once]
            other = sheaf_on(
                edges,
                turned @ far @ mixed[edges[:, 0]],
                turned @ near @ mixed[edges[:, 1]],
                num_nodes=n,
            )
            there = harmonic_space(other).eigenvalues
            found["gauge"].append(float(np.abs(there - values).max()))
            constant = harmonic_space(flat_sheaf(edges, np.ones((n, d))))
            for time in (1.0, 4.0, 16.0):
                later = (expm(-time * laplacian) @ x.reshape(n * d, 2)).reshape(x.shape)
                allowed = np.exp(-time * space.gap)
                for name, which in (("rate", space), ("elsewhere", constant)):
                    distance = np.linalg.norm(later - which.project(x)) / np.linalg.norm(x)
                    found[name].append(max(0.0, distance - allowed))
    worst = {name: max(values) for name, values in found.items()}
    return {
        "spectrum": worst["spectrum"],
        "gauge": worst["gauge"],
        "rate": worst["rate"],
        "deviation": max(worst["spectrum"], worst["gauge"], worst["rate"]),
        "deviation_elsewhere": worst["elsewhere"],
    }


class SeparationResult(TypedDict):
    """Cases by proposition: [separated, in all]; and how many contradict it."""

    cases: dict[str, list[int]]
    contrary: int
    contrary_exchanged: int


def separation(config: "SheafConfig", trial: Trial) -> SeparationResult:
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


def energy(config: "SheafConfig", trial: Trial) -> EnergyResult:
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
    """Largest change of a learner's map when its two nodes change places, by rows of a stalk."""

    public: dict[str, float]
    whole: dict[str, float]
    even: float
    odd: float


def symmetry(config: "SheafConfig", trial: Trial) -> SymmetryResult:
    """The public sparse learner as it is wired: does it tell an edge's two nodes apart?

    `even` is its largest change over even numbers of rows, `odd` its smallest over odd ones.
    """
    generator = trial.generator
    public, whole, channels = {}, {}, 16
    for rows in range(2, 8):
        pair = generator.normal(size=(2, 100, rows * channels))
        weights = generator.uniform(-1, 1, (2 * channels, rows)) / np.sqrt(2 * channels)
        dense = generator.uniform(-1, 1, (2 * rows * channels, rows)) / np.sqrt(2 * rows * channels)
        laid = [np.concatenate([a, b], axis=1) for a, b in (pair, pair[::-1])]
        summed = [both.reshape(100, rows, 2 * channels).sum(1) for both in laid]
        one, two = (np.tanh(both @ weights) for both in summed)
        public[str(rows)] = float(np.abs(one - two).max())
        one, two = (np.tanh(both @ dense) for both in laid)
        whole[str(rows)] = float(np.abs(one - two).max())
    even = max(public[rows] for rows in ("2", "4", "6"))
    odd = min(public[rows] for rows in ("3", "5", "7"))
    return {"public": public, "whole": whole, "even": even, "odd": odd}


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
