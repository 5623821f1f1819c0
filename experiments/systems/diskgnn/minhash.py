"""An order of nodes in which those that the same batches read lie near each other."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from ntkexec.errors import ExperimentError


def order_by_minhash(
    sets: Sequence[Int64[np.ndarray, " n"]], *, generator: np.random.Generator, hashes: int = 2
) -> Int64[np.ndarray, " m"]:
    """The nodes of all sets, sorted by minima of their sets' places under random permutations.

    Two nodes have the same minimum with the chance that is the Jaccard index of the sets that they are in,
    so nodes that are read together come to lie on the same pages.

    Args:
        sets: for each batch, the nodes that it reads, each once.
        generator: draws the permutations of the batches.
        hashes: permutations; the first counts most.

    Returns:
        Every node that is in a set, once.

    Raises:
        ExperimentError: there are no sets, or fewer than 1 hash is asked for.

    Source: reordering of the disk cache in the paper; minima: Broder, SEQUENCES 1997.
    """
    if not sets or hashes < 1:
        raise ExperimentError(f"{len(sets)} sets cannot be ordered by {hashes} hashes")
    members = np.concatenate([np.asarray(one, np.int64) for one in sets])
    batches = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    by_node = np.argsort(members, kind="stable")
    nodes, first = np.unique(members[by_node], return_index=True)
    if not len(nodes):
        return nodes
    keys = []
    for _ in range(hashes):
        places = generator.permutation(len(sets))[batches[by_node]]
        keys.append(np.minimum.reduceat(places, first))
    # lexsort takes the last key first; equal ones keep the order of their numbers.
    return nodes[np.lexsort(keys[::-1])]
