"""Claims that seeds decide: who learns better, and what it costs."""

from collections.abc import Callable, Mapping

from experiments.harness import plots, statistics
from experiments.harness.experiment import Record, Records
from experiments.vision.sgs.claims_exact import OURS, PAPER
from ntkexec.check import Check, Measurement

BLOCKS = ("acb", "repvgg", "dbb", "dyrep")
INTERVAL = "95 % t interval of paired differences over seeds"
Arms = Callable[[Record], Mapping[str, float]]


def _profile(record: Record) -> Mapping[str, float]:
    # Errors relative to the plain fit, since teachers differ in size.
    found = record["profile"]
    return {name: 1 - value / found["plain"] for name, value in found.items()}


def _teacher(task: str) -> Arms:
    return lambda record: record["teachers"]["tasks"][task]


def _accuracy(study: str) -> Arms:
    return lambda record: record[study]["accuracy"]


def _step(study: str) -> Callable[[Record], float]:
    """The smallest difference in accuracy that the study can show."""
    return lambda record: 1 / record[study]["test_images"]


def _gain(
    arms: Arms, better: str, worse: str, step: Callable[[Record], float] = lambda record: 0.0
) -> tuple[Callable[[Records], Measurement], Callable[[Records], Measurement]]:
    """How much better one arm is than another; and the same for an arm against itself."""

    def measure(records: Records, better: str = better) -> Measurement:
        rows = [arms(record) for record in records]
        finest = step(records[0])
        found = statistics.difference(
            [row[better] for row in rows], [row[worse] for row in rows], resolution=finest
        )
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return found.measurement(arms=statistics.arms(columns, resolution=finest))

    return measure, lambda records: measure(records, worse)


def _against_blocks(study: str, treated: str = "sgs") -> Callable[[Records], Measurement]:
    """The lowest interval of the differences to the published blocks, at a joint 95 %."""

    def measure(records: Records) -> Measurement:
        rows = [record[study]["accuracy"] for record in records]
        found = [
            statistics.difference(
                [row[treated if treated == "sgs" else rival] for row in rows],
                [row[rival] for row in rows],
                resolution=_step(study)(records[0]),
                level=1 - (1 - statistics.LEVEL) / len(BLOCKS),
            )
            for rival in BLOCKS
        ]
        lowest = min(found, key=lambda estimate: estimate.low)
        return lowest.measurement(
            differences={n: e.to_data() for n, e in zip(BLOCKS, found, strict=True)}
        )

    return measure


def _comparison(
    name: str,
    claim: str,
    how: str,
    source: str,
    unit: str,
    both: tuple[Callable[[Records], Measurement], Callable[[Records], Measurement]],
) -> Check[Records]:
    return Check(
        name=name,
        claim=claim,
        source=source,
        how=f"{how}; {INTERVAL}",
        bound=0,
        bound_from="the claim is a sign; the whole interval must lie above",
        relation="at least",
        measure=both[0],
        broken=both[1],
        plot=plots.arms(unit),
    )


def _flops(records: Records, name: str = "sgs") -> Measurement:
    worst = 0.0
    for record in records:
        counts, weights = record["cost"]["counts"], record["cost"]["scaled_weights"]
        extra = counts[name]["flops"] - counts["plain"]["flops"]
        worst = max(worst, abs(extra / weights - 1))
    return Measurement(worst, details={"counts": records[0]["cost"]["counts"]})


def _numbers(records: Records, name: str = "sgs") -> Measurement:
    extra = []
    for record in records:
        counts = record["cost"]["counts"]
        extra += [
            counts[name][what] - counts["plain"][what] for what in ("parameters", "optimiser")
        ]
    return Measurement(max(extra))


def _time(what: str, factor: float = 1.0) -> Callable[[Records], Measurement]:
    def measure(records: Records) -> Measurement:
        ratios = [factor * record["cost"]["time"][what]["value"] for record in records]
        times = {
            name: statistics.mean([r["cost"]["time"][name]["value"] for r in records]).to_data()
            for name in records[0]["cost"]["time"]
        }
        return statistics.mean(ratios).measurement(arms=times)

    return measure


TOY = f"{PAPER}, its comparison with plain training, as far as a toy can tell"

