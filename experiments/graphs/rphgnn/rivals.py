"""What the paper compares with, as collected tensors of the same kind: the same network trains on them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.data.typed import TypedGraph
from experiments.graphs.rphgnn.collecting import Groups
from experiments.graphs.rphgnn.squashing import Rows
from experiments.kits.typed.operators import Metapath, metapaths, relation_operators
from ntkexec.errors import ExperimentError


def metapath_groups(graph: TypedGraph, inputs: Mapping[str, Rows], *, hops: int) -> Groups:
    """Means along every path of up to `hops` relations that arrives at the target, and its own row.

    A path is one product with what its tail gave: without loss, and as many tensors as there are paths.

    Args:
        graph: relations get reverses.
        inputs: features by type.
        hops: at least 1.

    Returns:
        (n, 1, d) by path, from the target outwards.

    Source: Yang et al., SeHGNN, arXiv:2207.02547, feature propagation; its fusion of paths by a
        transformer is not taken.
    """
    if hops < 1:
        raise ExperimentError(f"a path has at least one relation, not {hops}")
    steps = {
        relation: matrix.astype(np.float32)
        for relation, matrix in relation_operators(graph).items()
    }
    known: dict[Metapath, Rows] = {}

    def heard(path: Metapath) -> Rows:
        if path not in known:
            tail = heard(path[1:]) if path[1:] else inputs[path[0][0]]
            known[path] = np.asarray(steps[path[0]] @ tail)
        return known[path]

    found = {graph.target: inputs[graph.target][:, None]}
    for length in range(1, hops + 1):
        for path in metapaths(steps, graph.target, length):
            name = "/".join((graph.target, *("-".join(relation) for relation in path)))
            found[name] = heard(path)[:, None]
    return found


def mixed_groups(graph: TypedGraph, inputs: Mapping[str, Rows], *, hops: int) -> Groups:
    """Means over all neighbours of whatever type, 0 to `hops` times: one graph that is blind to types.

    Args:
        graph: links of all relations go both ways.
        inputs: features by type, all of one width; each row is told its type by a column of its own.
        hops: at least 1.

    Returns:
        One group `mixed`, (n, hops + 1, types + d).

    Source: Frasca et al., SIGN, arXiv:2004.11198, on the homogenised graph.
    """
    from scipy import sparse

    if hops < 1:
        raise ExperimentError(f"features are spread at least once, not {hops} times")
    if len({x.shape[1] for x in inputs.values()}) != 1:
        raise ExperimentError("types of different widths cannot be mixed; give all types one width")
    types = graph.types
    blocks: list[list[Any]] = [
        [sparse.csr_array((graph.num_nodes[a], graph.num_nodes[b])) for b in types] for a in types
    ]
    for (source, _, target), matrix in relation_operators(
        graph, how="none", same_type=True
    ).items():
        row, column = types.index(target), types.index(source)
        blocks[row][column] = blocks[row][column] + matrix
    links = sparse.csr_array(sparse.block_array(blocks))
    degrees = np.asarray(links.sum(1)).reshape(-1)
    mean = (sparse.diags_array(1 / np.maximum(degrees, 1)) @ links).astype(np.float32)
    kinds = np.repeat(np.eye(len(types), dtype=np.float32), [graph.num_nodes[t] for t in types], 0)
    x = np.concatenate([kinds, np.concatenate([inputs[kind] for kind in types])], 1)
    slices = [x]
    for _ in range(hops):
        slices.append(np.asarray(mean @ slices[-1]))
    number = graph.num_nodes[graph.target]
    return {"mixed": np.stack([part[:number] for part in slices], 1)}
