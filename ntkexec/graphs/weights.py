"""Weights as exact whole numbers: decimals keep every digit, and what does not fit is named."""

import math
import numbers
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from fractions import Fraction

import networkx as nx
import numpy as np
from jaxtyping import Bool, Int32, Shaped

from ntkexec.errors import GraphError, did_you_mean, shown

INT32 = np.iinfo(np.int32)
# A weight of more decimals than this is no short decimal, but a float that was computed.
MAX_DECIMALS = 9
MAX_SCALE = 10**MAX_DECIMALS


def check_scale(scale: object) -> int:
    """The scale, if it is one.

    Raises:
        GraphError: it is not a whole number from 1 to `MAX_SCALE`.
    """
    is_whole = isinstance(scale, numbers.Integral) and not isinstance(scale, bool)
    if not is_whole or not 1 <= int(scale) <= MAX_SCALE:  # type: ignore[call-overload]
        raise GraphError(
            f"weight_scale is {shown(scale)}; it must be an integer in 1..{MAX_SCALE}, such as 10 "
            f"for weights with one decimal"
        )
    return int(scale)  # type: ignore[call-overload]


def exact(value: object) -> Fraction | None:
    """The number that a weight means, or None if it means none.

    A float means the shortest decimal that reads as it: 0.1 is a tenth.
    """
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, numbers.Integral):
        return Fraction(int(value))
    if isinstance(value, np.floating):
        value = Decimal(str(value))
    elif isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) and value.is_finite():
        return Fraction(value)
    return None


def as_int32(value: object, scale: int) -> int | None:
    """A weight times the scale, or None if that is no integer in the range of int32."""
    # Most weights are these, and fractions are slow.
    if type(value) is int or (type(value) is float and value.is_integer() and abs(value) < 2**53):
        whole = int(value) * scale
        return whole if INT32.min <= whole <= INT32.max else None
    found = exact(value)
    if found is None:
        return None
    scaled = found * scale
    is_fine = scaled.denominator == 1 and INT32.min <= scaled <= INT32.max
    return int(scaled) if is_fine else None


def whole_weights(
    values: Shaped[np.ndarray, "e"] | Sequence[object],
    *,
    scale: int,
    is_dropped: Bool[np.ndarray, "e"] | None,
    describe: Callable[[int], str],
    name: str,
) -> Int32[np.ndarray, "e"]:
    """Weights times the scale, all whole.

    Args:
        values: as they were read.
        scale: see `check_scale`.
        is_dropped: which edges are left out; None for none of them. Theirs may be any number that is
            not negative, since it is never used; such a weight becomes a whole one of the same sign.
        describe: the edge at an index, for messages.
        name: what the weights are called.

    Raises:
        GraphError: names the first edge whose weight is none or does not fit, and the scale that
            would do if there is one.
    """
    weights = _of_array(values, scale)
    if weights is not None:
        return weights
    listed = _listed(values)
    weights = np.zeros(len(listed), np.int32)
    for index, value in enumerate(listed):
        whole = as_int32(value, scale)
        if whole is None and is_dropped is not None and is_dropped[index]:
            number = exact(value)
            # An edge to itself matters if it is negative, and then to the last digit.
            if number is not None and number >= 0:
                whole = min(math.ceil(number * scale), int(INT32.max))
        if whole is None:
            kept = [v for i, v in enumerate(listed) if is_dropped is None or not is_dropped[i]]
            raise GraphError(
                f"{describe(index)} has {_written(value)} as its {shown(name)}; "
                f"{_rule(scale)}{_advice(kept, scale)}"
            )
        weights[index] = whole
    return weights


