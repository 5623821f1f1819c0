"""Claims about the estimator of mutual information and the scalings that come of it."""

import numpy as np

from experiments.harness import plots, statistics
from experiments.harness.experiment import Records
from experiments.vision.sgs.claims_exact import OURS, PAPER
from experiments.vision.sgs.estimator import BLURS, CORRELATIONS
from ntkexec.check import Check, Measurement

INFORMATIVE = (2, 3)
"""Places in CORRELATIONS where both the bias and the cells are small: .6 and .9."""


def _independent(records: Records, factor: float = 1.0) -> Measurement:
    found = {}
    for number in records[0]["answers"]["independent"]:
        ratios = [factor * r["answers"]["independent"][number] for r in records]
        found[number] = statistics.mean(ratios)
    worst = max(max(abs(e.low - 1), abs(e.high - 1)) for e in found.values())
    return Measurement(worst, details={number: e.to_data() for number, e in found.items()})


def _gaussian(records: Records, factor: float = 1.0) -> Measurement:
    errors = []
    for record in records:
        for place in INFORMATIVE:
            expected = -0.5 * np.log2(1 - CORRELATIONS[place] ** 2)
            bits = factor * record["answers"]["correlated_bits"][place]
            errors.append(abs(bits / expected - 1))
    return Measurement(max(errors))


def _ladder(records: Records, turned: int = 1) -> Measurement:
    steps = [np.diff(r["answers"]["correlated_ratios"][::turned]).min() for r in records]
    means = np.mean([r["answers"]["correlated_ratios"] for r in records], 0)
    return Measurement(
        float(min(steps)), details={"x": CORRELATIONS, "lines": {"r": means.tolist()}}
    )


def _algebra(records: Records, off: float = 0.0) -> Measurement:
    found = [
        max(r["answers"]["algebra"], abs(r["answers"]["identical_ratio"] - 1)) for r in records
    ]
    return Measurement(max(found) + off)


def _symmetry(records: Records, matters: bool = False) -> Measurement:
    found = [
        max(r["images"]["asymmetry"], *r["images"]["turned"].values())
        if not matters
        else r["images"]["turning_matters"]
        for r in records
    ]
    return Measurement(max(found))


def _units(records: Records, off: float = 0.0) -> Measurement:
    return Measurement(max(max(r["images"]["shifted"].values()) for r in records) + off)


def _blur(records: Records, turned: int = 1) -> Measurement:
    slacks = []
    for record in records:
        centres = record["images"]["centres"][::turned]
        slacks += [centres[0] - 8, 1.4 - centres[-1], *(-np.diff(centres))]
    means = np.mean([r["images"]["centres"] for r in records], 0)
    lines = {"centre of S": means.tolist()}
    return Measurement(float(min(slacks)), details={"x": BLURS, "lines": lines})


def _limits(records: Records, sharper: bool = True) -> Measurement:
    def worst(result: dict[str, float]) -> float:
        flat, centre = result["flat_limit"], result["central_limit"]
        # Without the limits both would be what k = 5 gives: neither flat nor central.
        return max(flat / 1e-3, (9 - centre) / 0.1) if sharper else (9 - 1) / 0.1

    return Measurement(max(worst(dict(r["images"])) for r in records))


CHECKS: tuple[Check[Records], ...] = (
    Check(
        name="independent-pixels",
        claim="independent pixels give (B - 1)^2 / (2 N ln 2) bits, the bias of B x B cells",
        source="Miller, 1955, for the estimator of the public code",
        how="mean over 64 samples and all seeds against that, N = 1,000 and 10,000; the farther end "
        "of its interval",
        bound=0.1,
        bound_from="the formula is of first order in 1/N",
        measure=_independent,
        broken=lambda records: _independent(records, 2.0),
    ),
    Check(
        name="gaussian-pairs",
        claim="correlated Gaussian pixels give -log2(1 - rho^2) / 2 bits",
        source="closed form; Cover and Thomas, chapter 8",
        how="largest relative error at rho = .6 and .9",
        bound=0.1,
        bound_from="what 17 cells for each axis lose",
        measure=_gaussian,
        broken=lambda records: _gaussian(records, 0.5),
    ),
    Check(
        name="ladder",
        claim="the ratio r grows with the correlation",
        source=f"{PAPER}, the public code's measure",
        how="smallest growth between rho = 0, .3, .6, .9 and .99",
        bound=0,
        bound_from="the claim is a sign",
        relation="at least",
        measure=_ladder,
        broken=lambda records: _ladder(records, -1),
        plot=plots.lines("correlation of two pixels", "r (mean over seeds)"),
    ),
    Check(
        name="sharpening",
        claim="f_5 after f_3 is f_15, f_1 is the identity, 0 and 1 stay; equal pixels have r = 1",
        source=OURS,
        how="largest deviation, float64",
        bound=1e-12,
        bound_from="float64 rounding",
        measure=_algebra,
        broken=lambda records: _algebra(records, 1e-6),
    ),
    Check(
        name="symmetry",
        claim="S is the same from either end; turned and flipped images have the turned and flipped S",
        source=OURS,
        how="largest deviation over transposing, flipping and turning, float64",
        bound=1e-12,
        bound_from="float64 rounding",
        measure=_symmetry,
        broken=lambda records: _symmetry(records, True),
    ),
    Check(
        name="units",
        claim="pixels in other units, a x + b, have the same S",
        source=OURS,
        how="largest change of S for 4 x + 1/4 and 1/2 - x, without padding",
        bound=1e-4,
        bound_from="a value may change its cell by rounding",
        measure=_units,
        broken=lambda records: _units(records, 1e-3),
    ),
    Check(
        name="blur",
        claim="the more images are blurred, the flatter S: its centre falls from above 8 to below 1.4",
        source=OURS,
        how="smallest of: fall at each step of sigma = 0, .5, 1, 2, 4; first minus 8; 1.4 minus last",
        bound=0,
        bound_from="the claim is a sign",
        relation="at least",
        measure=_blur,
        broken=lambda records: _blur(records, -1),
        plot=plots.lines("width of the blur in pixels", "centre of S (mean over seeds)"),
    ),
    Check(
        name="sharpness-limits",
        claim="a large k gives plain SGD, a small k trains the centre alone",
        source=OURS,
        how="|S - 1| at k = 1e6 over 1e-3, or 9 minus the centre at k = 1e-3 over 0.1, the larger",
        bound=1,
        bound_from="the two tolerances named",
        measure=_limits,
        broken=lambda records: _limits(records, False),
    ),
)