CHECKS: tuple[Check[Records], ...] = (
    _comparison(
        "right-profile",
        "on teachers with a central profile, ACB's scaling leaves less error than plain descent",
        "share of plain descent's error that it saves, regression with fewer rows than weights",
        OURS,
        "error saved, relative to plain",
        _gain(_profile, "acb", "plain"),
    ),
    _comparison(
        "wrong-profile",
        "and the inverse scaling leaves more",
        "plain minus inverse, relative to plain",
        OURS,
        "error saved, relative to plain",
        _gain(_profile, "plain", "inverse"),
    ),
    *(
        check
        for images in ("white", "blurred")
        for check in (
            _comparison(
                f"teacher-{images}",
                f"on {images} noise with a central teacher, SGS classifies better than plain training",
                "difference in test accuracy",
                TOY,
                "test accuracy",
                _gain(_teacher(f"{images}, central"), "sgs", "plain", _step("teachers")),
            ),
            _comparison(
                f"inverse-{images}",
                f"on {images} noise with a central teacher, inverted scalings classify worse than plain",
                "plain's test accuracy minus theirs",
                TOY,
                "test accuracy",
                _gain(_teacher(f"{images}, central"), "plain", "inverse", _step("teachers")),
            ),
        )
    ),
    *(
        check
        for study, text in (("digits", "handwritten digits"), ("shapes", "generated shapes"))
        for check in (
            _comparison(
                study,
                f"on {text}, SGS classifies better than plain training",
                "difference in test accuracy, small network with batch normalisation",
                TOY,
                "test accuracy",
                _gain(_accuracy(study), "sgs", "plain", _step(study)),
            ),
            Check(
                name=f"{study}-blocks",
                claim=f"on {text}, SGS classifies better than ACB, RepVGG and DBB as published and "
                "than DyRep as reconstructed",
                source=f"{PAPER}, its comparison with re-parameterisation, as far as a toy can tell",
                how="difference in test accuracy to the block where it is least; joint 95 % interval",
                bound=0,
                bound_from="the claim is a sign; the whole interval must lie above",
                relation="at least",
                measure=_against_blocks(study),
                broken=_against_blocks(study, "itself"),
            ),
        )
    ),
    _comparison(
        "cifar",
        "in the paper's setting on CIFAR, SGS classifies better than plain training",
        "difference in test accuracy",
        f"{PAPER}: 77.8 to 78.8 % for ResNet-18, 70.8 to 73.2 % for VGG-11 on CIFAR-100",
        "test accuracy",
        _gain(_accuracy("cifar"), "sgs", "plain", _step("cifar")),
    ),
    _comparison(
        "imagenet",
        "in the paper's setting on ImageNet, SGS classifies better than plain training",
        "difference in validation accuracy",
        f"{PAPER}: 71.13 to 71.65 % for ResNet-18",
        "validation accuracy",
        _gain(_accuracy("imagenet"), "sgs", "plain", _step("imagenet")),
    ),
    Check(
        name="cost-flops",
        claim="a scaled step multiplies once for each scaled weight, and computes nothing else more",
        source=OURS,
        how="FLOPs of the compiled step beyond the plain one's, over the scaled weights, minus 1",
        bound=0.01,
        bound_from="a compiler's freedom; XLA on a CPU leaves nothing",
        measure=_flops,
        broken=lambda records: _flops(records, "acb"),
    ),
    Check(
        name="cost-numbers",
        claim="SGS has no more parameters, and no more of the optimiser's state, than plain training",
        source=f"{PAPER}: the branches are not built",
        how="numbers beyond plain training's, the scalings (9 for each layer) apart",
        bound=0,
        bound_from="the claim is exact",
        measure=_numbers,
        broken=lambda records: _numbers(records, "acb"),
    ),
    Check(
        name="cost-time",
        claim="a scaled step takes at most a tenth longer than a plain one",
        source=f"{PAPER}: 5 to 13 % more GPU time in all",
        how="median ratio of step times in turns, estimator apart; 95 % t interval over seeds",
        bound=1.1,
        bound_from="the middle of the paper's range",
        measure=_time("sgs over plain"),
        broken=_time("sgs over plain", 2.0),
        plot=plots.arms("time over the rival's"),
    ),
    Check(
        name="cost-branches",
        claim="a scaled step takes less time than a step with ACB's branches built",
        source=f"{PAPER}: the branches are not built",
        how="median ratio of step times in turns; 95 % t interval over seeds",
        bound=1,
        bound_from="the claim is a sign",
        measure=_time("sgs over acb"),
        broken=_time("sgs over acb", 10.0),
    ),
)
