"""Inequalities proven by interval arithmetic: every number is an interval that surely contains it."""

from collections.abc import Callable
from typing import Any

from ntkexec.errors import MissingExtraError

MOST_PARTS = 20_000
BITS = 80


# Any: mpmath has no types.
def context() -> Any:
    """mpmath's interval arithmetic, whose every operation rounds outwards.

    Raises:
        MissingExtraError: mpmath, which comes with sympy, is not installed.
    """
    try:
        from mpmath import iv
    except ModuleNotFoundError:
        raise MissingExtraError(
            "interval arithmetic needs sympy: pip install 'ntkexec[proofs]'"
        ) from None
    iv.prec = BITS
    return iv


def constants() -> tuple[Any, Any, Any]:
    """c = 1/(2 pi), lambda = 1 - c and V = 1/2 - c as intervals."""
    iv = context()
    c = 1 / (2 * iv.pi)
    return c, 1 - c, iv.mpf(1) / 2 - c


def lower_bound(
    function: Callable[[Any], Any], low: Any, high: Any, *, width: float = 1e-3
) -> float | None:
    """A number above 0 that the function nowhere falls below, or None where that is not proven.

    The range is divided until the function of every part, an interval, lies above 0.

    Args:
        function: of an interval; made of operations of `context`.
        low, high: intervals, of which the lower end of the first and the upper end of the second
            delimit the range.
        width: parts are at most this wide, which makes the bound sharper.
    """
    iv = context()
    parts, bound, tried = [(iv.mpf(low).a, iv.mpf(high).b)], None, 0
    while parts:
        left, right = parts.pop()
        tried += 1
        if tried > MOST_PARTS:
            return None
        least = function(iv.mpf([left, right])).a
        if least > 0 and right - left <= width:
            bound = least if bound is None or least < bound else bound
        else:
            middle = (left + right) / 2
            parts += [(left, middle.b), (middle.a, right)]
    return None if bound is None else float(bound)