def weights_of(
    graph: nx.Graph,
    weight: str,
    label: str,
    scale: int,
    is_dropped: Bool[np.ndarray, "e"] | None,
) -> Int32[np.ndarray, "e"]:
    """The weight of each edge of a networkx graph, times the scale, in the order of `graph.edges`.

    Args:
        graph: where.
        weight: the attribute that holds them.
        label: of the graph, for messages.
        scale: see `check_scale`.
        is_dropped: as for `whole_weights`.

    Raises:
        GraphError: names the edge, its weight and the rule.
    """
    edges = list(graph.edges(data=True))

    def describe(index: int) -> str:
        u, v, _ = edges[index]
        return f"edge {shown(u)}-{shown(v)} of graph {shown(label)}"

    values = [attributes.get(weight) for _, _, attributes in edges]
    absent = next((i for i, value in enumerate(values) if value is None), None)
    if absent is not None:
        raise missing(describe(absent), weight, list(map(str, edges[absent][2])), scale)
    return whole_weights(values, scale=scale, is_dropped=is_dropped, describe=describe, name=weight)


def unread_weights(graph: nx.Graph) -> str | None:
    """The attribute that holds a number other than 1 at an edge and one at every edge, if any.

    "weight" goes before others; identifiers of edges are none.
    """
    first = next(iter(graph.edges(data=True)), None)
    if first is None:
        return None
    numeric = [name for name, value in first[2].items() if exact(value) is not None]
    for name in sorted(numeric, key=lambda name: name != "weight"):
        if name in ("id", "key"):
            continue
        values = [value for _, _, value in graph.edges(data=name)]
        if all(exact(value) is not None for value in set(map(_hashable, values))) and any(
            value != 1 for value in values
        ):
            return str(name)
    return None


def _hashable(value: object) -> object:
    return value if isinstance(value, Hashable) else None


def _written(value: object) -> str:
    """A weight for a message: a number as it stands in a file, and anything else as in Python."""
    return str(value) if isinstance(value, Decimal | np.number) else shown(value)


def missing(edge: str, name: str, attributes: Sequence[str], scale: int) -> GraphError:
    """The error of an edge without a weight.

    Args:
        edge: in words.
        name: of the attribute that was asked for.
        attributes: what the edge has.
        scale: see `check_scale`.
    """
    near = did_you_mean(name, attributes)
    return GraphError(f"{edge} has no {shown(name)}; {_rule(scale)}{near}")


def _listed(values: Shaped[np.ndarray, "e"] | Sequence[object]) -> Sequence[object]:
    """The same as Python writes them; of short floats as they are, since their decimals are shorter."""
    if isinstance(values, np.ndarray) and values.dtype not in (np.float16, np.float32):
        return values.tolist()
    return list(values)


def _of_array(
    values: Shaped[np.ndarray, "e"] | Sequence[object], scale: int
) -> Int32[np.ndarray, "e"] | None:
    """Every distinct number of an array at once; None if one must be explained, or is no number."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or not len(values):
        return None
    largest = INT32.max // scale
    in_range = bool(np.all((values >= -largest) & (values <= largest)))
    if in_range and (values.dtype.kind != "f" or not (values != np.floor(values)).any()):
        return (values.astype(np.int64) * scale).astype(np.int32)
    distinct, place = np.unique(values, return_inverse=True)
    found = [as_int32(value, scale) for value in _listed(distinct)]
    whole = [number for number in found if number is not None]
    return np.array(whole, np.int32)[place] if len(whole) == len(found) else None


def _rule(scale: int) -> str:
    times = f" times weight_scale={scale}" if scale != 1 else ""
    return f"a weight{times} must be an integer in {INT32.min}..{INT32.max}"


def _advice(values: Sequence[object], scale: int) -> str:
    """The power of ten that makes all weights whole, if there is a small one that keeps them small."""
    found = [exact(value) for value in values]
    for decimals in range(1, MAX_DECIMALS + 1):
        power = 10**decimals
        if power <= scale:
            continue
        if all(
            number is not None
            and (number * power).denominator == 1
            and INT32.min <= number * power <= INT32.max
            for number in found
        ):
            return f"; weight_scale={power} makes all of them whole (--weight-scale {power})"
    return ""
