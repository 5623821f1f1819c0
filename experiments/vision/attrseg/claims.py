"""What the paper says, and what its readers would take for granted, as statements that records can refute."""

from collections.abc import Callable

from experiments.harness.claim import beats, identity
from experiments.harness.study import Record

PAPER = "Ma et al., arXiv:2309.00096"
DRAWN = (
    "a drawn segmenter of two stages in double precision, three classes with up to twenty attributes of "
    "width 16, 16 pixels; largest deviation of a logit over the largest logit"
)
SCENES = (
    "mean intersection over union, with background, of 60 scenes of 2 to 5 figures from four look-alike "
    "classes; a class is a tuple of colour, shape, pattern and border, and 40 % of the tuples are in no "
    "training scene; fifteen phrases a class; a word space trained on regions and phrases, not CLIP"
)
STEPS = "200 steps of 8 scenes on frozen vectors; before them all arms are the mean's cosine"
RESOLUTION = 1 / 180
"""One figure of some 180 in the test scenes."""


def _kept(arm: str) -> Callable[[Record], float]:
    """The share of its mean intersection over union that an arm keeps where a field is wrong."""

    def share(record: Record) -> float:
        found = record["segmenters"]["miou"][arm]
        # An arm that finds nothing keeps nothing.
        return found["wrong_field"] / found["held_out"] if found["held_out"] > 0 else 0.0

    return share


CLAIMS = (
    identity(
        "set",
        "Attributes are a set: in another order they give the same masks",
        "sets.order",
        broken="sets.order_with_places",
        source=f"{PAPER}, section 3: attributes are grouped, their order means nothing; layers are ours",
        how=f"{DRAWN}; the twin adds a code of its place to each attribute",
        provenance="reconstructed",
    ),
    identity(
        "padding",
        "Any number of attributes fits one program: what fills the empty places changes nothing",
        "sets.padding",
        broken="sets.padding_as_present",
        source="ours: classes have different numbers of attributes, compiled programs have one",
        how=f"{DRAWN}; two fillings, of sizes 1 and a million, behind each of 1 to 20 attributes; the twin "
        "takes the filling for attributes",
        provenance="ours",
    ),
    identity(
        "repetition",
        "To repeat every attribute equally often changes nothing, since clusters are means",
        "sets.repeated",
        broken="sets.one_repeated",
        source="ours: what tells clusters that are means from clusters that are sums",
        how=f"{DRAWN}; five attributes four times each; the twin repeats one of them alone",
        provenance="ours",
    ),
    identity(
        "shares",
        "Each attribute shares itself out wholly, clusters are convex means, one cluster is the plain mean",
        "sets.shares",
        broken="sets.shares_over_attributes",
        source=f"{PAPER}, section 3, clustering; that shares are a softmax over clusters is our reading",
        how="largest deviation of the sums of shares from 1, of the first means from convex ones, of the "
        "last from the plain one; the twin shares the clusters out over the attributes",
        provenance="reconstructed",
    ),
    identity(
        "class-independence",
        "The mask of a class does not depend on which others are asked for",
        "sets.others",
        broken="sets.others_shared",
        source=f"{PAPER}: an open vocabulary; the statement is ours",
        how=f"{DRAWN}, of the first class where the others get other attributes; the twin is the cheaper "
        "variant, whose pixels attend to the attributes of all classes",
        provenance="ours",
    ),
    identity(
        "pixel-order",
        "Behind the pixel encoder pixels are a set: in another order they have the same logits",
        "sets.pixels",
        broken="sets.pixels_with_places",
        source="ours: any encoder may come before, whatever the size of its pictures",
        how=f"{DRAWN}; the twin adds a code of its place to each pixel",
        provenance="ours",
    ),
    beats(
        "held-out",
        "Classes never seen are segmented better by aggregation with the image than by the mean of their "
        "attributes, with as many parameters",
        "segmenters.miou.two_stages.held_out",
        "segmenters.miou.mean.held_out",
        resolution=RESOLUTION,
        names=("two stages", "mean of attributes"),
        source=f"{PAPER}, ablations of the aggregation; figures are not comparable",
        how=f"{SCENES}; {STEPS}; the mean goes through perceptrons, as the pixels do, that are as much wider",
        provenance="reconstructed",
    ),
    beats(
        "hierarchy",
        "Two stages, from fifteen attributes to four tokens to one, are better than one stage of as many "
        "parameters",
        "segmenters.miou.two_stages.held_out",
        "segmenters.miou.one_stage.held_out",
        resolution=RESOLUTION,
        names=("two stages", "one stage"),
        source=f"{PAPER}, ablation of the hierarchy",
        how=f"{SCENES}; {STEPS}; perceptrons of one stage are as much wider",
        provenance="reconstructed",
    ),
    beats(
        "corruption",
        "Where a field of each class is wrong, aggregation keeps a larger share than the mean of attributes",
        _kept("two_stages"),
        _kept("mean"),
        resolution=0.02,
        names=("two stages", "mean of attributes"),
        source="ours: what aggregation with the image could be good for",
        how=f"{SCENES}; {STEPS}; all phrases of one field, drawn for each class, are those of another word",
        provenance="ours",
    ),
)
