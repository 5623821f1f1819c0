"""Metapaths of every order by joining relations, and the graph of links that each of them makes.

A metapath lists relations from its head, which receives, outwards to its tail. SciPy is imported where
it is used.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int

from experiments.data.typed import Relation, TypedGraph
from experiments.kits.typed import operators as typed
from experiments.kits.typed.device import Links, TypedArrays, arrays_of, links_of
from experiments.kits.typed.operators import Metapath
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    from scipy import sparse

MOST_WEDGES = 2**24
"""Pairs of links with a common middle that are listed for one metapath."""


class Wedges(NamedTuple):
    """Pairs of links that meet in a middle node, and the composed link that each pair makes.

    Args:
        first: place of the link of the path but its last relation.
        second: place of the link of that relation.
        made: place of the composed link.
    """

    first: Int[Array, " w"]
    second: Int[Array, " w"]
    made: Int[Array, " w"]


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("arrays", "wedges"), meta_fields=()
)
@dataclasses.dataclass(frozen=True)
class PathGraph:
    """What LATTE reads; a pytree, so that `fit` takes it for a graph.

    Args:
        arrays: features by type, links by metapath, whose order is its number of relations.
        wedges: by metapath of order two and more; empty if links were not to depend on attention.
    """

    arrays: TypedArrays
    wedges: Mapping[Metapath, Wedges]

    def of_order(self, order: int) -> dict[Metapath, Links]:
        """Links of the metapaths of so many relations, sorted."""
        links = sorted(self.arrays.links.items())
        return {path: found for path, found in links if len(path) == order}

    def kept(self, path: Metapath, keep: Any) -> "PathGraph":
        """The same graph without some of a metapath's links.

        Args:
            path: the metapath.
            keep: (k,), whether each of its links stays.
        """
        links = self.arrays.links[path]
        values: Any = np.where(keep, links.values, 0)  # NumPy until a program takes it
        fewer = dataclasses.replace(links, values=values)
        links_by_path = {**self.arrays.links, path: fewer}
        return dataclasses.replace(
            self, arrays=dataclasses.replace(self.arrays, links=links_by_path)
        )


def metapaths(
    relations: Sequence[Relation] | Mapping[Relation, Any], order: int, *, head: str = ""
) -> tuple[Metapath, ...]:
    """The metapaths of an order: all sequences of so many relations that meet, sorted.

    Those of order t join each of order t - 1 to every relation that ends in its tail. From type s to
    type s' there are as many as the entry (s, s') of the t-th power of the matrix that counts relations.

    Args:
        relations: with those that lead back.
        order: at least 1.
        head: the type that receives; any if there is none.

    Raises:
        ExperimentError: the order is below 1.

    Source: Tran and Gao, arXiv:2009.08072, section 4.
    """
    heads = {head} if head else {relation[2] for relation in relations}
    found = [path for kind in heads for path in typed.metapaths(relations, kind, order)]
    return tuple(sorted(found))


def compose(first: "sparse.csr_array", second: "sparse.csr_array") -> "sparse.csr_array":
    """Two adjacencies joined: first D second, D = 1 / (columns' sums of first + rows' sums of second).

    Args:
        first: (heads, middles), entries not negative.
        second: (middles, tails), likewise.

    Returns:
        (heads, tails); an entry is a sum over common middles, each weighing the less the more links it
        has, as in the index of Adamic and Adar. A middle without links adds nothing.

    Raises:
        ExperimentError: the two have no common middle type.

    Source: Tran and Gao, arXiv:2009.08072; its public code, which divides by 0 for such a middle.
    """
    from scipy import sparse

    if first.shape[1] != second.shape[0]:
        raise ExperimentError(
            f"adjacencies of shapes {first.shape} and {second.shape} do not meet in a middle type"
        )
    degrees = np.asarray(first.sum(0)).reshape(-1) + np.asarray(second.sum(1)).reshape(-1)
    inverse = np.divide(1, degrees, out=np.zeros(len(degrees)), where=degrees > 0)
    return sparse.csr_array(first @ sparse.diags_array(inverse) @ second)


def path_graph(
    graph: TypedGraph,
    *,
    orders: int = 2,
    most: int = 0,
    generator: np.random.Generator | None = None,
    wedges: bool = False,
    every_type: bool = False,
    shared_sizes: bool = False,
    unit_rows: bool = False,
) -> PathGraph:
    """A typed graph with the links of all its metapaths up to an order, for a network of as many layers.

    Args:
        graph: relations that lead back are added, but to those within one type.
        orders: of metapaths, at least 1.
        most: tails that each head keeps of a composed metapath, drawn by `generator`; 0 keeps all.
        generator: needed for that alone.
        wedges: whether links are to depend on attention, as in the public code.
        every_type: whether all metapaths are there, or those alone on which the target's rows depend:
            of the highest order those that begin at the target, of others those at types that it needs.
        shared_sizes: rounds numbers of links up to powers of two with links that weigh nothing, so that
            drawn graphs share a compiled program.
        unit_rows: divides features by their sum of magnitudes.

    Raises:
        ExperimentError: links are to be drawn without a generator or beside wedges, or there would be
            too many wedges.
    """
    if most and (generator is None or wedges):
        raise ExperimentError("tails are drawn by a generator, and not where wedges are listed")
    adjacency = typed.relation_operators(graph, how="none")
    wanted = wanted_paths(
        tuple(adjacency), graph.target, orders, every_type=every_type, every_lower=wedges
    )
    joined: dict[Metapath, sparse.csr_array] = {}
    for path in wanted:
        joined[path] = typed.reachable(adjacency, path)
        if most and len(path) > 1 and generator is not None:
            joined[path] = typed.thinned(joined[path], most, generator)
    made = arrays_of(graph, {}, unit_rows=unit_rows)
    sizes = {path: _rounded(matrix.nnz, shared_sizes) for path, matrix in joined.items()}
    links = {path: links_of(matrix, num_links=sizes[path]) for path, matrix in joined.items()}
    listed = {}
    for path in wanted if wedges else ():
        if len(path) > 1:
            found = _wedges(joined[path[:-1]], joined[path[-1:]], joined[path], path)
            # Those that are added make the last link of a path, which is then one that was added too.
            if shared_sizes:
                found = _longer(found, _rounded(len(found.made), True), sizes[path] - 1)
            listed[path] = found
    return PathGraph(dataclasses.replace(made, links=links), listed)


def wanted_paths(
    relations: Sequence[Relation],
    target: str,
    orders: int,
    *,
    every_type: bool = False,
    every_lower: bool = False,
) -> tuple[Metapath, ...]:
    """Metapaths up to an order, by order, then sorted.

    Args:
        relations, orders: as for `path_graph`.
        target: whose rows are wanted.
        every_type: all of them; else those alone on which the target's rows depend.
        every_lower: all of them below the highest order.
    """
    heads = {target}
    found: list[Metapath] = []
    for order in range(orders, 0, -1):
        everything = every_type or (every_lower and order < orders)
        paths = [p for p in metapaths(relations, order) if everything or p[0][2] in heads]
        heads |= {path[-1][0] for path in paths}
        found += paths
    return tuple(sorted(found, key=lambda path: (len(path), path)))


def _wedges(first: Any, second: Any, made: Any, path: Metapath) -> Wedges:
    """All pairs of an entry of `first` and one of `second` in the row of its column."""
    sizes = np.diff(second.indptr)[first.indices]
    total = int(sizes.sum())
    if total > MOST_WEDGES:
        raise ExperimentError(
            f"{typed.path_name(path)} has {total:,} pairs of links, more than {MOST_WEDGES:,}; "
            "without wedges they need not be listed"
        )
    left = np.repeat(np.arange(first.nnz), sizes)
    within = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    right = second.indptr[first.indices[left]] + within
    rows = np.repeat(np.arange(first.shape[0]), np.diff(first.indptr))
    width = made.shape[1]
    keys = np.repeat(np.arange(made.shape[0]), np.diff(made.indptr)) * width + made.indices
    place = np.searchsorted(keys, rows[left] * width + second.indices[right])
    return Wedges(*(array.astype(np.int32) for array in (left, right, place)))  # type: ignore[arg-type]


def _longer(wedges: Wedges, number: int, made: int) -> Wedges:
    more = number - len(wedges.made)
    zeros, last = np.zeros(more, np.int32), np.full(more, made, np.int32)
    return Wedges(
        *(np.concatenate(pair) for pair in zip(wedges, (zeros, zeros, last), strict=True))  # type: ignore[arg-type]
    )


def _rounded(number: int, shared: bool) -> int:
    """The next power of two above; or 0, which stands for as many as there are."""
    return 1 << number.bit_length() if shared else 0
