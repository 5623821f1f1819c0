"""What the paper and this port say, and the measurement that can refute it."""

from collections.abc import Callable

from experiments.harness import plots
from experiments.harness.claim import Claim, at_least, beats, equals, identity, no_worse
from experiments.harness.study import Record

PAPER = "Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777"
CODE = f"{PAPER}, and its public code"
TOY = f"{PAPER}, its layer-level study, as far as small networks can tell"
MARGIN = 0.015
RESOLUTION = 1e-3
PAIRED = "difference in test accuracy; the same variables to begin with, the same order of pictures"
SETS = ("photographs", "digits", "shapes")


def _lead(arm: str) -> Callable[[Record], float]:
    """The least lead of an arm over no operation, over the three sets of pictures."""

    def least(record: Record) -> float:
        found = (record[study]["accuracy"] for study in SETS)
        return min(float(accuracy[arm] - accuracy["none"]) for accuracy in found)

    return least


def _kept(arm: str) -> Callable[[Record], float]:
    """What noise leaves of an arm's accuracy on digits."""

    def kept(record: Record) -> float:
        found = record["digits"]
        return float(found["noisy"][arm] - found["accuracy"][arm])

    return kept


def _replaceable(study: str, on: str) -> Claim:
    return no_worse(
        f"depthwise-{study}",
        f"on {on}, a maximum in all blocks loses at most 1.5 points of accuracy to depthwise "
        "convolutions, which have more parameters",
        f"{study}.accuracy.max",
        f"{study}.accuracy.depthwise",
        margin=MARGIN,
        resolution=RESOLUTION,
        source=TOY,
        how=PAIRED,
    )


CLAIMS: tuple[Claim, ...] = (
    equals(
        "parameters",
        "R50, R50-max and R50-hybrid have 25,557,032, 14,232,232 and 17,330,600 parameters, ViT-S and "
        "ViT-S-max 22,050,664 and 23,819,368, PiT-S and PiT-S-max 23,461,912 and 25,119,784",
        "counts.parameters_off",
        count=0,
        broken="counts.parameters_off_misread",
        source=f"{CODE}: 25.6, 14.2 and 17.3 M; ViT-S and PiT-S: arXiv:2010.11929, arXiv:2103.16302",
        how="largest deviation of the walker's counts; PiT's transitions are trained depthwise "
        "convolutions in both forms; the twin: normalisation after pools, windows where there is none",
    ),
    equals(
        "multiplications",
        "On 224 x 224 pixels R50, R50-max and R50-hybrid multiply 4,089,184,256, 2,239,496,192 and "
        "2,586,312,704 times, ViT-S and ViT-S-max 4,598,882,304 and 4,743,822,336, PiT-S and PiT-S-max "
        "2,870,796,096 and 2,813,372,640",
        "counts.multiplications_off",
        count=0,
        broken="counts.multiplications_off_misread",
        source=f"{CODE}: 4.1, 2.2 and 2.6 G",
        how="largest deviation of two counts, the walker's from the trace and XLA's own cost analysis of "
        "every operation found; "
        "the twin: a trained window in every block",
    ),
    identity(
        "crossover",
        "A transformer's pooling layer has 2 d^2 parameters more than attention, and multiplies less "
        "than it only beyond N = d tokens: by 2 N d (N - d)",
        lambda record: float(
            record["crossing"]["parameters_off"] + record["crossing"]["multiplications_off"]
        ),
        tolerance=0.0,
        broken="crossing.without_attention",
        source="derived: 6 d^2 + 4 d parameters against 4 d^2 + 4 d, 6 N d^2 products against "
        "4 N d^2 + 2 N^2 d",
        how="largest deviation of the walker's counts over 4 widths and 8 grids; the twin: attention's "
        "products of tokens with tokens left out",
        provenance="ours",
    ),
    identity(
        "algebra",
        "Maxima over 3 x 3 make those over 5 x 5 and 7 x 7, at the border too, and commute with every "
        "non-decreasing map: in depth, without 1 x 1 layers between, pools are one larger pool",
        "algebra.deviation",
        tolerance=0.0,
        broken="algebra.with_zeros",
        source="max-plus algebra; of the paper's operation",
        how="largest difference in float64: pools after pools, strided ones too, ReLU, floor, added "
        "constants, factors of at least 0; the twin: zeros padded instead of minus infinity",
        provenance="ours",
    ),
    identity(
        "non-expansive",
        "No maximum and no mean drives two pictures apart in the largest difference of their pixels",
        "distance.excess",
        tolerance=0.0,
        broken="distance.conv",
        source="both are 1-Lipschitz in the maximum norm",
        how="by how much the ratio of distances after to before exceeds 1, windows of 3 and 5, worst "
        "pair; the twin: a random 3 x 3 convolution",
        provenance="ours",
    ),
    identity(
        "isotropy",
        "A network whose only windows are pools gives a picture of odd size, its mirror image and its "
        "quarter turns the same outputs, while sizes stay odd from stage to stage: what trains to tell them "
        "apart is the stem",
        "turns.isotropic",
        broken="turns.depthwise",
        source="pools commute with the square's symmetries, where strides meet both borders alike",
        how="largest change of random networks' outputs over their size, maximum, mean and none, 17 x 17 "
        "pixels, stem of 1 x 1, float64; the twin: depthwise convolutions",
        provenance="ours",
    ),
    at_least(
        "mixing",
        "On photographs, digits and shapes, a maximum in all blocks adds two points of accuracy to the "
        "same network without",
        _lead("max"),
        bound=0.02,
        broken=_lead("none"),
        resolution=RESOLUTION,
        source=f"{TOY}; sets on which it fails could not tell operations apart",
        how=f"least of three sets; {PAIRED}; the twin: nothing against nothing",
        bound_from="a set has to need mixing of pixels beyond the stem",
        provenance="reconstructed",
    ),
    _replaceable("photographs", "a sample of CIFAR-10 at 16 x 16"),
    _replaceable("digits", "MNIST's digits at 16 x 16"),
    _replaceable("shapes", "generated shapes of any place and size under noise"),
    beats(
        "search",
        "Among random chains of pools and trained operations, the best tenth has more pools than were "
        "drawn",
        "search.best",
        "search.drawn",
        source=f"{PAPER}: architecture search often picks operations without parameters in normal cells",
        how="share of maxima and means among four blocks' operations, four to choose from, chains trained "
        "briefly on MNIST's digits; paired 95 % t interval",
        provenance="reconstructed",
        names=("best tenth", "drawn"),
        plot=plots.arms("share of pools"),
    ),
    beats(
        "noise",
        "Noise on digits takes less accuracy from a network of maxima than from one of depthwise "
        "convolutions",
        _kept("max"),
        _kept("depthwise"),
        resolution=RESOLUTION,
        source=f"{PAPER}: networks of maxima gain robustness",
        how="accuracy with white noise of half the pixels' deviation less that without; paired 95 % t "
        "interval",
        provenance="reconstructed",
        names=("max", "depthwise"),
        plot=plots.arms("change of accuracy by noise"),
    ),
)
