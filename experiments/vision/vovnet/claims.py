"""What the paper says, as claims on the records of the studies."""

from experiments.harness.claim import at_most, beats, equals, identity, no_worse, reported, slope
from experiments.harness.study import Record

TRAINED = (
    "CIFAR-10's sample, 2,000 pictures of 16 x 16 pixels to train on and 1,000 to test; networks that "
    "differ in their blocks alone, within 3 % of as many parameters, same pictures in the same order"
)


def _parameters(record: Record) -> float:
    return float(sum(record["counts"]["parameters"].values()))


def _apart(record: Record, route: str) -> float:
    """Multiplications by the walker that another route counts otherwise, over all networks."""
    found = record["counts"]
    return float(sum(abs(n - found[route][name]) for name, n in found["multiplications"].items()))


def _ratio(record: Record, name: str) -> float:
    access = record["counts"]["access"]
    return float(access[name] / access["DenseNet-40"])


CLAIMS = (
    equals(
        "parameters",
        "The backbones of VoVNet-27-slim, 39 and 57 have 3,012,736 + 21,575,296 + 35,615,296 parameters",
        _parameters,
        count=3_012_736 + 21_575_296 + 35_615_296,
        source="table 2 and the public code; counted by hand",
        how="without classifier, batch statistics apart; each by itself in a test",
    ),
    equals(
        "routes",
        "Of these, ResNet-50 and three networks for CIFAR, XLA counts as many multiplications as the walker",
        lambda record: _apart(record, "by_xla"),
        broken=lambda record: _apart(record, "by_xla_without_padding"),
        count=0,
        source="ours: kits.convnets.walker",
        how="multiplications on which both differ, over all networks, at 224 and 32 pixels; XLA's own "
        "analysis of every distinct layer that the walker finds, so that it checks counts and not whether "
        "a layer was missed; the twin leaves padding out, as XLA does by itself",
        provenance="ours",
    ),
    identity(
        "bound",
        "No convolution accesses less than 2 sqrt(hwB) / k + B / (hw), and with equal widths it is that",
        lambda record: max(record["bounds"]["below"], record["bounds"]["apart_at_equal_widths"]),
        broken="bounds.below_without_taps",
        tolerance=1e-9,
        source="equation 2",
        how="drawn sizes, kernels and widths in float64, relative; the twin leaves out the 1 / k, as "
        "accounts of the paper do",
        formula="hw (a + b) + k^2 ab >= 2 sqrt(hwB) / k + B / (hw), B = k^2 hw ab",
    ),
    reported(
        "densenet",
        "DenseNet-40 accesses the published 3.7 million elements on a picture of CIFAR-10",
        lambda record: record["counts"]["access"]["DenseNet-40"] / 1e6,
        figure=3.7,
        within=0.05,
        unit="million",
        source="section 4.1; the margin is the rounding of the published figure",
        how="all convolutions and the classifier",
    ),
    at_most(
        "access",
        "With one-shot aggregation instead, and as many parameters, it accesses at most 0.85 of that",
        lambda record: _ratio(record, "OSA, 12 layers"),
        bound=0.85,
        broken=lambda record: _ratio(record, "DenseNet-40"),
        source="section 4.1: 0.68, at widths and a wiring that the paper leaves open",
        how="blocks of 12 layers of one width, chosen by the number of parameters; DenseNet-40's stem and "
        "widths between blocks",
        provenance="reconstructed",
    ),
    slope(
        "growth",
        "The layers of a dense block read elements with the square of its depth",
        "growth.depths",
        "growth.dense",
        equals=2.0,
        within=0.05,
        source="section 3.1",
        how="counted on blocks of growing depth that read a few channels, as the study says; what is read of "
        "the block's own input grows with the depth, and makes either power smaller the wider it is",
    ),
    slope(
        "linear",
        "Those of one-shot aggregation read elements in proportion to its depth",
        "growth.depths",
        "growth.one_shot",
        equals=1.0,
        within=0.05,
        source="section 3.2",
        how="counted on blocks of growing depth that read a few channels, as the study says; what is read of "
        "the block's own input grows with the depth, and makes either power smaller the wider it is",
    ),
    identity(
        "subfamily",
        "One-shot aggregation is the dense block whose kernels are zero on all but the last output",
        "subfamily.deviation",
        broken="subfamily.connected",
        source="ours: figure 1 b and c of the paper as functions",
        how="float64, drawn weights and statistics; the twin draws the other kernels, too",
        provenance="ours",
    ),
    no_worse(
        "accuracy",
        "At as many parameters one-shot aggregation loses at most 0.02 of test accuracy to dense blocks",
        "pictures.accuracy.one_shot",
        "pictures.accuracy.dense",
        margin=0.02,
        names=("one-shot", "dense"),
        source="section 4.1: it loses 1.2 points",
        how=TRAINED,
    ),
    no_worse(
        "digits",
        "On handwritten digits it loses at most 0.01",
        "digits.accuracy.one_shot",
        "digits.accuracy.dense",
        margin=0.01,
        names=("one-shot", "dense"),
        source="section 4.1, on another set",
        how="2,000 of MNIST's digits to train on and 1,000 to test; else as for accuracy",
    ),
    beats(
        "evenness",
        "Its last aggregation weighs input and layers more evenly than a dense block's",
        "pictures.evenness.one_shot",
        "pictures.evenness.dense",
        names=("one-shot", "dense"),
        source="figure 2",
        how=f"one less Gini's coefficient of the mean weight by source; {TRAINED}",
    ),
    beats(
        "time",
        "A convolution's time on the device at hand ranks with its memory access better than with its "
        "multiplications",
        "times.memory_access",
        "times.multiplications",
        names=("memory access", "multiplications"),
        source="section 3.1, of a GPU",
        how="Spearman's correlation over convolutions of drawn shapes, one picture, each alone: the "
        "machine's answer, not ours",
    ),
)
