"""Cellular sheaves on graphs: the Laplacian as an operator, transport along paths, harmonic space.

A sheaf puts a space R^d, the stalk, on every node and every edge, and on each pair of a node and one
of its edges a restriction map from the node's stalk to the edge's. A section (one vector a node) is
harmonic where the two ends of every edge agree on it.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

from experiments.kits.graph.segments import segment_sum
from ntkexec.errors import ExperimentError

How = Literal["augmented", "normalised", "none"]
# What is added to the degrees before they divide.
_ADDED: dict[str, float] = {"augmented": 1.0, "normalised": 0.0}
_ZERO = 1e-12


@dataclasses.dataclass(frozen=True)
class Sheaf:
    """Restriction maps on a graph whose edges are listed in both directions; self-loops have no place.

    Attributes:
        senders: (E,).
        receivers: (E,).
        near: maps of the receiver into the edge, (E, d, d), or (E, d) where all are diagonal.
        far: maps of the sender, the same shape; those of an edge's two directions are swapped.
        num_nodes: static.
        orthogonal: static; every map is an orthogonal matrix times a number, so that degrees are
            numbers as well.
    """

    senders: Int[Any, " e"]
    receivers: Int[Any, " e"]
    near: Float[Any, "e *d"]
    far: Float[Any, "e *d"]
    num_nodes: int
    orthogonal: bool = False

    @property
    def stalk(self) -> int:
        """The dimension d of the stalks."""
        return int(self.near.shape[1])


jax.tree_util.register_dataclass(
    Sheaf, ["senders", "receivers", "near", "far"], ["num_nodes", "orthogonal"]
)


def sheaf_on(
    edges: Int[np.ndarray, "m 2"],
    first: Float[np.ndarray, "m *d"],
    second: Float[np.ndarray, "m *d"],
    *,
    num_nodes: int,
    orthogonal: bool = False,
) -> Sheaf:
    """The sheaf of undirected edges, each given once, with the maps of their first and second nodes.

    Raises:
        ExperimentError: the maps fit neither each other nor the edges, or an edge is a self-loop.
    """
    edges = np.asarray(edges).reshape(-1, 2)
    if first.shape != second.shape or len(first) != len(edges):
        raise ExperimentError(
            f"{len(edges)} edges have maps of shapes {first.shape} and {second.shape}: one an edge "
            "for each of its nodes would fit"
        )
    if (loops := edges[:, 0] == edges[:, 1]).any():
        raise ExperimentError(f"a sheaf has no map for node {edges[loops][0, 0]}'s edge to itself")
    senders, receivers = np.concatenate([edges, edges[:, ::-1]]).T
    near, far = np.concatenate([second, first]), np.concatenate([first, second])
    return Sheaf(senders, receivers, near, far, num_nodes, orthogonal)


@dataclasses.dataclass(frozen=True)
class SheafLaplacian:
    """The Laplacian as blocks: one a node, one a directed edge; the matrix itself is never formed.

    Attributes:
        senders: (E,).
        receivers: (E,).
        diagonal: (n, d, d); (n, d) for diagonal maps; (n, 1) for multiples of the identity.
        between: (E, d, d) or (E, d), what the receiver takes of the sender's vector.
    """

    senders: Int[Any, " e"]
    receivers: Int[Any, " e"]
    diagonal: Float[Array, "n *d"]
    between: Float[Array, "e *d"]

    def __matmul__(self, x: Float[Array, "n d f"]) -> Float[Array, "n d f"]:
        sent = _applied(self.between, jnp.asarray(x)[self.senders])
        return _applied(self.diagonal, x) + segment_sum(sent, self.receivers, x.shape[0])


jax.tree_util.register_dataclass(
    SheafLaplacian, ["senders", "receivers", "diagonal", "between"], []
)


def sheaf_laplacian(sheaf: Sheaf, *, how: How = "augmented") -> SheafLaplacian:
    """The sheaf Laplacian as an operator: `sheaf_laplacian(sheaf) @ x` for x of shape (n, d, f).

    L has the blocks sum of F_v'F_v over the edges of v, and -F_v'F_u for an edge of u and v. With D
    its diagonal blocks, `normalised` is D^(-1/2) L D^(-1/2), of spectrum within [0, 2], and
    `augmented`, which every layer uses, has D + I in the place of D.

    Args:
        sheaf: of JAX arrays or NumPy's; traced or not.
        how: `normalised` needs no invertible D: its null space is left out.

    Raises:
        ExperimentError: `how` is unknown.

    Source: Section 2 of arXiv:2202.04579; augmentation from the public code.
    """
    if how not in (*_ADDED, "none"):
        raise ExperimentError(f"{how!r} is none of augmented, normalised, none")
    near, far = jnp.asarray(sheaf.near), jnp.asarray(sheaf.far)
    if near.ndim == 2:
        squares, between = near**2, -near * far
    else:
        squares, between = near.mT @ near, -near.mT @ far
    if sheaf.orthogonal and near.ndim == 3:
        squares = jnp.trace(squares, axis1=1, axis2=2)[:, None] / sheaf.stalk
    diagonal = segment_sum(squares, sheaf.receivers, sheaf.num_nodes)
    if how != "none":
        root = _inverse_root(diagonal, _ADDED[how])
        receiving, sending = root[sheaf.receivers], root[sheaf.senders]
        if root.ndim == 3:
            diagonal, between = root @ diagonal @ root, receiving @ between @ sending
        else:
            diagonal = root**2 * diagonal
            scale = receiving * sending
            between = (scale[..., None] if near.ndim == 3 else scale) * between
    return SheafLaplacian(sheaf.senders, sheaf.receivers, diagonal, between)


def transport(sheaf: Sheaf, path: Sequence[int]) -> Float64[np.ndarray, "d d"]:
    """What becomes of a vector at a path's first node, carried along it to the last.

    An edge from u to v carries by F_v^+ F_u, as harmonic sections are carried; for orthogonal maps that
    is the paper's F_v'F_u, whatever the weights.

    Args:
        sheaf: of concrete arrays.
        path: nodes, neighbours in turn; a cycle repeats its first node at its end.

    Raises:
        ExperimentError: names the first step that is no edge.
    """
    carried = np.eye(sheaf.stalk)
    for u, v in itertools.pairwise(path):
        edge = np.flatnonzero((np.asarray(sheaf.senders) == u) & (np.asarray(sheaf.receivers) == v))
        if not edge.size:
            raise ExperimentError(f"the path steps from {u} to {v}, and there is no such edge")
        near, far = (_square(maps[edge[:1]])[0] for maps in (sheaf.near, sheaf.far))
        carried = np.linalg.pinv(near, rcond=_ZERO) @ far @ carried
    return carried


@dataclasses.dataclass(frozen=True)
class HarmonicSpace:
    """The null space of a sheaf's Laplacian, and the spectrum that it comes from.

    Attributes:
        basis: (n, d, k), orthonormal.
        eigenvalues: all nd, ascending.
        dimension: k.
        gap: the smallest eigenvalue that is not zero; nan where all are.
    """

    basis: Float64[np.ndarray, "n d k"]
    eigenvalues: Float64[np.ndarray, " nd"]

    @property
    def dimension(self) -> int:
        return int(self.basis.shape[-1])

    @property
    def gap(self) -> float:
        return float(self.eigenvalues[self.dimension]) if self._rest else float("nan")

    @property
    def _rest(self) -> bool:
        return self.dimension < len(self.eigenvalues)

    def project(self, x: Float[np.ndarray, "n d f"]) -> Float64[np.ndarray, "n d f"]:
        """The harmonic part of `x`, which is where diffusion takes it in the end."""
        inner = np.einsum("vdk,vdf->kf", self.basis, x)
        return np.einsum("vdk,kf->vdf", self.basis, inner)


def harmonic_space(
    sheaf: Sheaf, *, how: How = "normalised", tolerance: float = 1e-9
) -> HarmonicSpace:
    """The sections that diffusion leaves alone, by the eigenvalues of the whole matrix, in float64.

    Args:
        sheaf: of concrete arrays; time grows as (nd)^3, some ten seconds at nd = 3000.
        how: an augmented Laplacian has a null space of the same dimension.
        tolerance: eigenvalues below it count as zero.
    """
    eigenvalues, vectors = np.linalg.eigh(dense_laplacian(sheaf, how=how))
    basis = vectors[:, eigenvalues < tolerance]
    return HarmonicSpace(basis.reshape(sheaf.num_nodes, sheaf.stalk, -1), eigenvalues)


def dense_laplacian(sheaf: Sheaf, *, how: How = "none") -> Float64[np.ndarray, "nd nd"]:
    """The Laplacian as a matrix of doubles, from the coboundary: for spectra and tests, by another way.

    Args:
        sheaf: of concrete arrays.
        how: as in `sheaf_laplacian`.
    """
    n, d = sheaf.num_nodes, sheaf.stalk
    senders, receivers = np.asarray(sheaf.senders), np.asarray(sheaf.receivers)
    once = np.flatnonzero(senders < receivers)
    coboundary = np.zeros((len(once), d, n, d))
    rows = np.arange(len(once))
    coboundary[rows, :, receivers[once]] = _square(sheaf.near)[once]
    coboundary[rows, :, senders[once]] = -_square(sheaf.far)[once]
    flat = coboundary.reshape(-1, n * d)
    laplacian = flat.T @ flat
    if how == "none":
        return laplacian
    blocks = np.einsum("vivj->vij", laplacian.reshape(n, d, n, d))
    values, vectors = np.linalg.eigh(blocks + _ADDED[how] * np.eye(d))
    there = values > _ZERO
    values = np.where(there, np.where(there, values, 1.0) ** -0.5, 0.0)
    roots = np.einsum("vik,vk,vjk->vij", vectors, values, vectors)
    scaled = np.einsum("vij,vjwk,wkl->viwl", roots, laplacian.reshape(n, d, n, d), roots)
    return scaled.reshape(n * d, n * d)


def _square(maps: Any) -> Float64[np.ndarray, "e d d"]:
    """Maps as matrices, also diagonal ones."""
    maps = np.asarray(maps, np.float64)
    return maps if maps.ndim == 3 else maps[:, :, None] * np.eye(maps.shape[1])


def _applied(blocks: Float[Array, "m *d"], x: Float[Array, "m d f"]) -> Float[Array, "m d f"]:
    return blocks @ x if blocks.ndim == 3 else blocks[:, :, None] * x


def _inverse_root(diagonal: Float[Array, "n *d"], added: float) -> Float[Array, "n *d"]:
    """(D + added)^(-1/2), zero on D's null space where nothing is added."""
    if diagonal.ndim == 3:
        return _inverse_root_of_blocks(diagonal + added * jnp.eye(diagonal.shape[-1])[None])
    there = diagonal + added > _ZERO
    return jnp.where(there, jnp.where(there, diagonal + added, 1.0) ** -0.5, 0.0)


def _eigen(blocks: Float[Array, "n d d"]) -> tuple[Array, Array]:
    values, vectors = jnp.linalg.eigh(blocks)
    there = values > _ZERO
    return jnp.where(there, jnp.where(there, values, 1.0) ** -0.5, 0.0), vectors


@jax.custom_jvp
def _inverse_root_of_blocks(blocks: Float[Array, "n d d"]) -> Float[Array, "n d d"]:
    roots, vectors = _eigen(blocks)
    return (vectors * roots[..., None, :]) @ vectors.mT


@_inverse_root_of_blocks.defjvp
def _inverse_root_derivative(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """From S S = A^-1: also where eigenvalues are equal, at which those of `eigh` are infinite."""
    roots, vectors = _eigen(primals[0])
    squares = roots**2
    sums = roots[..., :, None] + roots[..., None, :]
    weights = squares[..., :, None] * squares[..., None, :] / jnp.where(sums > 0, sums, 1.0)
    inner = vectors.mT @ tangents[0] @ vectors
    return (vectors * roots[..., None, :]) @ vectors.mT, -vectors @ (weights * inner) @ vectors.mT
