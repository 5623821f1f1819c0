"""What the paper says of experts grown from a dense network, and the measurement that can refute it."""

from collections.abc import Callable

from experiments.harness.claim import Claim, beats, identity
from experiments.harness.selectors import value_of
from experiments.harness.study import Record

PAPER = "Lu et al., ICCV 2025, arXiv:2507.17436"
ROUTER = "largest relative deviation in float64"
TOY = (
    "generated scenes of figures told by colour, shape and pattern; classes of training under Zipf's law, "
    "tested on all alike; one dense detector, then as many steps for each arm of the same layers, losses and "
    "batches"
)
HELD_OUT = (
    f"{TOY}; average precision at an overlap of a half on combinations held out, in percent, paired"
)
RESOLUTION = 0.8
"""Percent of average precision: one of some twenty objects of one of six held-out classes."""


def _less(of: str) -> Callable[[Record], float]:
    return lambda record: -value_of(record, of)


CLAIMS: tuple[Claim, ...] = (
    identity(
        "slices",
        "Cut into any slices of hidden units, a network is their sum, with ReLU, GELU or a gate",
        "algebra.slices",
        broken="algebra.slices_whole_bias",
        source=f"{PAPER}, decomposition of granularity",
        how=f"{ROUTER}, for 2 and 8 slices in random order; the twin: the output's bias whole in each",
        formula="F(x) = \\sum_j W_2[:,S_j] \\sigma(W_1[S_j] x + b_1[S_j]) + b_2/k",
    ),
    identity(
        "kept",
        "An upcycled detector finds what the dense one does: by unit and k-softmax gates as they are, and by "
        "every other gate once it is anchored",
        "kept.kept",
        broken="kept.lost",
        tolerance=1e-10,
        source=f"{PAPER}, initialisation of the router; which gates was reconstructed",
        how=f"{ROUTER} of all scores and boxes of a random detector with five gates; the twin: softmax over "
        "the chosen, over all, and the logistic gate as they are, the least deviation of the three",
        provenance="reconstructed",
    ),
    identity(
        "ties",
        "With tied rows the experts of a token are always one whole copy, whatever the batch",
        "ties.mixed",
        broken="ties.mixed_by_noise",
        tolerance=0.0,
        source=f"{PAPER}, initialisation of the router",
        how="share of tokens in float32, in a batch and by vmap; the twin: noise on each logit, a tenth of "
        "the logits' deviation",
    ),
    identity(
        "gradients",
        "At the start the copies of a slice together get the gradient of the dense slice",
        "algebra.gradients_tied",
        broken="algebra.gradients_untied",
        source="ours: each token meets one whole copy, by gates of 1",
        how=f"{ROUTER}; the twin: a router with a row of its own for each expert",
        provenance="ours",
    ),
    identity(
        "relabelling",
        "Experts can be renamed with their rows of the router: outputs and balance stay",
        "algebra.relabelled",
        broken="algebra.relabelled_without_router",
        source="ours: a mixture is a set",
        how=f"{ROUTER}; the twin: the router's rows stay where they were",
        provenance="ours",
    ),
    identity(
        "balance",
        "The balance loss is 1 if all are used alike, N k if one expert gets all, and N if one copy does",
        "algebra.balance",
        broken="algebra.balance_summing",
        source=f"{PAPER}, load balancing, in the normalisation of its notes",
        how=f"{ROUTER} from the three closed forms; the twin: shares of tokens, which sum to k, not of slots",
        provenance="reconstructed",
    ),
    identity(
        "counts",
        "A token takes 2 d m + N k d multiplications whatever k, and a layer holds N (2 d m + m) + 2 N k d "
        "numbers",
        "counts.off",
        broken="counts.off_all_on",
        tolerance=0.0,
        source=f"{PAPER}, equal active computation; N k d are the router's, and as many biases of outputs",
        how="counted from a trace of the sparse form at d = 256 and m = 2048 for six N and k, "
        "multiplications without biases; the twin: all experts computed",
        provenance="reconstructed",
    ),
    beats(
        "start",
        "Before tuning, tied routers lose less than those with a row of their own for each expert",
        _less("tuned.start.tied"),
        _less("tuned.start.untied"),
        names=("tied", "untied"),
        source=f"{PAPER}, ablation of the initialisation",
        how="the loss of the trained dense detector on new scenes, drawn as those of training, upcycled in "
        "both ways, the second with four routers; paired over seeds",
    ),
    beats(
        "widened",
        "Tuned experts beat a dense network as wide as all of them, which costs N times as much",
        "tuned.tuned.tied.held_out",
        "tuned.tuned.widened.held_out",
        names=("experts", "widened"),
        resolution=RESOLUTION,
        source="ours: how much of a gain is parameters alone",
        how=HELD_OUT,
        provenance="ours",
    ),
    beats(
        "dense",
        "Tuned experts beat the dense layers tuned as long",
        "tuned.tuned.tied.held_out",
        "tuned.tuned.dense.held_out",
        names=("experts", "dense"),
        resolution=RESOLUTION,
        source=f"{PAPER}, against its dense base model; there 43.7 against 42.6 AP on COCO",
        how=HELD_OUT,
    ),
    beats(
        "separates",
        "Routing breaks the symmetry, not noise: of the squared way that copies go, more is their own than "
        "of copies that are given pictures at random",
        "tuned.apart",
        "tuned.apart_at_random",
        names=("routed", "at random"),
        source="ours: else a mixture is one dense layer at the price of many",
        how="mean over the decoder's layers (`symmetry`): 0 is moving alike, 1 at right angles; the rival is "
        "the same mixture tuned by the same batches, of which each picture goes to one whole copy, in turn",
        provenance="ours",
    ),
    beats(
        "partners",
        "After tuning an expert has fewer partners in the deepest layer than in the first",
        "tuned.shallow",
        "tuned.deep",
        names=("first layer", "last layer"),
        source=f"{PAPER}, analysis of expert combinations",
        how="exp of the entropy of an expert's partners on test scenes, over that of the same choices paired "
        "by chance",
    ),
)
