"""What is claimed of SGS, and how the records are judged."""

from experiments.experiment import Record, Records
from ntkexec.check import Check, Measurement

PAPER = "Detkov et al., ICLR 2023, arXiv:2303.02733"


def _lemma(records: Records) -> Measurement:
    cases = [(name, case) for r in records for name, case in r["lemma"]["cases"].items()]
    worst = max(case["deviation"] for _, case in cases)
    return Measurement(worst, details={"moved": min(case["moved"] for _, case in cases)})


def _unscaled(record: Record) -> Record:
    cases = {
        name: {**case, "deviation": case["moved"]}
        for name, case in record["lemma"]["cases"].items()
    }
    return record.changed("lemma", cases=cases)


CHECKS: tuple[Check[Records], ...] = (
    Check(
        name="lemma",
        claim="SGD on one kernel with the predicted gradient scaling follows branched SGD exactly",
        source=f"{PAPER}, claim 1; hypotheses as in this folder's README",
        how="largest deviation of the merged branches from the scaled kernel over all steps, with "
        "momentum, Nesterov's, coupled decay and unequal rates, float64",
        bound=1e-12,
        bound_from="float64 rounding over the steps",
        measure=_lemma,
        broken=lambda records: _lemma([_unscaled(r) for r in records]),
    ),
)
