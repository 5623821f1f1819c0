"""What is claimed of programs, search and modules, and of populations: whether graphs matter, or seeds."""

from collections.abc import Callable

import numpy as np

from experiments.graphs.symbolic_synthesis.controls import (
    Share,
    intraclass_correlation,
    pooled_correlation,
    variance_ratio,
)
from experiments.harness.claim import Claim, equals, identity
from experiments.harness.statistics import TooFewError, arms, difference
from experiments.harness.study import NotMeasured, Record, Records
from ntkexec.check import Measurement

LANGUAGE = "arXiv:2303.03340; the language as in shlomenu/antireduce-graphs"
MATRICES = (
    "generated 3 x 3 matrices, 128 to train on, 512 to test with; label: the colours of each row are "
    "constant; 6 graphs and 3 runs of each a seed, each run with its own first variables, batches and dropout"
)


def _table(record: Record, name: str) -> np.ndarray:
    return np.array(record["population"][name], float)


def _tables(records: Records, name: str) -> list[np.ndarray]:
    return [_table(record, name) for record in records]


def _rows(records: Records, name: str) -> list[np.ndarray]:
    """Runs without a graph, each a row of its own."""
    return [table.reshape(-1, 1) for table in _tables(records, name)]


def _measured(found: Share, **details: object) -> Measurement:
    return Measurement(found.value, (found.low, found.high), details=details)


def _spread(name: str) -> Callable[[Records], Measurement]:
    def measure(records: Records) -> Measurement:
        parts = _tables(records, name) if name == "test" else _rows(records, name)
        generator = np.random.default_rng(0)
        found = variance_ratio(parts, _rows(records, "plain_test"), generator=generator)
        return _measured(found, graphs=sum(map(len, parts)))

    return measure


def _graph_or_seed(*, without: bool = False) -> Callable[[Records], Measurement]:
    def measure(records: Records) -> Measurement:
        tables = [*_tables(records, "test"), *_tables(records, "random_test")]
        if without:
            tables = [table - table.mean(1, keepdims=True) for table in tables]
        if all(np.ptp(table) == 0 for table in tables):
            raise NotMeasured("all networks with graphs test alike")
        return _measured(intraclass_correlation(tables), graphs=sum(map(len, tables)))

    return measure


def _pattern(*, unrelated: bool = False) -> Callable[[Records], Measurement]:
    def measure(records: Records) -> Measurement:
        # A graph's mean over its runs is a point: runs of one graph are not independent.
        pairs = [
            np.stack([_table(r, name).mean(1) for name in ("train", "test")], 1) for r in records
        ]
        if unrelated:
            pairs = [_unrelated(part) for part in pairs]
        found = pooled_correlation(pairs)
        if found is None:
            raise NotMeasured("all networks with graphs train alike, or test alike")
        return _measured(found)

    return measure


def _unrelated(pairs: np.ndarray) -> np.ndarray:
    """The same with what the first column tells of the second taken out."""
    one, other = (pairs - pairs.mean(0)).T
    size = one @ one
    return np.stack([one, other - (one @ other / size if size > 0 else 0.0) * one], 1)


def _synthesised(*, lowered: float | None = None) -> Callable[[Records], Measurement]:
    """The absolute mean difference of a graph and the random one of its size, over all graphs."""

    def measure(records: Records) -> Measurement:
        ours, random = (
            np.concatenate([table.mean(1) for table in _tables(records, name)]).tolist()
            for name in ("test", "random_test")
        )
        if lowered is not None:
            ours = [value - lowered for value in random]
        if len(ours) < 2:
            raise TooFewError(f"{len(ours)} graphs give no interval")
        found = difference(ours, random)
        ends = sorted((abs(found.low), abs(found.high)))
        low = 0.0 if found.low <= 0 <= found.high else ends[0]
        shown = arms({"synthesised": ours, "random": random})
        return Measurement(
            abs(found.value), (low, ends[1]), details={"arms": shown, "signed": found.value}
        )

    return measure


def _lost(which: str) -> Callable[[Record], float]:
    """The worst of two deviations: slices from the vector, and parameters from those of the first graph."""

    def of(record: Record) -> float:
        found = record["modules"]
        counts = found["parameters"]
        return max(float(found[which]), float(max(counts) - min(counts)))

    return of


