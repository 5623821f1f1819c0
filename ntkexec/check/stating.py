"""Statements of one's own: a function that measures, and beside it what must come out."""

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping
from numbers import Real
from types import ModuleType
from typing import Any, Protocol, get_args

import numpy as np

from ntkexec.check.claims import Check, Measurement, Relation
from ntkexec.errors import NtkexecError, shown
from ntkexec.vocabulary import Scale


class Measure(Protocol):
    """What is stated: a function of the scale, and of what `broken` changes, that gives a number."""

    @property
    def __name__(self) -> str: ...
    # Any: a counter-case may change arguments of any kind.
    def __call__(self, scale: Scale, /, **changed: Any) -> Measurement | float: ...


def statement(
    claim: str,
    *,
    bound: float,
    relation: Relation = "at most",
    broken: Mapping[str, Any] | Callable[[Scale], Measurement | float] | None = None,
    name: str | None = None,
    source: str = "not stated",
    how: str = "",
    bound_from: str = "not stated",
    formula: str = "",
    plot: Callable[[Measurement], Any] | None = None,
) -> Callable[[Measure], Check[Scale]]:
    """Makes a `Check` of the function that measures it.

    The function takes the scale (`quick`, `standard` or `full`: how much work it may do) and returns a
    number, or a `Measurement` with an interval. `ntkexec check --from FILE` carries it out.

    Args:
        claim: the exact statement, in words.
        bound: the largest number with which the claim holds; the smallest, for `at least`. Finite.
        relation: on which side of the bound the number must lie.
        broken: the counter-case, in which the same measurement must fail: keyword arguments that
            the function is called with, or another function. `ntkexec check --broken` carries it out.
        name: for the command line; by default the function's, with dashes.
        source: theorem, section or paper.
        how: how it is measured; by default the first line of the function's docstring.
        bound_from: where the bound comes from.
        formula: the claim in LaTeX, for pages.
        plot: draws a measurement and returns a matplotlib figure.

    Raises:
        NtkexecError: an empty claim, a name that is not one word, a bound that is no finite number, or
            another relation.

    Example:
        >>> @statement("a half is at most one", bound=1.0, broken={"factor": 3.0})
        ... def half(scale, factor=1.0):
        ...     return 0.5 * factor
        >>> half.measure("quick").value
        0.5
    """
    if not isinstance(claim, str) or not claim.strip():
        raise NtkexecError(f"a statement's claim is a sentence, not {shown(claim)}")
    # With an infinite bound nothing could refute the claim.
    if isinstance(bound, bool) or not isinstance(bound, Real) or not math.isfinite(bound):
        raise NtkexecError(f"a statement's bound is a number, not {shown(bound)}")
    if name is not None and not (name.isprintable() and len(name.split()) == 1):
        raise NtkexecError(
            f"a statement's name is one word for the command line, not {shown(name)}"
        )
    if relation not in get_args(Relation):
        raise NtkexecError(
            f"a number must lie {' or '.join(get_args(Relation))} its bound, not {shown(relation)}"
        )

    def state(function: Measure) -> Check[Scale]:
        called = name or function.__name__.strip("_").replace("_", "-")
        lines = (function.__doc__ or "").strip().splitlines()
        # The result may come from a stranger, who gives a number or anything else.
        if isinstance(broken, Mapping):
            counter: Any = functools.partial(function, **broken)
        else:
            counter = broken
        return Check(
            name=called,
            claim=claim.strip(),
            source=source,
            how=how or (lines[0].rstrip(".") if lines else f"by {function.__name__}"),
            bound=float(bound),
            bound_from=bound_from,
            measure=functools.partial(_measured, called, function),
            broken=None if counter is None else functools.partial(_measured, called, counter),
            relation=relation,
            formula=formula,
            plot=plot,
        )

    return state


# Any: whatever a stranger's function takes and gives.
def _measured(name: str, function: Callable[..., Any], scale: Scale) -> Measurement:
    """What the function gives, as a measurement."""
    found = function(scale)
    if isinstance(found, Measurement):
        return _checked(name, found)
    # Arrays of one number are numbers to those who write them.
    if getattr(found, "size", None) == 1 and hasattr(found, "item"):
        found = found.item()
    # False is 0 and would meet most bounds: a comparison is no measurement.
    if isinstance(found, bool | np.bool_ | str):
        raise NtkexecError(
            f"statement {name!r} gives {shown(found)}; a number or a Measurement is needed, to be compared "
            "with the bound"
        )
    try:
        return Measurement(float(found))
    except (TypeError, ValueError):
        raise NtkexecError(
            f"statement {name!r} gives {shown(found)}; a number or a Measurement is needed"
        ) from None


def _checked(name: str, found: Measurement) -> Measurement:
    """The same measurement, if it is made of numbers, and of details that JSON can hold."""
    try:
        json.dumps(dict(found.details), allow_nan=False)
        ends = None if found.interval is None else tuple(float(end) for end in found.interval)
        value = float(found.value)
    except (TypeError, ValueError) as error:
        raise NtkexecError(
            f"statement {name!r} gives a Measurement that is not made of plain numbers: {error}"
        ) from None
    if ends is not None and len(ends) != 2:
        raise NtkexecError(f"statement {name!r} gives the interval {shown(ends)}; it has two ends")
    return dataclasses.replace(found, value=value, interval=ends)


def stated_in(module: ModuleType | object) -> tuple[Check[Scale], ...]:
    """The statements that a module holds by any name, alone or in a tuple or list, each once.

    Args:
        module: a module, or a statement, or a tuple or list of them.
    """
    values = vars(module).values() if isinstance(module, ModuleType) else (module,)
    found: list[Check[Scale]] = []
    for value in values:
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, Check) and not any(one is known for known in found):
                found.append(one)
    return tuple(found)
