"""What the paper says, as claims: counts, fusion, the branch's reach, information, gradients, precision."""

from experiments.harness.claim import at_least, beats, equals, identity
from experiments.harness.scene_plots import with_scenes
from experiments.harness.selectors import Of
from experiments.harness.study import Record
from experiments.vision.yolov9.study_config import QUICK, STANDARD, YoloConfig

PAPER = "Wang et al., arXiv:2402.13616"
COUNTED = {
    "GELAN-C": (25_288_752, 51_068_108_800),
    "with the branch": (50_880_736, 118_815_129_600),
}
"""Parameters and multiplications at 640 x 640, fused."""
PUBLISHED = {"GELAN-C": (25.3, 102.1), "with the branch": (50.9, 237.6)}
"""Millions of parameters, and billions of operations, two for each multiplication."""
DIGITS = (
    "scikit-learn's digits of 8 x 8 pixels, drawn variables, width 8, batches normalise themselves"
)


def _scenes(config: YoloConfig) -> str:
    """What detectors are trained on, and how long."""
    fewest, most = config.objects
    return (
        f"scenes of {config.size} x {config.size} with {fewest} to {most} of {config.classes} digits of "
        f"{config.pixels[0]} to {config.pixels[1]} pixels, {config.steps} steps of {config.batch}"
    )


SCENES = (
    f"generated pictures of handwritten digits, tested with other digits than were shown; at quick "
    f"{_scenes(QUICK)}; at standard {_scenes(STANDARD)}; the published assigner, and for all arms the same "
    "main variables and scenes"
)
RESOLUTION = 0.003
"""Of an average precision: one of some 400 objects."""
ARMS = ("none", "deep", "integrated")
"""That are compared."""


def _compared(record: Record) -> float:
    """The mean of the average precisions at overlap 0.5 of the detectors that are compared."""
    return sum(float(record["detectors"]["ap50"][arm]) for arm in ARMS) / len(ARMS)


def _rounded(record: Record, parameters: str = "fused_parameters") -> int:
    """How many of four figures are our counts, rounded to a tenth."""
    met = 0
    for name, (millions, billions) in PUBLISHED.items():
        row = record["counts"][name]
        met += round(row[parameters] / 1e6, 1) == millions
        met += round(2 * row["multiplications"] / 1e9, 1) == billions
    return met


def _astray(record: Record, auxiliary: str = "auxiliary") -> int:
    """Arrays with a gradient that should have none, or without one that should have it."""
    found, total = record["paths"], record["paths"]["arrays"]
    reached = found[auxiliary]
    missed = total["backbone"] - reached["backbone"]
    return int(missed + reached["neck"] + reached["head"] + found["main"]["auxiliary"])


def _at(unit: str, depth: int) -> Of:
    """The share that a stack of these units holds after so many, or after the most there are."""

    def of(record: Record) -> float:
        found = record["information"]
        depths = found["depths"]
        place = depths.index(depth) if depth in depths else len(depths) - 1
        return float(found["linear"][unit][place])

    return of


