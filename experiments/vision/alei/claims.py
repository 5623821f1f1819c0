"""What the paper says, as statements that the records can refute."""

from experiments.harness.claim import at_most, beats, identity
from experiments.harness.study import Record

PAPER = "arXiv:2504.00463"
DRAWN = "drawn detectors of three views and two blocks, in double precision"
PAIRS = (
    "balanced accuracy at one half, averaged over the eight forgeries not trained on; 600 of CIFAR's "
    "pictures, each with an up-convolved fake, to train on, 150 with nine fakes to test with, 16 x 16; "
    "backbone of 2 blocks and width 32 trained on CIFAR's classes"
)
RESOLUTION = 6 / 300
"""Of detectors: a real picture of 150, worth 1 / 300, more under each of five seeds decides nothing; it is
worth as much in halves that pick and judge. Of read-outs, with 300 real pictures, half of it."""
STAGES = "150 steps of 32 for experts, 60 for fusion with experts frozen"


def _lora(record: Record) -> float:
    found = record["algebra"]
    return max(found["lora_start"], found["lora_merged"])


CLAIMS = (
    identity(
        "npr",
        "The difference from neighbouring pixels is 0 on whatever nearest neighbours doubled, on its grid",
        "views.npr",
        broken="views.npr_moved",
        source="Tan et al., arXiv:2312.10461, section 3, a view of the paper's",
        how="random pictures of 8 bits, doubled; the twin moves them by one pixel",
    ),
    identity(
        "lora",
        "Experts change nothing at the start, and merged into the frozen kernel they are what two paths are",
        _lora,
        broken="algebra.lora_without_scale",
        source=f"{PAPER}, section 3, W F + (alpha / r) B A F with B = 0",
        how=f"{DRAWN}: probabilities of each view; the twin merges without alpha / r",
    ),
    identity(
        "gates",
        "With all gates at 0 each view's head says what its own detector says: fusion begins at the experts",
        "algebra.gates",
        broken="algebra.gates_without",
        source=f"{PAPER}, section 3; that gamma and eta begin at 0 is our reading",
        how=f"{DRAWN}; the twin has drawn gates",
        provenance="reconstructed",
    ),
    identity(
        "injector",
        "An injector that attends to one vector adds the same to every token, and what asks gets no gradient",
        "algebra.injector",
        broken="algebra.injector_without",
        source=f"{PAPER}, section 3: keys and values are one vector G; the statement is ours",
        how=f"{DRAWN}: spread over tokens, and gradients of query and key weights over those of values; the "
        "twin has a vector for each low-level view",
        provenance="ours",
    ),
    identity(
        "order",
        "Low-level views in another order, with experts, encoders, heads and router's rows, give the same",
        "algebra.order",
        broken="algebra.order_without",
        source=f"{PAPER}, section 3: gates are shared by views; the statement is ours",
        how=f"{DRAWN}: probability of a picture; the twin changes the order of the views alone",
        provenance="ours",
    ),
    at_most(
        "entropy-sign",
        "Minimised as written, the term that is called balancing sends each picture to one view",
        "selection.written",
        bound=0.05,
        broken="selection.spread",
        source=f"{PAPER}, section 3: the loss adds 0.1 times the entropy of the selection",
        how="mean entropy in nats after 100 steps of rate 1 on the term alone, four views, normal logits; "
        "the twin has the opposite sign",
        bound_from="a twenty-eighth of equal shares' entropy; fixed before measuring",
    ),
    identity(
        "bayar",
        "After every step of Adam with `keep_bayar`, kernels are -1 in the middle and sum to 0",
        "bayar.kept",
        broken="bayar.free",
        source="Bayar and Stamm, IH&MMSec 2016; a view that the paper tried and dropped",
        how="5 x 5 kernels learn to predict blurred noise for 50 steps in double precision; the worst step; "
        "the twin does not project",
    ),
    beats(
        "complementarity",
        "Different low-level views find different forgeries: picking a view for each beats one for all",
        "detectors.picked",
        "detectors.fixed",
        resolution=RESOLUTION,
        names=("one for each", "one for all"),
        source=f"{PAPER}, figure 2: six views on sixteen generators",
        how=f"{PAIRS}. Half of the test pictures pick among RGB, NPR, SRM and median, the other half judge",
        provenance="reconstructed",
    ),
    beats(
        "late-fusion",
        "The whole detector is better than the mean of its experts",
        "detectors.unseen.alei",
        "detectors.unseen.late",
        resolution=RESOLUTION,
        names=("ALEI", "mean of experts"),
        source=f"{PAPER}, ablation",
        how=f"{PAIRS}; {STAGES}",
        provenance="reconstructed",
    ),
    beats(
        "rgb-lora",
        "The whole detector is better than LoRA on the picture alone, the control that the paper lacks",
        "detectors.unseen.alei",
        "detectors.unseen.rgb-lora",
        resolution=RESOLUTION,
        names=("ALEI", "RGB with LoRA"),
        source=f"{PAPER}, C3 and C4 of its claims; the control is ours",
        how=f"{PAIRS}; {STAGES}; the control has 300 steps of its expert",
        provenance="ours",
    ),
    beats(
        "same-view",
        "The whole detector is better than itself with the picture in place of every low-level view",
        "detectors.unseen.alei",
        "detectors.unseen.rgb-fourfold",
        resolution=RESOLUTION,
        names=("four views", "RGB four times"),
        source=f"{PAPER}: low-level information is the advantage; the control is ours",
        how=f"{PAIRS}; {STAGES}; equal parameters, steps and program: only the views differ",
        provenance="ours",
    ),
    beats(
        "real-backbone",
        "On a network trained on ImageNet, picking a view for each forgery beats one for all",
        "pretrained.picked",
        "pretrained.fixed",
        resolution=RESOLUTION / 2,
        names=("one for each", "one for all"),
        source=f"{PAPER}, figure 2, where the backbone is CLIP's",
        how="at standard alone: EfficientNet-Lite0 frozen, averages of five layers, logistic regressions; "
        "300 pairs of 32 x 32 to train on, 300 with nine fakes to test with; picked as in complementarity",
        provenance="reconstructed",
    ),
)
