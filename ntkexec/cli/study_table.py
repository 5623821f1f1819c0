"""Studies of how many networks it takes, as a table for a terminal."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ntkexec.complexity import Sweep


def as_text(found: "Sweep") -> str:
    """Studies as a table, and what they show."""
    studies, fitted, refused = found.studies, found.trends, found.refused
    own = list({name: None for one in studies for name in one.own_bounds})
    asked = sorted({n for one in studies for n in one.shares_exact()})
    header: tuple[str, ...] = (
        "kind, draw, thresholds, sizes",
        "n0",
        "m",
        "states",
        "σ²/μ²",
        "margin",
        "lower",
        "N measured",
        "99 %",
        "union",
        "certificate",
        "numerical",
        "theory",
        "published",
        *own,
        *(f"exact at {n}" for n in asked),
        "seconds",
    )
    rows = [header]
    several_scales = len({one.weight_std for one in studies}) > 1
    for one in studies:
        low, high = one.median_interval
        sizes = " ".join(f"{name} {value}" for name, value in one.sizes.items())
        width = "" if one.width is None else f" width {one.width}"
        scale = f"weight_std {one.weight_std:g}" if several_scales else ""
        shares = one.shares_exact()
        shown = ("union", "certificate", "numerical", "theory", "published")
        bounds = [getattr(one.bounds, name) for name in shown]
        rows.append(
            (
                ", ".join(filter(None, (one.kind, one.draw + width, one.threshold, scale, sizes))),
                f"{one.num_inputs}",
                f"{one.max_matches}",
                f"{one.num_states}",
                f"{one.noise_ratio:.3g}",
                f"{one.smallest_margin:.3g}",
                "-" if one.bounds.lower is None else f"{one.bounds.lower}",
                f"{one.median:g} ({low:g} to {high:g})",
                f"{one.quantile(0.99):g}",
                *("-" if bound is None else f"{bound}" for bound in bounds),
                *(_number(one.own_bounds.get(name)) for name in own),
                *(f"{shares[n]:.0%}" if n in shares else "-" for n in asked),
                f"{one.seconds:.1f}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    first = studies[0]
    lines = [
        f"{first.algorithm}: {first.num_graphs:,} graphs, {len(first.stable)} repetitions, "
        "thresholds by convention. N measured: median of the smallest N from which on every ensemble",
        f"is exact (95 % interval), and its 99 % quantile. Bounds at δ = {first.delta:g}, for the same "
        "decisions: theory = 8 n0 log(decisions/δ), numerical puts",
        "σ²/μ² for n0. published = 8 n0 log(2 n0 T I) for all I = 2^n0 inputs, without δ.",
        *(
            ["exact at n: share of the repetitions in which the first n networks were exact."]
            if asked
            else []
        ),
        *(
            ["0 to inf: too few repetitions for an interval of 95 %; see --repeat."]
            if any(one.median_interval == (0, math.inf) for one in studies)
            else []
        ),
        "",
        *(
            "  ".join(
                cell.ljust(size) if i == 0 else cell.rjust(size)
                for i, (cell, size) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ),
    ]
    lines += [f"{one.kind}, {one.threshold}, {one.sizes}: {one.reason}" for one in refused]
    missing = sum(n is None for one in studies for n in one.stable)
    if missing:
        lines.append(
            f"{missing} repetitions found no exact ensemble up to the largest N tried, so no trend "
            "is fitted; --members tries more"
        )
    if fitted:
        lines.append("")
    for trend in fitted:
        low, high = trend.interval
        lines.append(
            f"N grows like {trend.size}^{trend.exponent:.2f} ({low:.2f} to {high:.2f}), "
            f"σ²/μ² like {trend.size}^{trend.noise_exponent:.2f}, over {trend.size} = "
            + ", ".join(f"{value:g}" for value in trend.values)
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.3g}"
