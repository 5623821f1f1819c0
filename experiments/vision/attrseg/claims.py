"""What the paper says, and what its readers would take for granted, as statements that records can refute."""

from collections.abc import Callable

from experiments.harness.claim import beats, identity, no_worse
from experiments.harness.study import Record

PAPER = "Ma et al., arXiv:2309.00096"
DRAWN = (
    "a drawn segmenter of two stages in double precision, three classes with up to twenty attributes of "
    "width 16, 16 pixels; largest deviation of a logit over the largest logit"
)
SCENES = (
    "mean intersection over union of the classes, of which background is none (as in PASCAL-5i), in "
    "scenes (at quick 60) of 2 to 5 figures from four look-alike classes; background is where no logit is "
    "above 0; a class is a tuple of colour, shape, pattern and border, and 40 % of the tuples are in no "
    "training scene; fifteen phrases a class; a word space trained on regions and phrases, not CLIP"
)
STEPS = (
    "at quick 200 steps of 8 scenes, the same for all arms, on frozen vectors; before them all arms are the "
    "mean's cosine"
)
LEAK = 0.05
"""What held-out names may tell, in mean intersection over union, before the test of `held-out` is void."""
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
    no_worse(
        "names",
        "Names that nobody taught tell nothing: held-out classes are found no better by their own names than "
        "by those of other classes",
        "segmenters.miou.name.another",
        "segmenters.miou.name.held_out",
        margin=LEAK,
        resolution=RESOLUTION,
        names=("names of others", "own names"),
        source=f"ours: what makes `held-out` a test; {PAPER} for names that are new",
        how=f"{SCENES}; {STEPS}; the mean's model with the name alone; in each scene every class is then "
        "told by the name of the next one; if this fails, `held-out` is void",
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
        how=f"{SCENES}; {STEPS}; the mean goes through perceptrons, as the pixels do, that are as much "
        "wider; void where `names` fails",
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
        how=f"{SCENES}; {STEPS}; all phrases of one field, drawn for each class, are those of another word, "
        "such that no class is told as another one of the scene",
        provenance="ours",
    ),
)
