"""Claims about forecasts: what a scaling will change, said before training."""

import functools

import numpy as np

from experiments.harness import plots, statistics
from experiments.harness.experiment import Record, Records
from experiments.vision.sgs.claims_exact import OURS
from experiments.vision.sgs.forecast import correlation
from experiments.vision.sgs.forecast_study import PICTURES
from ntkexec.check import Check, Measurement


def _formula(records: Records, order: int = 1) -> Measurement:
    """The farthest end of all intervals of measured minus predicted, at a joint level."""
    powers = records[0]["profiles"]["powers"]
    lines = {
        name: np.mean([r["profiles"][name] for r in records], 0).tolist()
        for name in ("measured", "formula", "gradient")
    }
    found = [
        statistics.difference(
            [r["profiles"]["measured"][place] for r in records],
            [r["profiles"]["formula"][::order][place] for r in records],
            level=1 - (1 - statistics.LEVEL) / len(powers),
        )
        for place in range(len(powers))
    ]
    worst = max(max(abs(one.low), abs(one.high)) for one in found)
    return Measurement(worst, details={"x": powers, "lines": lines})


def _gradient(records: Records, sign: int = 1) -> Measurement:
    found = [
        sign * correlation(np.array(r["profiles"]["measured"]), np.array(r["profiles"]["gradient"]))
        for r in records
    ]
    return statistics.mean(found).measurement()


def _pictures(records: Records, name: str, factor: int = 1) -> Measurement:
    def over_kernels(record: Record, what: str) -> float:
        kernels = record["networks"]["networks"][name].values()
        return factor * float(np.mean([kernel[what] for kernel in kernels]))

    columns = {
        label: [over_kernels(record, what) for record in records]
        for label, what in (
            ("from the gradient at the start", "gain"),
            ("from what plain training learned", "gain_learned"),
        )
    }
    first = next(iter(columns.values()))
    correlations = [over_kernels(record, "correlation") for record in records]
    return statistics.mean(first).measurement(
        arms=statistics.arms(columns), correlation=statistics.mean(correlations).to_data()
    )


CHECKS: tuple[Check[Records], ...] = (
    Check(
        name="profile-forecast",
        claim="the share of error that ACB's scaling saves follows from the profile of the teachers' "
        "variance in closed form",
        source=OURS,
        how="regression on teachers with eight profiles, measured minus predicted; the farthest end of "
        "the intervals, joint 95 % over seeds",
        bound=0.05,
        bound_from="a twentieth of plain descent's error; the formula is exact in expectation",
        measure=_formula,
        broken=lambda records: _formula(records, -1),
        plot=plots.lines(
            "power of ACB's scaling that the teachers' variance is",
            "error saved, relative to plain",
        ),
    ),
    Check(
        name="gradient-forecast",
        claim="and the gradient at zero, in place of the profile, orders the profiles alike",
        source=OURS,
        how="correlation of predicted and measured shares over the profiles; 95 % t interval over seeds",
        bound=0.9,
        bound_from="a forecast that explains four fifths of the variance",
        relation="at least",
        measure=_gradient,
        broken=lambda records: _gradient(records, -1),
    ),
    *(
        Check(
            name=f"{name}-forecast",
            claim=f"before training on {name}, the forecast is that SGS's scaling saves nothing",
            source=f"{OURS}; whether it does is `{name}`'s claim",
            how="share of plain descent's error saved, mean over kernels; 95 % t interval over seeds",
            bound=0.0,
            bound_from="the claim is a sign; the whole interval must lie below",
            measure=functools.partial(_pictures, name=name),
            broken=functools.partial(_pictures, name=name, factor=0),
            plot=plots.arms("error saved, relative to plain"),
        )
        for name in PICTURES
    ),
)
