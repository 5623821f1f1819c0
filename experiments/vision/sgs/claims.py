"""What the paper and this port say, and the measurement that can refute it."""

import dataclasses
from collections.abc import Callable

import numpy as np

from experiments.harness import plots
from experiments.harness.claim import Claim, at_least, at_most, beats, equivalent, identity
from experiments.harness.selectors import values_of
from experiments.harness.study import Record, Records
from ntkexec.check import Measurement

PAPER = "Detkov et al., ICLR 2023, arXiv:2303.02733"
LEMMA = "the lemma in this folder's README"
TOY = f"{PAPER}, its comparisons, as far as small networks can tell"
TRAINED = "difference in test accuracy, one learning rate for all; paired 95 % t interval"


def _profiles() -> Claim:
    made = at_most(
        "forecast",
        "the share of error that ACB's scaling saves follows from the profile of the teachers' "
        "variance in closed form",
        "profiles.off",
        bound=0.05,
        broken="profiles.off_reversed",
        source="derived in `forecasting.excess_by_position`",
        how="regression with fewer rows than weights, teachers of eight profiles: largest |measured "
        "minus predicted|; 95 % t interval",
        bound_from="a twentieth of plain descent's error; the formula is exact in expectation",
        provenance="ours",
        plot=plots.lines("power of ACB's scaling that the teachers' variance is", "error saved"),
    )

    def measure(records: Records) -> Measurement:
        names = ("measured", "formula", "gradient")
        means = {n: np.mean([r["profiles"][n] for r in records], 0).tolist() for n in names}
        found = made.measure(records)
        details = {"x": records[0]["profiles"]["powers"], "lines": means}
        return dataclasses.replace(found, details=details)

    return dataclasses.replace(made, measure=measure)


def _smallest(of: str) -> Callable[[Records], Measurement]:
    return lambda records: Measurement(min(values_of(records, of)))


def _twice(record: Record) -> float:
    return 2 * float(record["costs"]["time"])


CLAIMS: tuple[Claim, ...] = (
    identity(
        "lemma",
        "SGD on one kernel with the predicted gradient scaling follows branched SGD",
        "lemma.deviation",
        broken="lemma.unscaled",
        source=f"{PAPER}, its central statement; hypotheses: {LEMMA}",
        how="largest deviation of the merged branches from the scaled kernel over all steps, with "
        "momentum, coupled decay and unequal rates, float64; the twin: unscaled",
    ),
    Claim(
        name="decay-order",
        claim="scaling the decay along with the gradient leaves the branches' trajectory",
        source=LEMMA,
        how="smallest deviation over seeds and two decays, scaled after decay was added; the twin: decay "
        "added after",
        bound=1e-3,
        bound_from="far above rounding, which leaves less than 1e-12",
        relation="at least",
        measure=_smallest("lemma.decay_scaled"),
        broken=_smallest("lemma.decay_after"),
        provenance="ours",
    ),
    identity(
        "merge",
        "the merged kernel computes what the branches compute together",
        "lemma.merged",
        broken="lemma.merged_without_factors",
        source=f"{PAPER}: re-parameterisation",
        how="largest deviation of outputs on random images, float64; the twin: factors forgotten",
    ),
    at_least(
        "published-blocks",
        "no scaling reproduces a step of ACB or RepVGG with the batch normalisation of their branches: "
        "SGS is another training than theirs",
        "published.least",
        bound=0.01,
        broken="published.linear",
        source=f"limits the statement of {PAPER}",
        how="share of a step that the best scaling leaves unexplained, the lesser of the two; 95 % t "
        "interval; the twin: linear branches",
        bound_from="a hundredth of a step",
        provenance="ours",
    ),
    at_most(
        "gaussian-pairs",
        "the estimator finds -log2(1 - rho^2) / 2 bits in correlated Gaussian pixels, rho lessened by "
        "what its cells round",
        "answers.error",
        bound=0.05,
        broken="answers.shuffled",
        source="closed form, Cover and Thomas, chapter 8; Sheppard's correction",
        how="larger relative error for rho = .6 and .9, cells of width w adding w^2 / 12 to each "
        "variance; 95 % t interval; the twin: pairs torn",
        bound_from="both are of first order: the correction in w^2, the bits in one over the pairs",
        provenance="public code",
    ),
    beats(
        "digits",
        "on handwritten digits, SGS classifies better than plain training",
        "digits.accuracy.sgs",
        "digits.accuracy.plain",
        resolution=1e-3,
        source=TOY,
        how=TRAINED,
        plot=plots.arms("test accuracy"),
    ),
    equivalent(
        "branches",
        "on handwritten digits, SGS classifies as well as ACB, RepVGG and DBB as published",
        "digits.accuracy.sgs",
        "digits.branched",
        within=0.01,
        resolution=1e-3,
        source=f"{TOY}: the branches' accuracy without building them, and more",
        how=f"to the mean of the three: {TRAINED}",
        bound_from="one point of accuracy",
        plot=plots.arms("test accuracy"),
    ),
    beats(
        "cifar",
        "on a sample of CIFAR-10, SGS classifies better than plain training",
        "cifar.accuracy.sgs",
        "cifar.accuracy.plain",
        resolution=1e-3,
        source=f"{TOY}; there 77.8 to 78.8 % for ResNet-18 on CIFAR-100",
        how=TRAINED,
        plot=plots.arms("test accuracy"),
    ),
    _profiles(),
    at_most(
        "digits-forecast",
        "before training on the digits, the forecast is that SGS's scaling saves nothing",
        "digits.forecast",
        bound=0.0,
        broken="digits.forecast_for_centres",
        source="`forecasting.forecast`; whether it does is the claim `digits`",
        how="share of plain descent's error saved, mean over kernels; 95 % t interval; the twin: what "
        "is to be learned lies in the centre",
        provenance="ours",
    ),
    identity(
        "cost-flops",
        "a scaled step multiplies once for each scaled weight, and computes nothing else more",
        "costs.extra",
        broken="costs.extra_branched",
        tolerance=0.01,
        source=f"{PAPER}: the branches are not built",
        how="FLOPs of the compiled step beyond the plain one's, over the scaled weights, minus 1; the "
        "twin: ACB's branches built",
        bound_from="a compiler's freedom; XLA on a CPU leaves nothing",
    ),
    at_most(
        "cost-time",
        "a scaled step takes at most a tenth longer than a plain one",
        "costs.time",
        bound=1.1,
        broken=_twice,
        source=f"{PAPER}: 5 to 13 % more GPU time in all",
        how="median ratio of step times in turns, estimator apart; 95 % t interval; the twin: twice",
        bound_from="the middle of the paper's range",
    ),
)
