"""The model: embeddings are averaged over walks between users and items, and nothing else is learned."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.graph.features import Features, SparseFeatures, times
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    from experiments.data.interactions import Table

Norm = Literal["sym", "left", "right", "both"]
NORMS = {"sym": (0.5, 0.5), "left": (1.0, 0.0), "right": (0.0, 1.0), "both": (1.0, 1.0)}
"""Powers by which the receiver's and the sender's degree divide an edge."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Bipartite:
    """Both directions of the normalised operator between users and items; a pytree.

    Args:
        to_users: (n, m), what users receive from items; sparse or an array.
        to_items: (m, n), what items receive from users.
    """

    to_users: Features
    to_items: Features


def bipartite(
    train: "Table", *, norm: Norm = "sym", dense: bool = False, entries: int | None = None,
    dtype: Any = np.float32,
) -> Bipartite:  # fmt: skip
    """The operator of a set of interactions.

    Args:
        train: (users, items) CSR of who has what. A user or item without any keeps zeros.
        norm: an edge is divided by a power of degrees: `sym` by the root of both, `left` by the
            receiver's, `right` by the sender's, `both` by their product (`sym` and L1 in the paper).
        dense: as arrays, quicker below some thousand users and items.
        entries: sparse operators are filled up with zeros to so many, so that sets of almost one
            size share a compiled program.
        dtype: of the weights.

    Raises:
        ExperimentError: no such norm, or more interactions than entries.
    """
    if norm not in NORMS:
        raise ExperimentError(f"{norm!r} is none of the norms {', '.join(NORMS)}")
    coo = train.tocoo()
    users, items = coo.coords
    degrees = [
        np.bincount(side, minlength=size)
        for side, size in zip(coo.coords, train.shape, strict=True)
    ]
    of_users, of_items = degrees[0][users].astype(float), degrees[1][items].astype(float)
    receiver, sender = NORMS[norm]
    weights = (of_users**-receiver * of_items**-sender, of_items**-receiver * of_users**-sender)
    sides = ((users, items, train.shape), (items, users, train.shape[::-1]))
    return Bipartite(
        *(
            _operator(*side, each.astype(dtype), dense, entries)
            for side, each in zip(sides, weights, strict=True)
        )
    )


def propagate(
    graph: Bipartite, users: Float[Array, "n d"], items: Float[Array, "m d"]
) -> tuple[Float[Array, "n d"], Float[Array, "m d"]]:
    """One hop: what users receive from items, and items from users."""
    return times(graph.to_users, items), times(graph.to_items, users)


class LightGCN(nn.Module):
    """Final vectors of users (n, d) and of items (m, d); a score is their dot product.

    With E_0 the only parameter and A the operator, E = sum_k alpha_k A^k E_0.

    Args:
        num_users, num_items: rows of `embedding`, users first.
        width: d.
        layers: largest k; 0 is matrix factorisation.
        std: of the first embedding, normal; 0.1 in LightGCN-PyTorch, 0.01 in the TensorFlow code.

    Source: He et al., arXiv:2002.02126, section 3.
    """

    num_users: int
    num_items: int
    width: int = 64
    layers: int = 3
    std: float = 0.1

    @nn.compact
    def __call__(
        self, graph: Bipartite | None, alpha: Float[Array, " k"] | Sequence[float] | None = None
    ) -> tuple[Float[Array, "n d"], Float[Array, "m d"]]:
        """Args:
        graph: as `bipartite` makes it; None will do without layers.
        alpha: a weight for each k; none are 1 / (layers + 1). Data of a compiled program.
        """
        shape = (self.num_users + self.num_items, self.width)
        table = self.param("embedding", nn.initializers.normal(self.std), shape, jnp.float32)
        users, items = table[: self.num_users], table[self.num_users :]
        return read_out(graph, users, items, self.layers, alpha)


def read_out(
    graph: Bipartite | None, users: Float[Array, "n d"], items: Float[Array, "m d"], layers: int,
    alpha: Float[Array, " k"] | Sequence[float] | None = None,
) -> tuple[Float[Array, "n d"], Float[Array, "m d"]]:  # fmt: skip
    """sum_k alpha_k A^k of any vectors: the layer combination without a module around it.

    Args:
        graph, alpha: as for `LightGCN`.
        users, items: the vectors.
        layers: largest k.
    """
    if layers and graph is None:
        raise ExperimentError(f"{layers} layers need a graph to go along")
    weights = [1 / (layers + 1)] * (layers + 1) if alpha is None else alpha
    if len(weights) != layers + 1:
        raise ExperimentError(f"{layers} layers have {layers + 1} weights, not {len(weights)}")
    found = (weights[0] * users, weights[0] * items)
    for k in range(1, layers + 1):
        assert graph is not None
        users, items = propagate(graph, users, items)
        found = (found[0] + weights[k] * users, found[1] + weights[k] * items)
    return found


def _operator(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int], weights: np.ndarray, dense: bool,
    entries: int | None,
) -> Features:  # fmt: skip
    if dense:
        made = np.zeros(shape, weights.dtype)
        made[rows, columns] = weights
        return made  # type: ignore[return-value] # NumPy until a program takes it
    more = 0 if entries is None else entries - len(rows)
    if more < 0:
        raise ExperimentError(f"{len(rows)} interactions do not go into {entries} entries")
    return _compressed(rows, columns, weights, shape, more)


def _compressed(
    rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, int], more: int
) -> SparseFeatures:
    """`SparseFeatures.of`, which drops zeros, with `more` zeros behind the last row's entries."""
    order = np.lexsort((columns, rows))
    last = np.array(shape) - 1
    rows = np.append(rows[order], np.full(more, last[0]))
    columns = np.append(columns[order], np.full(more, last[1]))
    by_column = np.lexsort((rows, columns))
    indices = (
        rows, columns, np.searchsorted(rows, np.arange(shape[0] + 1)), by_column,
        np.searchsorted(columns[by_column], np.arange(shape[1] + 1)),
    )  # fmt: skip
    values = np.append(weights[order], np.zeros(more, weights.dtype))
    return SparseFeatures(values, *(index.astype(np.int32) for index in indices), shape)  # type: ignore[arg-type, call-arg]
