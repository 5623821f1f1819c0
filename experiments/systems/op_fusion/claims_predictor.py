"""Claims about the predictor of validity."""

import numpy as np

from experiments.harness import plots
from experiments.harness.experiment import Record, Records
from experiments.harness.statistics import arms, difference, mean
from experiments.systems.op_fusion.judging import OURS, PAPER, SEEDS, Measure, claim
from ntkexec.check import Check, Measurement


def _score(which: str) -> Measure:
    def measure(records: Records) -> Measurement:
        ways = {
            way: [min(r["validity"][which][way].values()) for r in records]
            for way in ("gnn", "logistic", "majority")
        }
        resolution = 1 / min(r["validity"][which]["num_test"] for r in records)
        return mean(ways["gnn"], resolution=resolution).measurement(arms=arms(ways))

    return measure


def _needs_graph(records: Records) -> Measurement:
    pairs = {
        way: [r["validity"]["lbdf"][way]["accuracy"] for r in records]
        for way in ("gnn", "logistic")
    }
    resolution = 1 / min(r["validity"]["lbdf"]["num_test"] for r in records)
    found = difference(pairs["gnn"], pairs["logistic"], resolution=resolution)
    return found.measurement(arms=arms(pairs))


def _guessing(record: Record) -> Record:
    """The predictor replaced by one that always errs."""
    study = record["validity"]
    wrong = {"accuracy": 0.0, "f1": 0.0}
    return record.changed(
        "validity", **{which: {**values, "gnn": wrong} for which, values in study.items()}
    )


def _diminishing(records: Records) -> Measurement:
    first = [r["buffers"]["valid"][1] - r["buffers"]["valid"][0] for r in records]
    last = [r["buffers"]["valid"][-1] - r["buffers"]["valid"][-2] for r in records]
    resolution = 1 / min(r["buffers"]["groups"] for r in records)
    valid = np.mean([r["buffers"]["valid"] for r in records], axis=0).tolist()
    return difference(last, first, resolution=resolution).measurement(
        x=records[0]["buffers"]["buffers_kb"], lines={"valid groups": valid}
    )


CHECKS: tuple[Check[Records], ...] = (
    claim(
        "validity-lbdf",
        "a graph network predicts validity under LBDF with accuracy and F1 above 95 %",
        _score("lbdf"),
        _guessing,
        source=f"{PAPER}, section 4",
        how=f"the lower of accuracy and F1 on held-out groups; {SEEDS}",
        bound=0.95,
        bound_from="the claim",
        relation="at least",
        plot=plots.arms("lower of accuracy and F1"),
    ),
    claim(
        "validity-brr",
        "a graph network predicts validity under BRR with accuracy and F1 above 95 %",
        _score("brr"),
        _guessing,
        source=f"{PAPER}, section 4",
        how=f"the lower of accuracy and F1 on held-out groups; {SEEDS}",
        bound=0.95,
        bound_from="the claim",
        relation="at least",
        plot=plots.arms("lower of accuracy and F1"),
    ),
    claim(
        "validity-unseen-network",
        "the graph network predicts validity on a network that it was not trained on as well",
        _score("unseen network"),
        _guessing,
        source=OURS,
        how=f"trained without one network, the lower of accuracy and F1 on that one; {SEEDS}",
        bound=0.95,
        bound_from="the paper's figure for groups of networks that were trained on",
        relation="at least",
        plot=plots.arms("lower of accuracy and F1"),
    ),
    claim(
        "validity-needs-graph",
        "the graph network predicts validity better than logistic regression on summed sizes",
        _needs_graph,
        _guessing,
        source=OURS,
        how="difference in accuracy under LBDF, paired by seed, 95 % t interval",
        bound=0.0,
        bound_from="the claim",
        relation="at least",
        plot=plots.arms("accuracy"),
    ),
    claim(
        "diminishing-buffers",
        "doubling a large buffer makes fewer groups valid than doubling a small one",
        _diminishing,
        lambda r: r.changed("buffers", valid=[0.0] * (len(r["buffers"]["valid"]) - 1) + [1.0]),
        source=f"{PAPER}, figure 3",
        how="gain in the valid share by the last doubling less that by the first, same groups; "
        f"{SEEDS}",
        bound=0.0,
        bound_from="the claim",
        plot=plots.lines("buffer (KB)", "share of valid groups"),
    ),
)
