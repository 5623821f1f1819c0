"""What the paper claims, as statements that the records can refute."""

import math
from collections.abc import Callable

from experiments.harness.claim import Claim, beats, equals, identity, no_worse
from experiments.harness.study import Record

FIXED = ("sum", "mean", "max")
SETS = (
    "second-smallest of 6-bit labels with multiplicity, all bits right; trained on sets of 2 to 16 "
    "labels, sizes uniform; same encoder, decoder, width, first parameters, batches and steps for all"
)


def _best_fixed(study: str, number: str) -> Callable[[Record], float]:
    return lambda record: max(record[study][name][number] for name in FIXED)


def _halvings(arm: str) -> Callable[[Record], float]:
    """How often the error of an arm's law halves below 1."""
    return lambda record: -math.log2(record["sets"][arm]["law"])


def _where_it_loses_most(arm: str) -> Callable[[Record], float]:
    """Of an arm, the matches at the size, trained or twice that, where the monoid is farthest behind."""

    def of(record: Record) -> float:
        found = record["sets"]
        size = min(
            ("at_1x", "at_2x"), key=lambda size: found["lcm"][size] - found["recurrent"][size]
        )
        matches: float = found[arm][size]
        return matches

    return of


CLAIMS: tuple[Claim, ...] = (
    identity(
        "commutative",
        "The symmetrised GRU is commutative to the last bit, in float32 and in float64, compiled",
        lambda record: max(record["laws"]["commutativity"].values()),
        broken="laws.one_way",
        tolerance=0.0,
        source="abstract: commutative binary operators by construction; PR 7976 of PyG has the same GRU",
        how="largest |x y - y x| of 10,000 random pairs of width 32 with random biases; the twin is "
        "the GRU by itself",
    ),
    identity(
        "folds-agree",
        "An operator that keeps the laws has one value on a multiset: its balanced tree, its recurrence "
        "and its prefix scan agree under every order of the rows",
        lambda record: max(record["laws"]["oracles"].values()),
        broken=lambda record: min(record["laws"]["learned"].values()),
        tolerance=1e-10,
        source="section on aggregators as commutative monoids",
        how="two exact monoids, the two smallest values and a sum under an invertible network, in float64: "
        "sets of 1 to 33 rows, 20 orders each, padding strewn in; the twin is an untrained GRU",
    ),
    equals(
        "depth-and-work",
        "The tree folds n rows in ceil(log2 n) levels and n - 1 applications, which are 2 (n - 1) GRU "
        "evaluations: depth is bought with about twice a recurrence's work",
        "counts.tree",
        count=257,
        broken="counts.sequential",
        source="abstract: O(log V) depth against O(V); the work is our count",
        how="set sizes from 1 to 257 for which levels, applications and products of matrices in what JAX "
        "traces are exactly those; the twin asks the same of the recurrence, which takes n steps and n "
        "evaluations",
    ),
    beats(
        "associativity-loss",
        "The penalty at least halves how far the trained operator is from associative",
        _halvings("lcm"),
        _halvings("lcm_free"),
        by=1.0,
        names=("with the penalty", "without"),
        source="abstract: learnable, commutative, associative operators; the penalty's form is ours",
        how=f"{SETS}. -log2 of the relative distance of (x y) z and x (y z), for triples of states that "
        "folding new sets of 16 visits",
        provenance="reconstructed",
    ),
    beats(
        "order-loss",
        "Regularised towards permutation invariance, the recurrence depends at most half as much on the "
        "order of two of its rows",
        _halvings("recurrent"),
        _halvings("recurrent_free"),
        by=1.0,
        names=("with the penalty", "without"),
        source="Cohen-Karlik et al., arXiv:2010.13055, as the abstract cites it",
        provenance="reconstructed",
        how=f"{SETS}. -log2 of the relative distance of the states after two rows in either order, from "
        "states that folding new sets of 16 visits",
    ),
    beats(
        "fixed-aggregators",
        "On sets twice as large as in training the learned monoid is right 0.15 more often than the best "
        "of sum, mean and maximum",
        "sets.lcm.at_2x",
        _best_fixed("sets", "at_2x"),
        by=0.15,
        names=("LCM", "best fixed"),
        source="abstract, after Cohen-Karlik et al.: summing cannot generalise on some set problems",
        how=f"{SETS}. Tested on 256 sets of 32.",
        provenance="reconstructed",
    ),
    no_worse(
        "recurrence",
        "The learned monoid is competitive with the regularised recurrence: right at most 0.1 less often "
        "at training size and at twice that",
        _where_it_loses_most("lcm"),
        _where_it_loses_most("recurrent"),
        margin=0.1,
        names=("LCM", "regularised recurrence"),
        source="abstract: performance competitive with recurrent aggregators",
        how=f"{SETS}. As many parameters and steps; 256 sets each of 16 and of 32, and the one of the two "
        "sizes where the monoid is farther behind. It evaluates the GRU twice as often, so that equal "
        "work would favour the recurrence further.",
        provenance="reconstructed",
    ),
    beats(
        "graphs",
        "On graphs too: where nodes have three times as many neighbours as in training, the learned "
        "monoid is right 0.15 more often than the best of sum, mean and maximum",
        "graphs.lcm.matches",
        _best_fixed("graphs", "matches"),
        by=0.15,
        names=("LCM", "best fixed"),
        source="abstract: these results carry over to the graph domain",
        how="each node tells the second-smallest label of its neighbours; random graphs of 64 nodes and "
        "mean degree 8, a graph a step, labels drawn anew; tested at mean degree 24",
        provenance="reconstructed",
    ),
    no_worse(
        "texas",
        "On texas a network with learned monoids loses at most 2 points of test accuracy to the best of "
        "sum, mean and maximum",
        "real.lcm",
        lambda record: max(record["real"][name] for name in FIXED),
        margin=2.0,
        names=("LCM", "best fixed"),
        source="ours; the abstract's real-world problems are others",
        how="a dense layer and one over neighbours, of width 16; one of the ten splits a "
        "seed, picked by validation, 100 steps; the best of the three by test accuracy, which favours "
        "them",
        provenance="ours",
    ),
)
