"""A typed graph as arrays that a compiled program takes: features by type, links by path.

A node's messages are sums over its links by compressed rows, a sixth of the time of adding link by
link: a relation is a `SparseFeatures` of (receivers, senders) whose values are weights of links.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.data.typed import TypedGraph
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.features import Features, SparseFeatures, times
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.typed.operators import with_reverses
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    from scipy import sparse

Links = SparseFeatures
"""Of a path: `rows` receive, `columns` send, `values` are weights; sorted by receiver, then sender."""


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("nodes", "links"),
    meta_fields=("sizes", "target"),
)
@dataclasses.dataclass(frozen=True)
class TypedArrays:
    """What a network of typed graphs reads; a pytree, so that `fit` takes it for a graph.

    Args:
        nodes: (n, F) by type, dense or sparse; a type without features is not in it.
        links: by any sortable name, such as a relation or a metapath; programs see them sorted.
        sizes: type and number of nodes, of all types.
        target: the type with classes.
    """

    nodes: Mapping[str, Features]
    links: Mapping[Any, Links]
    sizes: tuple[tuple[str, int], ...]
    target: str

    def size(self, kind: str) -> int:
        """Nodes of a type."""
        return dict(self.sizes)[kind]


def arrays_of(
    graph: TypedGraph, operators: "Mapping[Any, sparse.csr_array]", *, unit_rows: bool = False
) -> TypedArrays:
    """A graph's features and some operators, for a compiled program, in float32.

    Args:
        graph: features are taken, sparse where they are stored so.
        operators: as `operators` or `compose` give them, by names of yours.
        unit_rows: divides each node's features by their sum of magnitudes, as is done with bags of
            words; rows of zeros stay.
    """
    return TypedArrays(
        {kind: feature_rows(of, unit_rows=unit_rows) for kind, of in graph.features.items()},
        {name: links_of(matrix) for name, matrix in operators.items()},
        tuple((kind, graph.num_nodes[kind]) for kind in graph.types),
        graph.target,
    )


def feature_rows(features: Any, *, unit_rows: bool = False) -> Features:
    """Features as networks take them, sparse where they are; see `arrays_of`."""
    from scipy import sparse

    if unit_rows:
        sums = np.asarray(abs(features).sum(1), np.float64).reshape(-1)
        features = sparse.diags(1 / np.where(sums > 0, sums, 1)) @ features
    if sparse.issparse(features):
        return SparseFeatures.of(features.astype(np.float32))
    return np.asarray(features, np.float32)  # type: ignore[return-value] # NumPy until compiled


def links_of(matrix: "sparse.csr_array", *, num_links: int = 0) -> Links:
    """A matrix (receivers, senders) as links with its entries as weights, in float32.

    Args:
        matrix: any; stored zeros are dropped.
        num_links: at least so many links there are, so that graphs share a program: those that are
            added have weight 0 and lead from the last sender to the last receiver.

    Raises:
        ExperimentError: there are more links than that.
    """
    made = SparseFeatures.of(matrix.astype(np.float32))
    number = len(made.values)
    if not num_links:
        return made
    if number > num_links:
        raise ExperimentError(f"{number} links are more than the {num_links} that there may be")
    more = num_links - number
    height, width = made.shape

    def longer(array: Any, value: int) -> np.ndarray:
        return np.concatenate([array, np.full(more, value, array.dtype)])

    starts, ends = (np.array(array) for array in (made.row_starts, made.column_starts))
    starts[-1], ends[-1] = num_links, num_links
    # The order by column has to go on where the last column's links end, which is where these are.
    by_column = np.concatenate([made.by_column, np.arange(number, num_links, dtype=np.int32)])
    changed: Any = {  # NumPy until a program takes them
        "values": longer(made.values, 0),
        "rows": longer(made.rows, height - 1),
        "columns": longer(made.columns, width - 1),
        "row_starts": starts,
        "by_column": by_column,
        "column_starts": ends,
    }
    return dataclasses.replace(made, **changed)


def arriving(links: Links, x: Float[Array, "s c"], weights: Any = None) -> Float[Array, "r c"]:
    """Each receiver's sum of weight times the sender's row.

    Args:
        links: of one path.
        x: a row for each sender.
        weights: of the links instead of their own; differentiated, too.
    """
    values = jnp.asarray(links.values if weights is None else weights, x.dtype)
    return times(dataclasses.replace(links, values=values), x)


def homogenised(
    graph: TypedGraph, *, shared: bool = False, identities: bool = False
) -> GraphsTuple:
    """One graph of all nodes, the target's first, that knows types by features alone.

    Links of all relations go both ways, without weights; nodes of a type follow each other in the order
    of `graph.types`. Features are a column for each type, then each type's own: sparse.

    Args:
        graph: any.
        shared: puts all types' features into the same columns, from the first on, the shorter ones
            filled with zeros, instead of columns of their own.
        identities: gives each node of a type without features a column of its own.
    """
    from scipy import sparse

    starts = dict(zip(graph.types, np.cumsum([0, *_sizes(graph)]).tolist(), strict=False))
    pairs = [
        pairs + np.array([starts[source], starts[target]])
        for (source, _, target), pairs in with_reverses(graph).items()
    ]
    parts = []
    for kind in graph.types:
        number = graph.num_nodes[kind]
        given = graph.features.get(kind)
        if given is None:
            given = sparse.eye_array(number) if identities else sparse.csr_array((number, 0))
        parts.append(sparse.csr_array(given))
    kinds = sparse.block_diag([np.ones((number, 1)) for number in _sizes(graph)])
    if shared:
        width = max(part.shape[1] for part in parts)
        for part in parts:
            part.resize((part.shape[0], width))
        features = sparse.vstack(parts)
    else:
        features = sparse.block_diag(parts)
    together = sparse.csr_array(sparse.hstack([kinds, features]))
    edges = np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)
    return from_edges(edges, SparseFeatures.of(together.astype(np.float32)))


def _sizes(graph: TypedGraph) -> list[int]:
    return [graph.num_nodes[kind] for kind in graph.types]
