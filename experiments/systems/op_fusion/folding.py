"""The operator graph that is run: affine maps folded into what they follow, dead operators gone."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from experiments.systems.op_fusion.graph import Op, OpGraph, Tensor

LINEAR = frozenset(("conv", "dense", "reduce_sum", "reduce_window_sum"))


def folded(
    ops: Sequence[Op],
    affine: Mapping[int, tuple[str, int]],
    inputs: Sequence[Tensor],
    results: Sequence[int],
) -> OpGraph:
    """The graph with affine maps folded and without what no result depends on.

    Args:
        ops: in the order in which they are computed.
        affine: the primitive and the constants of the operators that are affine and element-wise.
        inputs: of the graph.
        results: operators that are read from outside.
    """
    readers = collections.Counter(s for op in ops for s in {read.source for read in op.reads})
    readers.update(set(results))
    made: dict[int, Op] = {}
    biased: set[int] = set()
    target: dict[int, int] = {-1 - i: -1 - i for i in range(len(inputs))}
    for v, op in enumerate(ops):
        into = target[op.reads[0].source] if op.reads else -1
        target[v] = v
        if v in affine and into >= 0 and readers[op.reads[0].source] == 1:
            (name, constants), old = affine[v], made[into]
            few = constants <= (old.filters if old.kind in ("conv", "dense") else 0)
            if old.kind in LINEAR and few and old.output == op.output:
                if name in ("add", "sub") and into not in biased and constants:
                    biased.add(into)
                    made[into] = dataclasses.replace(old, weights=old.weights + old.filters)
                target[v] = into
                continue
        made[v] = _reading(op, target)
    wanted = {target[v] for v in results}
    for v in sorted(made, reverse=True):
        if v in wanted:
            wanted |= {read.source for read in made[v].reads if read.source >= 0}
    kept = [v for v in made if v in wanted]
    number = {v: place for place, v in enumerate(kept)} | {
        -1 - i: -1 - i for i in range(len(inputs))
    }
    final = tuple(_reading(made[v], number) for v in kept)
    return OpGraph(final, tuple(inputs), frozenset(number[target[v]] for v in results))


def _reading(op: Op, new: Mapping[int, int]) -> Op:
    """The operator with its sources renumbered."""
    reads = tuple(dataclasses.replace(read, source=new[read.source]) for read in op.reads)
    return dataclasses.replace(op, reads=reads)
