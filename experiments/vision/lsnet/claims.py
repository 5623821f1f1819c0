"""What the paper says, as claims: counts, the layer's cost and reach, accuracies of small networks."""

from collections.abc import Mapping

from experiments.harness.claim import beats, equals, equivalent, identity, no_worse
from experiments.harness.study import Record

PAPER = "Wang et al., arXiv:2503.23135"
PARAMETERS = {"T": 11_409_832, "S": 16_146_304, "B": 23_313_608}
MULTIPLICATIONS = {"T": 315_824_768, "S": 537_972_800, "B": 1_244_745_216}
PUBLISHED_MILLIONS = {"T": 11.4, "S": 16.1, "B": 23.2}
PUBLISHED_BILLIONS = {"T": 0.3, "S": 0.5, "B": 1.3}
GLYPHS = (
    "generated pictures of 12 x 12 under noise: the class of a glyph in the middle flips with one of the "
    "pixels three away; 3,000 to train on, 1,000 to test with, one block, 16 channels, 250 steps"
)


def _integers(record: Record, parameters: str = "parameters") -> int:
    """How many of nine counts are what they should be."""
    rows = record["counts"]
    met = sum(rows[name][parameters] == count for name, count in PARAMETERS.items())
    for route in ("multiplications", "multiplications_by_xla"):
        met += sum(rows[name][route] == count for name, count in MULTIPLICATIONS.items())
    return met


def _rounded(record: Record, of: str, unit: float, published: Mapping[str, float]) -> int:
    """For how many networks the published figure is the count, rounded."""
    rows = record["counts"]
    return sum(round(rows[name][of] / unit, 1) == figure for name, figure in published.items())


CLAIMS = (
    equals(
        "integers",
        "LSNet-T, S and B have 11,409,832, 16,146,304 and 23,313,608 parameters and take 315,824,768, "
        "537,972,800 and 1,244,745,216 multiplications at 224 x 224, by the walker and by XLA's account",
        _integers,
        count=9,
        broken=lambda record: _integers(record, "fused_parameters"),
        source=f"{PAPER}, section 3.3, and the public code's wiring; the integers are a count by hand",
        how="nine numbers: parameters, and multiplications by two routes, of three networks",
        provenance="public code",
    ),
    equals(
        "published-parameters",
        "Fused for inference, the three networks have the published 11.4, 16.1 and 23.2 million parameters",
        lambda record: _rounded(record, "fused_parameters", 1e6, PUBLISHED_MILLIONS),
        count=3,
        broken=lambda record: _rounded(record, "parameters", 1e6, PUBLISHED_MILLIONS),
        source=f"{PAPER}, table 1",
        how="of three figures, how many are our count rounded to a tenth; unfused, B has 23.3 million",
    ),
    equals(
        "published-multiplications",
        "The three networks take the published 0.3, 0.5 and 1.3 billion multiplications",
        lambda record: _rounded(record, "multiplications", 1e9, PUBLISHED_BILLIONS),
        count=3,
        source=f"{PAPER}, table 1",
        how="of three figures, how many are our count rounded to a tenth; with two operations more for each "
        "element that a batch normalisation makes, as some counters have it, all three are",
    ),
    equals(
        "cost",
        "An LS convolution takes h w c / 4 (3 c + 2 K_L^2 + (2 G + 4) K_S^2) multiplications",
        lambda record: max(record["cost"]["walker"], record["cost"]["xla"]),
        count=0,
        broken="cost.without_aggregation",
        source=f"{PAPER}, section 3.2",
        how="for how many random shapes, channels and windows, 17 a seed, the walker or XLA counts otherwise;"
        " the twin leaves the aggregation out",
    ),
    identity(
        "reach",
        "An LS convolution depends on pixels up to three away and on no other, if its weights are "
        "normalised position by position; GroupNorm, as published, makes it depend on the whole picture",
        "reach.share",
        broken="reach.share_normed",
        source=f"{PAPER}, section 3.2, on perception in 7 x 7; GroupNorm from the public code",
        how="share of farther pixels in the squared derivative of the middle's outputs, drawn layers in "
        "float64; the twin is the published normalisation",
        provenance="public code",
    ),
    beats(
        "context",
        "Where context decides, LS convolutions are better than the same windows with static weights",
        "context.ls",
        "context.static",
        names=("LS", "large and small, static"),
        source=f"{PAPER}, table 6: 71.6 against 70.1 % without small-kernel aggregation",
        how=f"{GLYPHS}; multiplications of the mixers within 5 %",
        provenance="reconstructed",
    ),
    beats(
        "large-window",
        "There, a window of 7 x 7 to look at is better than one of 3 x 3",
        "context.ls",
        "context.ls_narrow",
        names=("7 x 7", "3 x 3"),
        source=f"{PAPER}, table 6: 71.6 against 70.9 %",
        how=GLYPHS,
        provenance="reconstructed",
    ),
    equivalent(
        "digits",
        "Where no context is needed, on MNIST's digits, LS and static windows are within a point",
        "digits.ls",
        "digits.static",
        within=0.01,
        names=("LS", "large and small, static"),
        source="ours: a larger difference would be capacity and not the mechanism",
        how="MNIST's sample at 12 x 12, 3,000 to train on and 1,000 to test with; the networks of `context`",
        provenance="ours",
    ),
    no_worse(
        "sharing",
        "Eight channels that share their weights lose at most a point to weights for each channel",
        "context.ls",
        "context.unshared",
        margin=0.01,
        names=("shared by 8", "one each"),
        source=f"{PAPER}, table 7: 71.6 against 71.7 %",
        how=GLYPHS,
        provenance="reconstructed",
    ),
)
