"""The proof of n0 sigma^2 <= V < m (alpha - beta)^2 for 2 <= m <= n0, checked step by step.

With V = 1/2 - c, d = alpha - beta = Delta/lambda, delta = K(1/sqrt m) - c, u = 1/sqrt m and
t = (m Delta - lambda)/(lambda + c n0), which is not negative from m = 2 on:

1. n0 sigma^2 = V - 2 d m delta + d^2 m V + c t^2 (1 + c n0 V/lambda^2) + 2 (c/lambda) t m (delta - dV).
   Every part that contains n0 falls as n0 grows, as t does and delta >= dV. So n0 = m is the worst.
2. There n0 sigma^2 = V - 2 (1+t) delta + (1+t)^2 V/m + c t^2 <= V - F(t), with F concave in t,
   and 0 <= t <= T: F >= min(F(0), F(T)).
3. F(0) and F(T) are positive for u in (0, 1/sqrt 2]: so n0 sigma^2 <= V.
4. Delta >= u/2, so m d^2 >= 1/(4 lambda^2) > V.

Identities are checked by computer algebra, inequalities by interval arithmetic with division of
the range; no point of a grid is part of the proof.
"""

from collections.abc import Iterator
from typing import Any

from ntkexec.check import Measurement, Scale
from proofs_check import _intervals
from proofs_check.symbolic import claimed_variance, closed_forms, sympy


def algebra() -> Iterator[Any]:
    """What must vanish in the proof of n0 sigma^2 <= m (alpha - beta)^2."""
    sp = sympy()
    c, m, n0, gap, delta, u = sp.symbols("c m n0 Delta delta u", positive=True)
    lam, v, d = 1 - c, sp.Rational(1, 2) - c, gap / (1 - c)
    t = (m * gap - lam) / (lam + c * n0)
    alpha, beta = closed_forms(m, n0, c, c + gap)
    spread = claimed_variance(m, n0, c, c + delta, alpha, beta)
    # 1. The variance in terms of t >= 0.
    yield spread - (
        v
        - 2 * d * m * delta
        + d**2 * m * v
        + c * t**2 * (1 + c * n0 * v / lam**2)
        + 2 * c / lam * t * m * (delta - d * v)
    )
    # 2. Its third part falls as n0 grows if (c V / lambda^2) lambda < 2 c.
    rise = c * v / lam**2
    part = (1 + rise * n0) / (lam + c * n0) ** 2
    yield sp.diff(part, n0) * (lam + c * n0) ** 3 - (rise * lam - 2 * c - rise * c * n0)
    # 3. delta - d V = G/(2 lambda), G = delta - V u kappa_0, since Delta = delta + u kappa_0/2.
    kappa = sp.Symbol("kappa", positive=True)
    yield (delta - d * v).subs(gap, delta + u * kappa / 2) - (delta - v * u * kappa) / (2 * lam)
    # 4. At n0 = m, where the variance is largest.
    same = t.subs(n0, m)
    yield (
        spread.subs(n0, m) - (v - 2 * (1 + same) * delta + (1 + same) ** 2 * v / m + c * same**2)
    )
    # 5. t <= T there, since Delta <= u/2 + V u^2, with m = 1/u^2.
    yield same.subs(m, u**-2).subs(gap, u / 2 + v * u**2) - u * (1 - u) / (2 * (c + lam * u**2))
    # 6. kappa_0 is 1/2 + arcsin(u)/pi, and kappa_1' = kappa_0, kappa_1(0) = 1/pi: as the coefficients
    # of arcsin are not negative, delta >= u/4 + u^2/(4 pi) and Delta >= u/2 + 3 u^2/(4 pi).
    kappa_0 = (sp.pi - sp.acos(u)) / sp.pi
    kappa_1 = (sp.sqrt(1 - u**2) + u * (sp.pi - sp.acos(u))) / sp.pi
    yield (kappa_0 - sp.Rational(1, 2) - sp.asin(u) / sp.pi).rewrite(sp.asin)
    yield sp.diff(kappa_1, u) - kappa_0
    yield kappa_1.subs(u, 0) - 1 / sp.pi


def inequalities(scale: float) -> dict[str, float | None]:
    """The least value, by interval arithmetic, of what must be positive; None where not proven.

    Args:
        scale: factor of the right-hand side m (alpha - beta)^2, for counter-cases.
    """
    iv = _intervals.context()
    c, lam, v = _intervals.constants()
    half, root = iv.mpf(1) / 2, 1 / iv.sqrt(2)

    def at_most_t(u: Any) -> Any:
        """F(T)/u, where F = (1+t) u/2 - (1+t)^2 V u^2 - c t^2 and T/u = slope."""
        slope = (1 - u) / (2 * (c + lam * u * u))
        t = u * slope
        return (1 + t) / 2 - (1 + t) ** 2 * v * u - c * t * slope

    def g(angle: Any) -> Any:
        """G/u at u = sin(angle), from below."""
        return half / 2 + iv.sin(angle) / (4 * iv.pi) - v * (half + angle / iv.pi)

    def constant(value: Any) -> float | None:
        return float(value.a) if value.a > 0 else None

    return {
        "2 c - (c V / lambda^2) lambda": constant(2 * c - c * v / lam),
        "m Delta_m - lambda": constant(root + 3 / (4 * iv.pi) - lam),
        "G / u": _intervals.lower_bound(g, iv.mpf(0), iv.pi / 4),
        "F(0) / u": _intervals.lower_bound(lambda u: half - v * u, iv.mpf(0), root),
        "F(T) / u": _intervals.lower_bound(at_most_t, iv.mpf(0), root),
        "m (alpha - beta)^2 - V": constant(scale / (4 * lam * lam) - v),
    }


def measure(_: Scale, scale: float = 1.0) -> Measurement:
    """Steps of the proof of n0 sigma^2 <= V < m (alpha - beta)^2 that do not hold.

    Args:
        scale: factor of m (alpha - beta)^2, for counter-cases.
    """
    sp = sympy()
    identities = list(algebra())
    open_ones = sum(sp.simplify(sp.together(one)) != 0 for one in identities)
    bounds = inequalities(scale)
    open_ones += sum(bound is None for bound in bounds.values())
    return Measurement(
        open_ones,
        details={"identities": len(identities), "inequalities": len(bounds), "at least": bounds},
    )
