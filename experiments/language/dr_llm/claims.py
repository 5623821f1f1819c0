"""What the paper says of searched paths and routed blocks, as claims on the records of the studies."""

from collections.abc import Callable

from experiments.harness import statistics
from experiments.harness.claim import Claim, at_least, beats, equals
from experiments.harness.selectors import Of
from experiments.harness.study import Record, Records
from ntkexec.check import Measurement
from ntkexec.errors import ExperimentError

DECODER = (
    "a decoder of 6 blocks and width 32 trained for 450 steps on compositions modulo 3, lists to copy, "
    "pairs to compare and sums"
)
SEARCHED = (
    f"{DECODER}; 160 examples a seed, all 729 paths of 0, 1 or 2 runs a block evaluated; up to 100 "
    "different paths for each search, c = 1.8, lambda = 3 as published"
)
ROUTED = (
    f"{DECODER}; routers taught by tree searches on 160 examples that end as published (a wrong answer "
    "turned right, or a right one with two blocks less, or 50 evaluations), tested on 160 others; rivals run "
    "as many blocks on average"
)
REAL = (
    "SmolLM2-135M-Instruct, the likeliest choice of ARC-Easy and ARC-Challenge questions of at most 64 "
    "tokens; labels by tree search that ends as published, or after 16 evaluations, on 128 training "
    "questions of ARC-Easy, the same for all seeds; a seed draws 48 test questions of each set, none "
    "with the text of a training question of ARC-Easy, and trains the routers"
)
TINY_STEP, REAL_STEP = 1 / 160, 1 / 96
"""What one question more, or one block at one question, is worth in one seed."""
SIGN = "the sign of the mean difference over paired seeds"


def _branched(which: str) -> Of:
    return lambda record: record["plain"]["search"][which]["branched"]


def _saved(record: Record) -> float:
    found: float = 30 - record["real"]["arc"]["layers"]
    return found


def _targets(which: str) -> Callable[[Records], Measurement]:
    """How much more often a target is met than the decoy of the same questions: all seeds have the same."""

    def measure(records: Records) -> Measurement:
        found, *others = [record["real"]["search"]["targets"] for record in records]
        if any(other != found for other in others):
            raise ExperimentError("real-labels: seeds differ in labels, which are the same for all")
        met, decoyed = found[which], found["decoy"]
        difference = statistics.difference(met, decoyed, resolution=1.0)
        return difference.measurement(
            paired=True, questions=len(met), met=sum(met), decoyed=sum(decoyed)
        )

    return measure


CLAIMS: tuple[Claim, ...] = (
    equals(
        "chain",
        "The released search never has a node with two children: its tree is a chain",
        _branched("released"),
        count=0,
        broken=_branched("tree"),
        source="parameterlab/dr-llm, data_generation.py: only leaves are expanded, and only they are "
        "selected",
        how=f"{SEARCHED}; the twin is the tree search here, whose nodes can be expanded again",
        provenance="public code",
    ),
    at_least(
        "finds",
        "At 100 evaluations the tree search finds a path as short as the shortest right one for at least "
        "80 % of examples that have one",
        "plain.search.tree.shortest",
        bound=0.8,
        broken="plain.search.released.shortest",
        source="section 3.2: Monte Carlo tree search of layer configurations",
        how=f"{SEARCHED}; the twin is the released search, whose chain ends by itself after about 10 "
        "evaluations (search.released.evaluations of the record), so its shares are not those of as many",
        provenance="ours",
        resolution=TINY_STEP,
        bound_from="fixed before measuring",
    ),
    beats(
        "guided",
        "The tree search finds it more often than random edits do",
        "plain.search.tree.shortest",
        "plain.search.uniform.shortest",
        resolution=TINY_STEP,
        names=("tree search", "random edits"),
        source="section 3.2; the baseline is ours",
        how=f"{SEARCHED}; these two take all 100",
        bound_from=SIGN,
        provenance="ours",
    ),
    beats(
        "gain",
        "Routed tiny decoders are right more often than with all blocks",
        "plain.same.focal",
        "plain.same.full",
        resolution=TINY_STEP,
        names=("routed", "all blocks"),
        source="abstract: accuracy up to 3.4 points higher with fewer layers; other data and models",
        how=ROUTED,
        bound_from=SIGN,
    ),
    beats(
        "random",
        "Routing is right more often than as many blocks at random",
        "plain.same.focal",
        "plain.same.random",
        resolution=TINY_STEP,
        names=("routed", "random blocks"),
        source="section 4, routing compared with other ways to skip",
        how=ROUTED,
        bound_from=SIGN,
    ),
    beats(
        "fixed",
        "Routing is right more often than the one path of that length that is best on the labelled examples",
        "plain.same.focal",
        "plain.same.fixed",
        resolution=TINY_STEP,
        names=("routed", "one path for all"),
        source="section 4; the baseline is ours: what an exhaustive search of one path for all gives",
        how=ROUTED,
        bound_from=SIGN,
        provenance="ours",
    ),
    beats(
        "exit",
        "Routing is right more often than leaving early where the answer is sure",
        "plain.same.focal",
        "plain.same.exit",
        resolution=TINY_STEP,
        names=("routed", "early exit"),
        source="section 4, table of LayerSkip and others",
        how=f"{ROUTED}; exits by the largest probability, without training for it",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "focal",
        "Routers taught by the focal loss with class weights are right more often than by cross-entropy",
        "plain.same.focal",
        "plain.same.plain",
        resolution=TINY_STEP,
        names=("focal loss", "cross-entropy"),
        source="section 3.3: focal loss with class-balanced weights against the imbalance of labels; set up "
        "after a pilot",
        how=f"{ROUTED}; weights by beta 0.999 from these labels' counts; each runs what it decides",
        bound_from=SIGN,
    ),
    beats(
        "redundant",
        "Where blocks were dropped in training, routers taught by cross-entropy are right more often than "
        "all blocks",
        "dropped.same.plain",
        "dropped.same.full",
        resolution=TINY_STEP,
        names=("routed", "all blocks"),
        source="abstract, as gain, for a decoder that has something to skip; set up after a pilot",
        how=f"{ROUTED}; the decoder's blocks are skipped with probability 0.1 in training",
        bound_from=SIGN,
        provenance="ours",
    ),
    Claim(
        "real-labels",
        "On real blocks a search turns wrong answers into the right one more often than into another wrong "
        "one, chosen beforehand, of the same questions",
        source="ours: what labels are worth, if a path to any answer can be found",
        how=f"{REAL}; difference of the shares of the first 32 wrongly answered questions for which either "
        "search finds a path; Student's 95 % interval over these questions, paired",
        bound=0.0,
        bound_from="the sign of the mean difference over paired questions; the statistic was chosen after "
        "the same labels had been judged by one over unpaired questions",
        measure=_targets("right"),
        broken=_targets("decoy"),
        relation="at least",
        provenance="ours",
    ),
    beats(
        "real-gain",
        "The routed real decoder is right more often than with all blocks",
        "real.arc.routed",
        "real.arc.full",
        resolution=REAL_STEP,
        names=("routed", "all blocks"),
        source="abstract: accuracy up to 3.4 points higher; other models, and answers written not chosen",
        how=REAL,
        bound_from=SIGN,
    ),
    at_least(
        "real-saves",
        "Routing saves at least one of the real decoder's 30 blocks",
        _saved,
        bound=1.0,
        broken=lambda record: 0 * _saved(record),
        resolution=REAL_STEP,
        source="abstract: about five layers saved; other models",
        how=REAL,
        bound_from="fixed before measuring",
    ),
)
