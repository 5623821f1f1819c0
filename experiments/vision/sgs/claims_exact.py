"""Claims that are identities, and where they end."""

from collections.abc import Callable

import numpy as np

from experiments.harness.experiment import Record, Records
from experiments.vision.sgs.branches import PLAIN, predicted_scaling
from ntkexec.check import Check, Measurement

PAPER = "Detkov et al., ICLR 2023, arXiv:2303.02733"
OURS = "derived in this folder's README"
ROUNDING = "float64 rounding over the steps"
TABLE = {
    "acb": [[0.6, 1.2, 0.6], [1.2, 1.8, 1.2], [0.6, 1.2, 0.6]],
    "repvgg": [[0.9, 0.9, 0.9], [0.9, 1.8, 0.9], [0.9, 0.9, 0.9]],
}
LINEAR = {"linear ACB": "acb", "linear RepVGG": "repvgg"}


def _lemma(records: Records) -> Measurement:
    cases = [case for r in records for case in r["lemma"]["cases"].values()]
    moved = min(case["moved"] for case in cases)
    return Measurement(max(c["deviation"] for c in cases), details={"least_moved": moved})


def _unscaled(record: Record) -> Record:
    cases = record["lemma"]["cases"].items()
    return record.changed("lemma", cases={n: {**c, "deviation": c["moved"]} for n, c in cases})


def _decay(records: Records, which: str = "wrong") -> Measurement:
    return Measurement(min(d[which] for r in records for d in r["decay"]["decays"].values()))


def _merge(records: Records) -> Measurement:
    worst = 0.0
    for record in records:
        for name, block in record["merge"]["blocks"].items():
            off = np.abs(np.array(block["scaling"]) - np.array(TABLE[name])).max()
            worst = max(worst, float(off), block["deviation"])
    return Measurement(worst)


def _plain_blocks(record: Record) -> Record:
    blocks = record["merge"]["blocks"].items()
    plain = predicted_scaling(PLAIN).tolist()
    return record.changed("merge", blocks={n: {**b, "scaling": plain} for n, b in blocks})


def _adam(which: str) -> Callable[[Records], Measurement]:
    return lambda records: Measurement(max(r["adam"][which] for r in records))


def _factors(records: Records) -> Measurement:
    ratios = [r["factors"]["at_rate"] / r["factors"]["at_half"] for r in records]
    return Measurement(max(abs(ratio - 2) for ratio in ratios), details={"ratios": ratios})


def _second_order(record: Record) -> Record:
    # Were the factors' share of a step of second order, half the rate would leave a quarter.
    return record.changed("factors", at_half=record["factors"]["at_rate"] / 4)


def _misjudged(records: Records) -> Measurement:
    wrong = []
    for record in records:
        for name, block in record["audit"]["blocks"].items():
            if name in LINEAR:
                scaling = np.array(block["scaling"] or 0.0)
                right = np.allclose(scaling / scaling.mean(), TABLE[LINEAR[name]], atol=1e-8)
            else:
                right = block["violation"] != ""
            wrong += [] if right else [name]
    return Measurement(len(wrong), details={"misjudged": sorted(set(wrong))})


def _credulous(record: Record) -> Record:
    blocks = record["audit"]["blocks"]
    scaling = blocks["linear ACB"]["scaling"]
    trusting = {n: {**b, "violation": "", "scaling": scaling} for n, b in blocks.items()}
    return record.changed("audit", blocks=trusting)


def _residual(records: Records, wanted: bool = False) -> Measurement:
    """The smallest residual of blocks outside the lemma, or inside it where `wanted`."""
    found = [
        block["residual"]
        for record in records
        for name, block in record["audit"]["blocks"].items()
        if (name in LINEAR) == wanted and not np.isnan(block["residual"])
    ]
    return Measurement(min(found))


def _bias(records: Records, which: str = "deviation") -> Measurement:
    return Measurement(max(r["bias"][which] for r in records))


CHECKS: tuple[Check[Records], ...] = (
    Check(
        name="lemma",
        claim="SGD on one kernel with the predicted gradient scaling follows branched SGD exactly",
        source=f"{PAPER}, its central statement; hypotheses {OURS}",
        how="largest deviation of the merged branches from the scaled kernel over all steps, with "
        "momentum, Nesterov's, coupled decay and unequal rates, float64",
        bound=1e-12,
        bound_from=ROUNDING,
        measure=_lemma,
        broken=lambda records: _lemma([_unscaled(r) for r in records]),
    ),
    Check(
        name="decay-order",
        claim="scaling the decay along with the gradient leaves the branches' trajectory",
        source=OURS,
        how="smallest deviation over seeds and two decays, scaling after decay was added",
        bound=1e-3,
        bound_from="far above rounding, which leaves less than 1e-12",
        relation="at least",
        measure=_decay,
        broken=lambda records: _decay(records, "right"),
    ),
    Check(
        name="merge",
        claim="ACB's scaling is .6 / 1.2 / 1.8 at corner, edge and centre, RepVGG's .9 / .9 / 1.8; the "
        "merged kernel computes what the branches do",
        source=OURS,
        how="largest deviation of scalings and of outputs on random images, float64",
        bound=1e-12,
        bound_from="float64 rounding",
        measure=_merge,
        broken=lambda records: _merge([_plain_blocks(r) for r in records]),
    ),
    Check(
        name="adam-update",
        claim="branches under Adam equal one kernel whose update is scaled by sum |a_i| m_i",
        source=OURS,
        how="largest deviation over the steps, Adam with epsilon 0, float64",
        bound=1e-12,
        bound_from=ROUNDING,
        measure=_adam("update_scaled"),
        broken=_adam("gradient_scaled"),
    ),
    Check(
        name="adam-no-op",
        claim="scaling the gradient does nothing under Adam",
        source=OURS,
        how="largest deviation from unscaled Adam over the steps, epsilon 0, float64",
        bound=1e-12,
        bound_from=ROUNDING,
        measure=_adam("gradient_scaling_effect"),
        broken=_adam("gradient_scaled"),
    ),
    Check(
        name="trained-factors",
        claim="trained branch factors change a step to first order: no scaling follows them",
        source=OURS,
        how="deviation of one step from the scaled one, over that at half the rate, minus 2",
        bound=0.1,
        bound_from="what the second order adds at this rate",
        measure=_factors,
        broken=lambda records: _factors([_second_order(r) for r in records]),
    ),
    Check(
        name="auditor",
        claim="the auditor finds the scaling of linear blocks, and none for blocks with trained factors "
        "or with batch normalisation in their branches (ACB, RepVGG, DBB as published)",
        source=OURS,
        how="wrong judgements of six blocks over all seeds",
        bound=0,
        bound_from="the claim is exact",
        measure=_misjudged,
        broken=lambda records: _misjudged([_credulous(r) for r in records]),
    ),
    Check(
        name="published-blocks",
        claim="no scaling reproduces a step of the published blocks: SGS is another training than theirs",
        source=f"{OURS}; limits the statement of {PAPER}",
        how="smallest share of a step that the best scaling leaves unexplained",
        bound=0.01,
        bound_from="a hundredth of a step; rounding leaves below 1e-12",
        relation="at least",
        measure=_residual,
        broken=lambda records: _residual(records, True),
    ),
    Check(
        name="implicit-bias",
        claim="scaled descent on least squares ends in S X'(X S X')^-1 y",
        source=OURS,
        how="largest deviation of iterated descent from the closed form, float64",
        bound=1e-10,
        bound_from="exp(-40), what is left of the slowest mode, and rounding",
        measure=_bias,
        broken=lambda records: _bias(records, "plain_deviation"),
    ),
)
