"""Low and high frequencies on a graph, and in which of them a student misses its teacher."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.operators import How, normalised, to_scipy
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError


def adjacency(graph: GraphsTuple, how: How = "sym") -> Any:
    """A^ = D^-1/2 A D^-1/2 without self-loops and weights, SciPy sparse; `how` as for `normalised`."""
    pairs = np.stack([np.asarray(graph.senders), np.asarray(graph.receivers)], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    simple = from_edges(pairs, np.empty((int(np.asarray(graph.n_node).sum()), 0)), directed=True)
    matrix = to_scipy(normalised(simple, how=how, self_loops=False))
    if how == "sym" and abs(matrix - matrix.T).sum() > 0:
        raise ExperimentError(
            "frequencies need every edge both ways, and this graph has one-way edges"
        )
    return matrix


def frequency_split(
    operator: Any, x: Float[np.ndarray, "n c"]
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "n c"]]:
    """The low part (I + A^) x / 2 and the high part (I - A^) x / 2.

    They sum to x but are not orthogonal: <low, high> = (|x|² - |A^ x|²) / 4.

    Args:
        operator: A^, from `adjacency`.
        x: one row a node.

    Source: arXiv:2305.10758, the factorisation of knowledge; its scale of 1/2 is reconstructed.
    """
    neighbours = operator @ x
    return (x + neighbours) / 2, (x - neighbours) / 2


@dataclasses.dataclass(frozen=True)
class FrequencyReport:
    """What a teacher knows and what its student missed of it, by frequency.

    Attributes:
        borders: (bands + 1,) of bands of eigenvalues of I - A^, from 0 to 2.
        teacher: (bands,) squared norm of the teacher's probabilities, less their mean over nodes.
        error: (bands,) squared norm of the student's probabilities less the teacher's.
        low: |F_L (student - teacher)| / |F_L (teacher - mean)|, F_L the low part of all bands.
        high: the same of the high part.
    """

    borders: Float[np.ndarray, " borders"]
    teacher: Float[np.ndarray, " bands"]
    error: Float[np.ndarray, " bands"]
    low: float
    high: float

    @property
    def relative(self) -> Float[np.ndarray, " bands"]:
        """The error's norm over the teacher's, band by band; nan where the teacher has nothing."""
        some = self.teacher > 1e-12 * self.teacher.sum()
        ratio: np.ndarray = np.sqrt(self.error / np.where(some, self.teacher, np.nan))
        return ratio


def frequency_report(
    teacher_logits: Float[np.ndarray, "n c"],
    student_logits: Float[np.ndarray, "n c"],
    graph: GraphsTuple,
    *,
    bands: int = 8,
    exact: int = 3000,
    order: int = 200,
) -> FrequencyReport:
    """In which bands of frequency a student's probabilities differ from its teacher's.

    Args:
        teacher_logits: compared after softmax.
        student_logits: the same.
        graph: every edge both ways.
        bands: of equal width; an eigenvalue on a border counts to the upper one.
        exact: up to this many nodes by eigenvectors; beyond by Chebyshev moments with Jackson's
            damping, which blur borders by about 2 pi / `order` and keep the sum over bands.
        order: of the Chebyshev polynomials.

    Raises:
        ExperimentError: shapes differ or do not fit the graph, no band, or one-way edges.

    Source: ours; moments as in Weisse et al., Rev. Mod. Phys. 78 (2006).
    """
    operator = adjacency(graph)
    shapes = {np.shape(teacher_logits), np.shape(student_logits)}
    if bands < 1 or len(shapes) > 1 or any(s[0] != operator.shape[0] for s in shapes):
        raise ExperimentError(
            f"logits of shapes {sorted(shapes)} in {bands} bands do not fit a graph of "
            f"{operator.shape[0]} nodes: one shape, a row for each node, and a band or more"
        )
    teacher, student = (
        softmax(np.asarray(z, np.float64), axis=1) for z in (teacher_logits, student_logits)
    )
    known, missed = teacher - teacher.mean(0, keepdims=True), student - teacher
    borders = np.linspace(0.0, 2.0, bands + 1)
    energies = by_eigenvectors if operator.shape[0] <= exact else by_moments
    parts = [frequency_split(operator, x) for x in (missed, known)]
    low, high = (
        float(np.linalg.norm(error)) / max(float(np.linalg.norm(whole)), 1e-300)
        for error, whole in zip(*parts, strict=True)
    )
    of_teacher, of_error = (energies(operator, x, borders, order) for x in (known, missed))
    return FrequencyReport(borders, of_teacher, of_error, low, high)


def by_eigenvectors(operator: Any, x: np.ndarray, borders: np.ndarray, _: int) -> np.ndarray:
    """The squared norm of x in each band, exactly."""
    values, vectors = np.linalg.eigh(np.eye(len(x)) - operator.toarray())
    band = np.clip(np.digitize(values + 1e-9, borders) - 1, 0, len(borders) - 2)
    return np.bincount(band, ((vectors.T @ x) ** 2).sum(1), len(borders) - 1)


def by_moments(operator: Any, x: np.ndarray, borders: np.ndarray, order: int) -> np.ndarray:
    """The same from <x, T_k(-A^) x>, k up to `order`, with the bands' indicators expanded in T_k."""
    before, now = x, -(operator @ x)
    moments = [np.sum(x * x), np.sum(x * now)]
    for _ in range(order - 1):
        before, now = now, -2 * (operator @ now) - before
        moments.append(np.sum(x * now))
    k, step, theta = np.arange(order + 1.0), np.pi / (order + 2), np.arccos(borders - 1)
    damping = (order + 2 - k) * np.cos(k * step) + np.sin(k * step) / np.tan(step)
    waves = 2 * np.sin(np.outer(k[1:], theta)) / k[1:, None]
    indicators = -np.diff(np.concatenate([theta[None], waves]), axis=1) / np.pi
    return (np.asarray(moments) * damping / (order + 2)) @ indicators
