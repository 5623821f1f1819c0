"""What the paper says, as claims on the records of the studies; costs and gains against rivals."""

from collections.abc import Callable
from typing import Unpack

from experiments.harness.claim import Claim, Words, at_least, beats, equivalent, identity, reported
from experiments.harness.study import Record

PLANTED = (
    "Recall@20 on 400 users and 500 items in 8 planted communities, weights and negatives of the public "
    "code's kind, the epoch picked on a held-out tenth"
)
LASTFM = (
    "Recall@20 on LastFM's own split, negatives in the mean, the epoch picked on a held-out tenth of what "
    "is trained on"
)
LARGE = (
    "released loss and weights, negatives in the mean instead of drawn, Adam at 0.01 on 1,024 users a "
    "step, the epoch picked on a held-out fiftieth; the public log picks it on the test part"
)


def _named(name: str, claim: str, *parts: str, **words: Unpack[Words]) -> Claim:
    """The largest deviation of these parts; the twin is the smallest that lacks a premise."""

    def of(kind: str, pick: Callable[[list[float]], float]) -> Callable[[Record], float]:
        return lambda record: pick([record["algebra"][kind][part] for part in parts])

    return identity(name, claim, of("kept", max), broken=of("broken", min), **words)


CLAIMS: tuple[Claim, ...] = (
    _named(
        "fixed-points",
        "Where a layer of LightGCN with self-loops changes nothing, every embedding is the sum of its "
        "neighbours weighted by beta; omega says the same of items that occur together",
        "layers", "items",
        source="sections 3.1 and 3.2",
        how="I - A = D (D + I)^-1 (I - B) and I - G = diag((g - G_ii) / g) (I - Omega), by entry in float64, "
        "on a random graph with an item of one user. Broken: no self-loops; the public code's omega, which "
        "keeps the diagonal.",
        formula="I - A = (D + I)^{-1} D (I - B)",
    ),
    identity(
        "rank-one",
        "Infinitely many layers leave one direction: all embeddings are multiples of one vector, and every "
        "user has the same ranking, which is why the constraint needs negatives",
        "limit.rank",
        broken="limit.without_loops",
        source="section 3.1, where over-smoothing is named",
        how="second over first singular value after 2^40 layers on the largest component of a random "
        "bipartite graph, by its spectrum. Broken: without self-loops, where the limit has rank two.",
    ),
    _named(
        "targets",
        "With weights of beta alone, beta says how much a pair counts and not where its score shall be: for "
        "every item of a user that is log(items / (negative weight x degree))",
        "targets",
        source="ours: in the mean over draws the loss is a weighted logistic factorisation",
        provenance="ours",
        how="slope of what each seen pair adds to the loss, at that score, over the sum of its parts' "
        "magnitudes; no item-item term. Broken: negatives weighted alike, as is released for Amazon-Book.",
        formula="s_{ui} = log(m / (c d_u))",
    ),
    at_least(
        "ten-times",
        "An epoch of LightGCN costs at least ten times the multiply-adds of UltraGCN's on Gowalla, Yelp2018 "
        "and Amazon-Book",
        "costs.least",
        bound=10.0,
        broken=lambda record: 1 / record["costs"]["least"],
        source="abstract: more than 10x speedup over LightGCN",
        how="least ratio of the three, both with released settings: (1 + M + K) d for a pair against "
        "2 L |E| d for a step of 2,048 pairs. How many epochs each needs is not in it.",
    ),
    beats(
        "mf",
        "UltraGCN's recall is 0.03 above matrix factorisation's",
        "planted.ultragcn", "planted.mf", by=0.03, names=("UltraGCN", "MF-BPR"),
        source="table 2", how=f"{PLANTED}; MF by BPR.",
    ),
    beats(
        "item-item",
        "The item-item term adds 0.03 of recall",
        "planted.ultragcn", "planted.without_items", by=0.03, names=("UltraGCN", "no item-item term"),
        source="section 4.4", how=f"{PLANTED}; the same with a weight of 0.",
    ),
    beats(
        "cross-entropy",
        "UltraGCN is better than cross-entropy with as many negatives, of the same weight",
        "planted.ultragcn", "planted.cross_entropy", names=("UltraGCN", "cross-entropy"),
        source="ours: the control that the paper lacks", provenance="ours",
        how=f"{PLANTED}; the same with all weights 1 and no item-item term.",
    ),
    beats(
        "lightgcn",
        "UltraGCN is better than LightGCN",
        "planted.ultragcn", "planted.lightgcn", names=("UltraGCN", "LightGCN"),
        source="table 2, by 1.7 % on Gowalla to 65.7 % on Amazon-Book",
        how=f"{PLANTED}; LightGCN of three layers by BPR.",
    ),
    equivalent(
        "expected",
        "With the mean over all items in place of drawn negatives, recall is the same within 0.02",
        "planted.expected", "planted.ultragcn", within=0.02, names=("in the mean", "drawn"),
        source="ours: negatives are drawn evenly, so their mean is known", provenance="ours",
        how=f"{PLANTED}; as many steps an epoch, of users instead of pairs.",
    ),
    beats(
        "lastfm-mf",
        "On LastFM UltraGCN is better than matrix factorisation",
        "lastfm.ultragcn", "lastfm.mf", names=("UltraGCN", "MF-BPR"),
        source="table 2, of other sets", how=f"{LASTFM}; MF by BPR.",
    ),
    reported(
        "gowalla",
        "Recall@20 on Gowalla at full size is the published 0.1864",
        "gowalla.recall", figure=0.1864, within=0.003, data="gowalla",
        source="benchmarks/UltraGCN_gowalla_x0.md, epoch 634", provenance="public code", how=LARGE,
    ),
    reported(
        "amazon-cds",
        "Recall@20 on Amazon CDs at full size is the published 0.1622",
        "amazon_cds.recall", figure=0.1622, within=0.003, data="amazon-cds",
        source="benchmarks/UltraGCN_amazoncds_x0.md, epoch 59", provenance="public code", how=LARGE,
    ),
)  # fmt: skip
