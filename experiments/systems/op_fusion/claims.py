"""What the paper claims of operator fusion by graph explanation, and what we ask of it."""

import numpy as np

from experiments.harness import plots
from experiments.harness.claim import Claim, at_least, at_most, beats, equals
from experiments.harness.selectors import Of
from experiments.harness.study import Record
from experiments.systems.op_fusion.selectors import EXPLAINERS

PAPER = "arXiv:2501.00636"
RATIO = "share of the optimum: least DRAM of any plan over the DRAM found"


def _explained(*searches: str) -> Of:
    """Mean share of the optimum over the three explainers, and over searches."""

    def of(record: Record) -> float:
        found = record["searches"]["efficiency"]
        return float(np.mean([found[s][way] for s in searches or found for way in EXPLAINERS]))

    return of


def _half(record: Record) -> float:
    found = record["searches"]["efficiency"]
    return float(np.mean([row["random half"] for row in found.values()]))


def _large(record: Record) -> float:
    found = record["large"]["dram"]["nsga-ii"]
    return min(found[way] for way in EXPLAINERS) / found["none"]


def _rectified(record: Record) -> float:
    found = record["searches"]["rectified"].values()
    return min(float(np.mean([row[way] for row in found])) for way in EXPLAINERS)


def _lower(fusion: str, way: str) -> Of:
    return lambda record: min(record["validity"][fusion][way].values())


def _searched(name: str, search: str) -> Claim:
    return beats(
        f"explained-{name.lower()}",
        f"{name} moves less DRAM when invalid groups are split along explained edges than when they "
        "are split at random",
        _explained(search),
        f"searches.efficiency.{search}.none",
        source=f"{PAPER}, tables 2 and 3",
        how=f"{RATIO}; mean of the three explainers less that with random splitting, paired by seed",
        plot=plots.arms("share of the optimum"),
    )


def _predicted(fusion: str) -> Claim:
    return at_least(
        f"validity-{fusion}",
        f"a graph network predicts under {fusion.upper()} whether a group fits, with accuracy and F1 "
        "of 95 %",
        _lower(fusion, "gnn"),
        bound=0.95,
        broken=lambda record: 1 - record["validity"][fusion]["gnn"]["accuracy"],
        source=f"{PAPER}, section 4",
        how="the lower of accuracy and F1 on a tenth of the groups, held out; the twin says the "
        "opposite of what was predicted",
    )


CLAIMS: tuple[Claim, ...] = (
    equals(
        "whole-networks-solved",
        "the best plan of every network is found exactly, so neither search nor explanation is needed",
        "optimum.unsolved",
        count=0,
        source="this port; the paper compares heuristics with each other only",
        how="networks that dynamic programming over sets closed under predecessors leaves unsolved",
        provenance="ours",
    ),
    at_most(
        "two-groups-suffice",
        "splitting into two groups always costs less than splitting into three",
        "optimum.greedy_over_best",
        bound=1.0,
        broken=lambda record: 2 * record["optimum"]["greedy_over_best"],
        source=f"{PAPER}, remark to algorithm 1",
        how="DRAM of the cut into two over the optimum's three groups, on a chain of four operators "
        "built to refute it",
    ),
    beats(
        "diminishing-buffers",
        "doubling a small buffer makes more groups fit than doubling a large one",
        "validity.first_gain",
        "validity.last_gain",
        source=f"{PAPER}, figure 3",
        how="gain in the share of valid groups by the first doubling less that by the last, the same "
        "groups",
    ),
    _predicted("lbdf"),
    _predicted("brr"),
    beats(
        "validity-needs-graph",
        "the graph network predicts validity better than logistic regression on summed sizes",
        "validity.lbdf.gnn.accuracy",
        "validity.lbdf.logistic.accuracy",
        source="this port",
        how="difference in accuracy under LBDF, paired by seed",
        provenance="ours",
        plot=plots.arms("accuracy"),
    ),
    _searched("RS", "random"),
    _searched("LS", "local"),
    _searched("NSGA-II", "nsga-ii"),
    beats(
        "explanation-matters",
        "explained edges lead to less DRAM than a random half of the edges through the same tree",
        _explained(),
        _half,
        source="this port",
        how=f"{RATIO}; mean over searches and explainers, paired by seed",
        provenance="ours",
        plot=plots.arms("share of the optimum"),
    ),
    at_least(
        "rectify-rate",
        "the tree splits more than half of the invalid groups with every explainer",
        _rectified,
        bound=0.5,
        broken=lambda record: 0.0 * _rectified(record),
        source=f"{PAPER}, table 4",
        how="share of invalid groups split without falling back on chance, worst explainer",
        bound_from="the lowest figure in the table, rounded down",
    ),
    at_most(
        "large-saving",
        "on EfficientNet-B3, explanation saves NSGA-II more than 20 % of its DRAM",
        _large,
        bound=0.8,
        broken=lambda record: 1.0 + 0.0 * _large(record),
        source=f"{PAPER}, abstract and table 2",
        how="DRAM with the best of the three explainers over that with random splitting, same seed; "
        "the best is chosen anew for each seed, in favour of the claim",
    ),
)
