"""What the paper and this port say, and the measurement that can refute it."""

from experiments.harness import plots
from experiments.harness.claim import Claim, at_most, beats, equals, identity
from experiments.harness.study import Record

PAPER = "Liu, Li, Hu, Luo, Luo and Chen, IEEE TNNLS 2024, arXiv:2111.11057"
CODE = f"{PAPER}, and its public code"
SIMILAR = 1.25
"""Times the multiplications of a detector that another one of similar cost may have."""
RESOLUTION = 1e-3
HOW = (
    "AP50 of masks, small detectors whose parameters are alike up to a channel's width, same scenes, same "
    "hard suppression, batch normalisation in all; paired 95 % t interval"
)


def _helps(name: str, what: str) -> Claim:
    return beats(
        name,
        f"{what} adds mask AP to a detector with a classical pyramid that has as many parameters",
        f"modules.ap50.{name}.mask_hard",
        "modules.ap50.fpn.mask_hard",
        resolution=RESOLUTION,
        source=f"{PAPER}: each module helps; generated scenes, as far as small networks can tell",
        how=HOW,
        provenance="reconstructed",
        names=(name, "fpn"),
        plot=plots.arms("mask AP50"),
    )


def _couplings(record: Record) -> float:
    """Of the dense pyramid, if the others have theirs; -1 otherwise."""
    found = record["fusion"]["couplings"]
    return float(found["dense"]) if (found["fpn"], found["pafpn"]) == (15, 25) else -1.0


def _similar(name: str, form: str, words: str) -> Claim:
    return at_most(
        name,
        f"A whole {words} multiplies at most {SIMILAR:g} times as often with the modules as without",
        f"costs.ratios.{form}.whole_multiplications",
        bound=SIMILAR,
        broken=f"costs.ratios.{form}.neck_multiplications",
        source=f"{PAPER}: gains under similar computational costs",
        how="from shapes, ResNet-50, 800 x 800 pixels, 20 classes; with regions, 1,000 boxes and 100 masks; "
        "RoIAlign itself left out; the twin: necks alone",
        bound_from="what may still be called similar; fixed before counting",
        provenance="reconstructed",
    )


CLAIMS: tuple[Claim, ...] = (
    identity(
        "start",
        "Spatial context begins as the identity, and its first gradient reaches W_m and nothing else",
        "context.start",
        tolerance=0.0,
        broken="context.begun",
        source=CODE,
        how="largest change and largest gradient of the other parameters, float64; the twin: a drawn W_m",
        provenance="public code",
    ),
    identity(
        "rank-one",
        "What spatial context adds to a picture is one vector times a number for each place, whatever was "
        "learned: it cannot send one context here and another there",
        "context.second",
        broken="context.two_in_a_row",
        source=f"derived from {CODE}",
        how="second singular value of places by channels over the first, float64; the twin: two in a row",
        provenance="ours",
    ),
    identity(
        "softmax",
        "A node of the dense pyramid does not change when all of its logits are shifted alike, and equal "
        "ones make the mean of all coarser levels",
        "fusion.shifted",
        broken="fusion.one_shifted",
        source=CODE,
        how="largest relative change of what the five levels are given, float64; the twin: one logit shifted",
        provenance="public code",
    ),
    equals(
        "couplings",
        "After one stage of the dense pyramid each of five levels hears all five, 25 couplings; a classical "
        "pyramid has 15, and one with a way back up has 25 as well",
        _couplings,
        count=25,
        broken="fusion.couplings.fpn",
        source=f"derived from {CODE}",
        how="pairs of levels with a derivative that is not 0, float64; the twin: the classical pyramid's 15",
        provenance="ours",
    ),
    identity(
        "corners",
        "Hierarchical regions are the sum of all levels with open gates, a single level with the others' "
        "gates shut, and half the sum without weights, in either order",
        "regions.corners",
        broken="regions.gates_left_half_open",
        source=CODE,
        how="largest relative deviation, biases of 30 and -30, float64; the twin: gates left half open",
        provenance="public code",
    ),
    identity(
        "ramp",
        "RoIAlign of a linear ramp is the ramp at the middles of the bins",
        "regions.ramp",
        broken="regions.unshifted",
        source="He et al., arXiv:1703.06870: bilinear samples, no coordinate rounded",
        how="largest relative deviation over drawn boxes, float64; the twin: half a feature off, as in the "
        "form that was not aligned",
        provenance="paper",
    ),
    equals(
        "neck",
        "The published dense pyramid, five stages, has 12,222,482 weights beside normalisation, 3.7 times a "
        "classical one's 3,344,384",
        "costs.dense_neck",
        count=12_222_482,
        broken="costs.dense_neck_normalised",
        source=f"derived from {CODE}",
        how="from shapes; the twin: normalisation counted too",
        provenance="public code",
    ),
    _similar("two-stage-cost", "two-stage", "Mask R-CNN"),
    _similar("one-stage-cost", "one-stage", "RetinaNet"),
    _helps("dense", "The dense pyramid"),
    _helps("context", "Spatial context"),
    _helps("regions", "Hierarchical regions, masks top-down,"),
)