CLAIMS = (
    equals(
        "counts",
        "GELAN-C has 25.3 million parameters and takes 102.1 billion operations; with its auxiliary branch "
        "there are 50.9 million and 237.6 billion",
        _rounded,
        count=4,
        broken=lambda record: _rounded(record, "parameters"),
        source=f"{PAPER}, table 1, and the public code's configuration with its branch, counted by hand",
        how="of four figures, how many are our count at 640 x 640, fused, rounded to a tenth; two operations "
        "a multiplication; the twin is not fused",
        provenance="public code",
    ),
    identity(
        "fusion",
        "Both branches of a re-parameterised convolution are one kernel at inference, strided or not, if "
        "padding is the same on both sides; with XLA's SAME they are not",
        lambda record: max(record["fusion"]["stride_1"], record["fusion"]["stride_2"]),
        broken="fusion.xla_same",
        source="the public code's RepConvN",
        how="relative to the largest output, float64, drawn statistics; the twin pads as SAME does, stride 2",
        provenance="public code",
    ),
    equals(
        "paths",
        "The auxiliary loss reaches every array of the backbone and none of the neck and the main head; the "
        "main loss reaches none of the branch",
        _astray,
        count=0,
        broken=lambda record: _astray(record, "main"),
        source=f"{PAPER}, section 4.1, and the public code, whose branch reads the backbone's levels alone",
        how="arrays of parameters whose gradient is zero where it should not be or the other way round, the "
        "published branch; the twin takes the main loss for the auxiliary one",
        provenance="public code",
    ),
    equals(
        "removal",
        "Without the branch the main detector predicts the same, bit for bit",
        "paths.differing",
        count=0,
        broken="paths.differing_after_a_step",
        source=f"{PAPER}, section 4.1: the branch can be removed at inference",
        how="numbers that differ between the whole network and the main one, both computed operation by "
        "operation; in the twin the main one has other parameters",
    ),
    identity(
        "inverse",
        "A branch of additive couplings gives the picture back from its last map and what was sent in",
        "inverse.deviation",
        broken="inverse.without_sums",
        tolerance=1e-8,
        source=f"{PAPER}, section 3.2, on reversible functions; the branch is ours",
        how="largest error of a pixel over the largest pixel, 8 couplings at two resolutions, float64; the "
        "twin leaves out what the main branch sent in",
        provenance="ours",
    ),
    beats(
        "couplings-keep",
        "After 20 units, couplings hold more of the picture than plain convolutions do",
        _at("coupling", 20),
        _at("plain", 20),
        names=("couplings", "plain"),
        source=f"{PAPER}, section 3, and figure 2",
        how=f"share of the pixels' variance that ridge regression reads out on digits held out; {DIGITS}",
        provenance="reconstructed",
    ),
    beats(
        "gelan-keeps",
        "After 10 units, GELAN's blocks hold more of the picture than residual ones",
        _at("gelan", 10),
        _at("residual", 10),
        names=("GELAN", "residual"),
        source=f"{PAPER}, figure 6, which shows maps and no number",
        how=f"as for couplings-keep; {DIGITS}",
        provenance="reconstructed",
    ),
    beats(
        "steady",
        "With a reversible branch, gradients of early layers differ less from batch to batch than with deep "
        "supervision",
        "gradients.reversible",
        "gradients.deep",
        names=("reversible branch", "deep supervision"),
        source=f"{PAPER}, section 4.1: reliable gradients",
        how="mean cosine of a batch of 64 and all others, gradients of the first two layers of a plain stack "
        "of 20 under the classes' cross-entropy; scikit-learn's digits, variables drawn as by He",
        provenance="reconstructed",
    ),
    with_scenes(
        at_least(
            "detects",
            "Small GELAN detectors learn to find digits and to tell them apart: those that are compared "
            "have a mean AP50 of 0.5",
            _compared,
            bound=0.5,
            broken="detectors.ap50.untrained",
            resolution=RESOLUTION,
            source="ours: below that, the two comparisons say nothing of detectors that work",
            how=f"the mean of three trainings; {SCENES}; the twin is not trained",
            bound_from="twice a quarter, which boxes around every digit without telling which of four would "
            "reach at most",
            provenance="ours",
        ),
        "detectors",
        "shown",
    ),
    beats(
        "guided",
        "Trained with the published branch, the detector is better than alone",
        "detectors.ap50.integrated",
        "detectors.ap50.none",
        resolution=RESOLUTION,
        names=("published branch", "alone"),
        source=f"{PAPER}, table 5: 53.0 against 52.5 AP on COCO",
        how=f"AP50; {SCENES}",
        provenance="reconstructed",
    ),
    beats(
        "guided-over-deep",
        "Trained with the published branch, it is better than with deep supervision",
        "detectors.ap50.integrated",
        "detectors.ap50.deep",
        resolution=RESOLUTION,
        names=("published branch", "deep supervision"),
        source=f"{PAPER}, table 5: 53.0 against 52.5 AP on COCO",
        how=f"AP50; {SCENES}",
        provenance="reconstructed",
    ),
)