CLAIMS: tuple[Claim, ...] = (
    equals(
        "interpreter",
        "What 10,000 random programs draw obeys the language: ids have no gaps, a port of a node holds one "
        "edge, seen from both ends, no node meets itself, only the cursor is ever unconnected, and every "
        "accepted graph is connected",
        "programs.violations",
        count=0,
        broken="programs.unconnected",
        source=LANGUAGE,
        how="final states that break a rule, by networkx; programs drawn symbol by symbol; the twin accepts "
        "every final state",
    ),
    equals(
        "search",
        "The search gives programs in non-decreasing description length, and no two of its graphs are "
        "isomorphic",
        lambda record: record["search"]["steps_down"] + record["search"]["alike"],
        count=0,
        broken="search.alike_without",
        source=f"{LANGUAGE}, whose search goes by description length and compares by VF2",
        how="steps down and isomorphic pairs by networkx, over all turns; the twin compares states alone",
    ),
    equals(
        "compression",
        "Programs rewritten with the abstractions found draw the graphs that they drew, and no turn's "
        "compression lengthens programs and library together",
        lambda record: record["search"]["changed"] + record["search"]["lengthened"],
        count=0,
        broken="search.changed_without",
        source="arXiv:2303.03340, in the place of stitch (arXiv:2211.16605)",
        how="programs whose graph is another, and turns that lengthen, all symbols costing alike; the twin "
        "empties the abstractions",
    ),
    identity(
        "slices",
        "The elements of a graph share out the vector, entry by entry, and networks of different graphs "
        "have equally many parameters",
        _lost("slices"),
        broken="modules.released_slices",
        source="arXiv:2303.03340; structure is to be the only difference",
        how="the vector put together again from what the elements read; the twin divides as the public code "
        "does, in which each edge counts twice, so that part of the vector reaches no element",
    ),
    identity(
        "layers",
        "GINE layers are the formula with an adjacency tensor by node, node and port, and padding changes "
        "nothing",
        lambda record: max(record["modules"]["dense"], record["modules"]["padding"]),
        broken="modules.unmasked",
        source="arXiv:1905.12265 with a linear map, as arXiv:2303.03340 has it",
        how="relative deviation in float64 on a population's graphs; the twin averages over padding too",
    ),
    Claim(
        name="spread",
        claim="Test accuracies of networks with graphs vary more than those of the encoder with a linear map",
        source="arXiv:2303.03340, whose logs suggest a ratio of variances of 10",
        how=f"{MATRICES}; against as many runs without a graph; bootstrap over graphs",
        bound=1.0,
        bound_from="equal variances",
        relation="at least",
        measure=_spread("test"),
        broken=_spread("plain_test"),
    ),
    Claim(
        name="graph-or-seed",
        claim="The graph, and not the seed alone, decides on test accuracy: the intraclass correlation of a "
        "graph's runs is above 0",
        source="ours: the paper has one run of each graph, in which the two cannot be told apart",
        how=f"{MATRICES}; synthesised and random graphs, each kind and seed with its own mean; one-way "
        "analysis of variance, interval by F; the twin takes graphs' means out",
        bound=0.0,
        bound_from="seeds alone make it 0",
        relation="at least",
        measure=_graph_or_seed(),
        broken=_graph_or_seed(without=True),
        provenance="ours",
    ),
    Claim(
        name="pattern",
        claim="Graphs whose networks train more accurately test more accurately, too",
        source="arXiv:2303.03340: predictable patterns; its logs have correlations of 0.63 to 0.74, and 0.04",
        how=f"{MATRICES}; Fisher's z of the graphs' means, within populations. No network "
        "without a graph is compared with: in "
        "pilots all of them trained without an error, so that they had no correlation. Broken: what training "
        "accuracy tells of test accuracy taken out",
        bound=0.0,
        bound_from="the claim is a sign",
        relation="at least",
        measure=_pattern(),
        broken=_pattern(unrelated=True),
    ),
    Claim(
        name="random-graphs",
        claim="Random connected graphs of equal size do as well as synthesised ones, up to 0.02 of mean test "
        "accuracy",
        source="ours: the paper has no such control",
        how=f"{MATRICES}; each graph against a random one with as many nodes and edges; paired by graph, "
        "Student's interval",
        bound=0.02,
        bound_from="the margin, fixed before measuring",
        measure=_synthesised(),
        broken=_synthesised(lowered=0.06),
        provenance="ours",
    ),
)
