"""Relations of a typed graph as sparse operators, and paths of relations as their products.

An operator's entry (i, j) is what node i of the target type receives from node j of the source type.
A *metapath* lists relations from the receiver outwards, so that its operator is their product in
that order: (a -> p, v -> a) carries rows of v to p.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Int64

from experiments.data.typed import Relation, TypedGraph
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    from scipy import sparse

Metapath: TypeAlias = tuple[Relation, ...]
Pairs: TypeAlias = Int64[np.ndarray, "m 2"]
How = Literal["row", "sym", "none"]
REVERSE = "rev_"


def reverse_of(relation: Relation) -> Relation:
    """The relation that leads back; its name has `rev_` before it, or no longer."""
    source, name, target = relation
    turned = name.removeprefix(REVERSE) if name.startswith(REVERSE) else f"{REVERSE}{name}"
    return target, turned, source


def with_reverses(graph: TypedGraph, *, same_type: bool = False) -> dict[Relation, Pairs]:
    """A graph's relations, each followed by the one that leads back.

    Args:
        graph: a relation whose links some other relation of it already has turned round gets none.
        same_type: whether relations within one type, such as citations, get one too.
    """
    given = dict(graph.relations)
    turned = {relation: _turned(pairs) for relation, pairs in given.items()}

    def is_there(relation: Relation) -> bool:
        source, _, target = relation
        return any(
            (target, source) == (other[0], other[2]) and np.array_equal(turned[relation], pairs)
            for other, pairs in given.items()
        )

    found: dict[Relation, Pairs] = {}
    for relation, pairs in given.items():
        found[relation] = pairs
        if (relation[0] != relation[2] or same_type) and not is_there(relation):
            found[reverse_of(relation)] = turned[relation]
    return found


def operator(
    pairs: Pairs, num_sources: int, num_targets: int, *, how: How = "row"
) -> "sparse.csr_array":
    """A relation's operator (targets, sources) in doubles.

    Args:
        pairs: source and target of each link.
        num_sources, num_targets: nodes of the two types.
        how: `row` means over what a target receives, `sym` divides by the roots of both ends' degrees,
            `none` has ones. A node without links keeps a row of zeros.

    Raises:
        ExperimentError: `how` is none of the three.
    """
    from scipy import sparse

    if how not in ("row", "sym", "none"):
        raise ExperimentError(f"{how!r} is none of row, sym, none")
    sources, targets = np.asarray(pairs, np.int64).reshape(-1, 2).T
    received = np.bincount(targets, minlength=num_targets).astype(np.float64)
    sent = np.bincount(sources, minlength=num_sources).astype(np.float64)
    scale = np.ones(len(sources))
    if how == "row":
        scale = received[targets]
    elif how == "sym":
        scale = np.sqrt(received[targets] * sent[sources])
    made = sparse.coo_array((1 / scale, (targets, sources)), shape=(num_targets, num_sources))
    return sparse.csr_array(made)


def relation_operators(
    graph: TypedGraph, *, how: How = "row", reverses: bool = True, same_type: bool = False
) -> "dict[Relation, sparse.csr_array]":
    """The operator of every relation.

    Args:
        graph: any.
        how: as for `operator`.
        reverses, same_type: whether relations that lead back are added, as by `with_reverses`.
    """
    relations = with_reverses(graph, same_type=same_type) if reverses else graph.relations
    sizes = graph.num_nodes
    return {
        relation: operator(pairs, sizes[relation[0]], sizes[relation[2]], how=how)
        for relation, pairs in relations.items()
    }


def metapaths(
    relations: Sequence[Relation] | Mapping[Relation, Any], target: str, hops: int
) -> tuple[Metapath, ...]:
    """All paths of exactly `hops` relations whose first arrives at the target type, in order.

    Args:
        relations: those that may be used, in this order.
        target: the type that receives.
        hops: at least 1.

    Raises:
        ExperimentError: for fewer hops.
    """
    if hops < 1:
        raise ExperimentError(f"a path has at least one relation, not {hops}")
    found: tuple[Metapath, ...] = tuple((r,) for r in relations if r[2] == target)
    for _ in range(hops - 1):
        found = tuple((*path, r) for path in found for r in relations if r[2] == path[-1][0])
    return found


def path_name(path: Metapath) -> str:
    """The types of a path from the receiver outwards, such as `p-a-v`."""
    return "-".join((path[0][2], *(relation[0] for relation in path)))


def compose(operators: "Mapping[Relation, sparse.csr_array]", path: Metapath) -> "sparse.csr_array":
    """The product of a path's operators: (nodes of its first type, nodes of its last).

    Raises:
        ExperimentError: two neighbours of the path do not meet, or one is unknown.
    """
    check_path(path, operators)
    found = operators[path[0]]
    for relation in path[1:]:
        found = found @ operators[relation]
    found.sort_indices()
    return found


def reachable(
    operators: "Mapping[Relation, sparse.csr_array]", path: Metapath
) -> "sparse.csr_array":
    """Which nodes a path joins: as `compose`, with ones for all that is not zero.

    Operators count by which entries they have, so that nothing cancels.
    """
    check_path(path, operators)
    found = _ones(operators[path[0]])
    for relation in path[1:]:
        found = _ones(found @ _ones(operators[relation]))
    found.sort_indices()
    return found


def thinned(
    matrix: "sparse.csr_array", most: int, generator: np.random.Generator
) -> "sparse.csr_array":
    """A matrix with at most so many entries a row, the others left out by chance.

    Args:
        matrix: any; a row with no more entries stays.
        most: at least 1.
        generator: draws which stay, all alike.

    Raises:
        ExperimentError: for fewer.
    """
    from scipy import sparse

    if most < 1:
        raise ExperimentError(f"at least one entry of a row stays, not {most}")
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((generator.random(matrix.nnz), rows))
    place = np.arange(matrix.nnz) - matrix.indptr[rows]
    kept = np.sort(order[place < most])
    entries = (matrix.data[kept], (rows[kept], matrix.indices[kept]))
    return sparse.csr_array(sparse.coo_array(entries, shape=matrix.shape))


def check_path(path: Metapath, relations: Mapping[Relation, Any]) -> None:
    """Refuses what is no path of these relations.

    Raises:
        ExperimentError: names the relation that is unknown or does not meet the one before.
    """
    if not path:
        raise ExperimentError("a path has at least one relation")
    for place, relation in enumerate(path):
        if relation not in relations:
            raise ExperimentError(f"there is no relation {relation}")
        if place and path[place - 1][0] != relation[2]:
            raise ExperimentError(
                f"{relation} arrives at {relation[2]}, and the path is at {path[place - 1][0]}"
            )


def _ones(matrix: Any) -> "sparse.csr_array":
    found = matrix.astype(bool).astype(np.float64)
    found.eliminate_zeros()
    return found


def _turned(pairs: Pairs) -> Pairs:
    turned = pairs[:, ::-1]
    found: Pairs = turned[np.lexsort((turned[:, 1], turned[:, 0]))]
    return found
