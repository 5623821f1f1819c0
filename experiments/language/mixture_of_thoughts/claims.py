"""What the paper says of its mixture as claims on the studies' records, and what its gain is made of."""

from collections.abc import Callable

from experiments.harness import plots, statistics
from experiments.harness.claim import Claim, beats, identity
from experiments.harness.selectors import values_of
from experiments.harness.study import Record, Records
from ntkexec.check import Measurement

SECTION = "section 3 of arXiv:2509.21164"
EXACT = "three random experts of unequal shapes, two active, one interaction layer, float64"
TEXTS = (
    "three frozen decoders of two shapes, each trained on one kind of problem (sums modulo 8, comparisons, "
    "one operation modulo 3), also beside problems of other kinds; texts hold one problem or two of "
    "different kinds, half of the tests two; a text is right if all of its answers are"
)
SIGN = "the sign of the mean difference over paired seeds"
ALONE = "a router trained on what each lone expert loses on a text"
STAGED = (
    "the router is trained on lone experts' losses first and then kept, and the interaction layers on the "
    "language loss alone, without noise"
)
RESOLUTION = 4 / 500
"""On one set of 500 texts: a text more under each of three seeds decides nothing. On two sets, half of it."""
GAINED, LOST = "gained with own peers", "lost with foreign peers"


def gained(record: Record) -> float:
    """What a staged mixture gains on texts of two problems over its router's expert alone."""
    found = record["trained"]
    return float(found["staged"]["pair"] - found["router_only"]["pair"])


def lost(record: Record) -> float:
    """What it loses of that when its peers have read another text."""
    found = record["trained"]
    return float(found["staged"]["pair"] - found["staged_foreign"]["pair"])


def of_peers(loss: Callable[[Record], float]) -> Callable[[Records], Measurement]:
    """Two conditions at once: there is a gain, and of it three quarters are lost.

    The lower of both means with the lower of both ends: the interval is above 0 exactly if both are, and
    below exactly if one is.

    Args:
        loss: of a record, with foreign peers.
    """

    def measure(records: Records) -> Measurement:
        gains = statistics.mean(values_of(records, gained), resolution=RESOLUTION)
        losses, quarters = values_of(records, loss), [0.75 * x for x in values_of(records, gained)]
        beyond = statistics.difference(losses, quarters, resolution=RESOLUTION)
        arms = statistics.arms(
            {GAINED: values_of(records, gained), LOST: losses}, resolution=RESOLUTION
        )
        both = (gains, beyond)
        interval = (min(one.low for one in both), min(one.high for one in both))
        return Measurement(min(one.value for one in both), interval, details={"arms": arms})

    return measure


CLAIMS = (
    identity(
        "start",
        "A fresh mixture is its primary expert alone, whoever takes part",
        "exact.start",
        broken="exact.changed",
        source=f"{SECTION}: experts stay as they are; that layers begin with zero is reconstructed",
        how=f"logits beside the lone decoder's, relative; {EXACT}; the twin's layers lead back at random",
        provenance="reconstructed",
        formula="R = 0",
    ),
    identity(
        "causal",
        "No logit depends on later tokens of any expert, on padding, on inactive experts or on other texts",
        "exact.leak",
        broken="exact.leak_padding_only",
        source="ours: kits/transformer/latent.py; the twin is the mask of a third party's re-implementation",
        how="largest change of a logit by a token that it must not see, beside the largest by one it may; "
        f"{EXACT}; the twin hides padding alone",
        provenance="ours",
    ),
    identity(
        "frozen",
        "No gradient reaches an expert",
        "exact.experts",
        broken="exact.layers",
        source=f"{SECTION}: router and interaction layers alone are trained",
        how=f"largest gradient of the language loss by experts; {EXACT}; the twin is that by the layers",
    ),
    identity(
        "gate",
        "Without its probabilities in the forward pass the language loss tells a router nothing",
        "exact.router_without_gate",
        broken="exact.router",
        source="ours: hard choices have no gradient; both ways in are reconstructed (interaction.py)",
        how=f"largest gradient of that loss by the router's parameters; {EXACT}; the twin has the gate",
        provenance="ours",
    ),
    beats(
        "best-expert",
        "The mixture beats its best expert",
        "trained.mixture.seen",
        "trained.best.seen",
        resolution=RESOLUTION / 2,
        names=("mixture", "best expert"),
        source="abstract: better than single experts",
        how=TEXTS,
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "averaging",
        "The mixture beats the average of all experts' outputs",
        "trained.mixture.seen",
        "trained.average.seen",
        resolution=RESOLUTION / 2,
        names=("mixture", "average"),
        source="abstract: aggregates what experts think, not just what they say",
        how=f"{TEXTS}; averaged are logarithms of probabilities, token by token",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "router-only",
        "The mixture beats a router that picks one expert",
        "trained.mixture.seen",
        "trained.router_only.seen",
        resolution=RESOLUTION / 2,
        names=("mixture", "router only"),
        source="abstract: better than routing baselines",
        how=f"{TEXTS}; the rival is {ALONE}",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "unseen",
        "It does so on pairs of kinds that it was not trained on together",
        "trained.mixture.unseen",
        "trained.router_only.unseen",
        resolution=RESOLUTION,
        names=("mixture", "router only"),
        source="abstract: a larger gain out of distribution",
        how=f"{TEXTS}; sums beside operations, each kind seen alone and beside comparisons",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "auxiliary",
        "Entropy, balance and consistency make the mixture better",
        "trained.mixture.seen",
        "trained.plain.seen",
        resolution=RESOLUTION / 2,
        names=("all terms", "language loss alone"),
        source="a public review quotes a loss of several points without them",
        how=f"{TEXTS}; weights 0.01, 0.01, 0.05 and 0",
        bound_from=SIGN,
        provenance="reconstructed",
    ),
    beats(
        "staged",
        "With a router that is trained first the mixture beats that router alone",
        "trained.staged.seen",
        "trained.router_only.seen",
        resolution=RESOLUTION / 2,
        names=("staged mixture", "router only"),
        source="ours: a router that chooses well without having to learn it through the gate",
        how=f"{TEXTS}; {STAGED}",
        bound_from=SIGN,
        provenance="ours",
    ),
    beats(
        "adapters",
        "Two active experts are better than one with as many steps of the same layers",
        "trained.staged.seen",
        "trained.staged_alone.seen",
        resolution=RESOLUTION / 2,
        names=("two active", "one active"),
        source="ours: with one expert an interaction layer is an adapter of its own states",
        how=f"{TEXTS}; {STAGED}",
        bound_from=SIGN,
        provenance="ours",
    ),
    Claim(
        name="peers",
        claim="It gains on two problems, and at least three quarters of that are lost when peers have read "
        "another text",
        bound=0.0,
        relation="at least",
        measure=of_peers(lost),
        broken=of_peers(lambda record: 0.0),
        source="ours: kits/transformer/peers.py; latent collaboration is what the paper is named after",
        how=f"{TEXTS}; the lower of the gain over the router alone and of what is lost beyond three quarters "
        f"of it, each with its interval; {STAGED}; the twin's peers make no difference",
        bound_from="both are signs; a quarter of the gain may be the adapters', fixed before measuring",
        provenance="ours",
        plot=plots.arms("share of texts"),
    ),
)
