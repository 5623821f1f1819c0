"""Sums of products that a model writes out element by element instead of as an einsum."""

import collections
import math
from collections.abc import Iterator, Sequence

from experiments.kits.convnets.operations import Operation, Shape, Value, WrittenSum
from experiments.kits.convnets.tracing import Trace

# The same elements, in another shape or type.
_VIEWS = {"reshape", "squeeze", "expand_dims", "convert_element_type", "copy", "stop_gradient"}
# A part of them, repeated, with zeros around them or in another order.
_CUTS = {"broadcast_in_dim", "slice", "dynamic_slice", "split", "gather", "pad", "transpose", "rev"}
_JOINS = {"concatenate", "stack"}
_SUMS = {"add", "add_any", "sub"}


def written_sums(trace: Trace) -> Iterator[tuple[Operation, WrittenSum, tuple[Operation, ...]]]:
    """Every written sum: the operation that gives its result, its terms, and their multiplications.

    Two forms are told from the many multiplications that are no sum (normalisation, gates):

    - `(a * b).sum(axis)` where both factors differ along an axis that is summed over, as in
      attention over a window; a mean of scaled activations, whose scale is one, is none;
    - `a0 * b0 + a1 * b1 + ...` of at least two terms, where both factors depend on the inputs or where
      the terms' weights are parts of one variable, as in a convolution written tap by tap.
    """
    makers = {value.number: each for each in trace.operations for value in each.makes}
    readers = collections.Counter(v.number for each in trace.operations for v in each.reads)
    readers.update(value.number for value in trace.outputs)
    inner = _inner(trace, makers, readers)
    for operation in trace.operations:
        if not any(value.active for value in operation.makes):
            continue
        if operation.name == "reduce_sum":
            term = _multiplication(operation.reads[0], makers, views=False)
            if term and _both_vary(term, operation.settings["axes"], makers):
                yield operation, WrittenSum((_shapes(term, makers),)), (term,)
        elif operation.name in _SUMS and operation.makes[0].number not in inner:
            found = [t for v in operation.reads for t in _terms(v, makers, readers)]
            terms = _added_up(found)
            if len(terms) > 1:
                factors = tuple(_shapes(term, makers) for term in terms)
                yield operation, WrittenSum(factors), terms


def sources(trace: Trace, terms: Sequence[Operation]) -> tuple[tuple[Value, int], ...]:
    """What the factors of terms are cut from, and how many elements of it they read.

    Shifted slices of one picture, padded or stacked, read the picture once: of each array as many
    elements as its parts have together, at most all.
    """
    makers = {value.number: each for each in trace.operations for value in each.makes}
    parts = {
        value.number: (value, math.prod(shape))
        for term in terms
        for value, shape in zip(term.reads, _shapes(term, makers), strict=True)
    }
    found: dict[int, Value] = {}
    sizes: collections.Counter[int] = collections.Counter()
    for part, size in parts.values():
        for source, elements in _origins(part, size, makers):
            found[source.number] = source
            sizes[source.number] += elements
    return tuple((one, min(sizes[number], one.size)) for number, one in found.items())


def _origins(value: Value, size: int, makers: dict[int, Operation]) -> Iterator[tuple[Value, int]]:
    """What a value's elements are taken from, and how many at most of each."""
    maker = makers.get(value.number)
    if maker is None or maker.name not in _VIEWS | _CUTS | _JOINS:
        yield value, min(size, value.size)
        return
    for read in maker.reads if maker.name in _JOINS else maker.reads[:1]:
        yield from _origins(read, min(size, read.size), makers)


def _inner(
    trace: Trace, makers: dict[int, Operation], readers: collections.Counter[int]
) -> set[int]:
    """Values that only an addition reads, also by way of views: no sum ends with them."""
    found = set()
    for operation in trace.operations:
        for value in operation.reads if operation.name in _SUMS else ():
            while readers[value.number] == 1:
                found.add(value.number)
                maker = makers.get(value.number)
                if maker is None or maker.name not in _VIEWS:
                    break
                value = maker.reads[0]
    return found


def _terms(
    value: Value, makers: dict[int, Operation], readers: collections.Counter[int]
) -> Iterator[Operation]:
    """Multiplications below a tree of additions, each of which nothing else reads."""
    todo = [value]
    while todo:
        value = todo.pop(0)
        maker = makers.get(value.number)
        if maker is None or readers[value.number] != 1:
            continue
        if maker.name in _SUMS or maker.name in _VIEWS:
            todo = [*maker.reads, *todo]
        elif _multiplication(value, makers):
            yield maker


def _added_up(terms: list[Operation]) -> tuple[Operation, ...]:
    """Those terms that are no scaled activation: see `written_sums`."""
    weights = collections.Counter(leaf for term in terms for leaf in _leaves(term))
    dynamic = [all(value.active for value in term.reads) for term in terms]
    return tuple(
        term
        for term, both in zip(terms, dynamic, strict=True)
        if both or any(weights[leaf] > 1 for leaf in _leaves(term))
    )


def _leaves(term: Operation) -> frozenset[str]:
    return term.reads[0].leaves | term.reads[1].leaves


def _multiplication(
    value: Value, makers: dict[int, Operation], *, views: bool = True
) -> Operation | None:
    """The multiplication of two arrays that a value is."""
    maker = makers.get(value.number)
    while views and maker is not None and maker.name in _VIEWS:
        maker = makers.get(maker.reads[0].number)
    if maker is None or maker.name != "mul" or min(value.size for value in maker.reads) == 1:
        return None
    return maker


def _both_vary(term: Operation, axes: Shape, makers: dict[int, Operation]) -> bool:
    left, right = _shapes(term, makers)
    return any(left[axis] > 1 and right[axis] > 1 for axis in axes)


def _shapes(term: Operation, makers: dict[int, Operation]) -> tuple[Shape, Shape]:
    """Shapes of both factors, 1 along axes that they were only repeated along."""
    left, right = (_unrepeated(value, makers) for value in term.reads)
    return left, right


def _unrepeated(value: Value, makers: dict[int, Operation]) -> Shape:
    maker = makers.get(value.number)
    if maker is None or maker.name != "broadcast_in_dim":
        return value.shape
    axes, source = maker.settings["broadcast_dimensions"], maker.reads[0]
    sizes = dict(zip(axes, source.shape, strict=True))
    return tuple(sizes.get(axis, 1) for axis in range(len(value.shape)))
