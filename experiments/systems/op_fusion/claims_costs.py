"""Claims about graphs, costs, and the exact optimum."""

import numpy as np

from experiments.harness.experiment import Record, Records
from experiments.harness.statistics import mean, proportion
from experiments.systems.op_fusion.judging import (
    EXACT,
    OURS,
    PAPER,
    SEEDS,
    Measure,
    claim,
    with_entries,
)
from ntkexec.check import Check, Measurement


def _count(study: str, part: str, *names: str) -> Measure:
    """Measures how often something happened that must not, in all networks of all seeds."""

    def measure(records: Records) -> Measurement:
        found = {
            network: sum(values[name] for name in names)
            for record in records
            for network, values in record[study][part].items()
        }
        total = sum(
            values[name]
            for record in records
            for values in record[study][part].values()
            for name in names
        )
        return Measurement(float(total), details={"networks": found})

    return measure


def _parameters(records: Records) -> Measurement:
    rows = [values for record in records for values in record["graphs"]["networks"].values()]
    worst = max(
        abs(row["parameters"] - row["published"]) + abs(row["weights"] - row["expected_weights"])
        for row in rows
    )
    operators = {n: v["operators"] for n, v in records[0]["graphs"]["networks"].items()}
    return Measurement(float(worst), details={"operators": operators})


def _hereditary(records: Records) -> Measurement:
    rows = [values for record in records for values in record["costs"]["networks"].values()]
    lowered = sum(row["lowered"] for row in rows)
    return proportion(lowered, sum(row["extensions"] for row in rows)).measurement(lowered=lowered)


def _counterexample(records: Records) -> Measurement:
    found = records[0]["chains"]["counterexample"]
    return Measurement(found["greedy"] / found["optimum"], details=found)


def _chain_gap(records: Records) -> Measurement:
    gaps = [[c["greedy"] / c["optimum"] for c in r["chains"]["random"]] for r in records]
    every = np.concatenate(gaps)
    return mean([float(np.median(g)) for g in gaps]).measurement(
        worst=float(every.max()), optimal=float(np.mean(every == 1)), least=float(every.min())
    )


def _dearer_chains(record: Record) -> Record:
    random = [{**c, "greedy": 2 * c["greedy"]} for c in record["chains"]["random"]]
    counterexample = record["chains"]["counterexample"]
    return record.changed(
        "chains",
        random=random,
        counterexample={**counterexample, "greedy": 2 * counterexample["greedy"]},
    )


def _solved(records: Records) -> Measurement:
    plans = {name: plan for record in records for name, plan in record["optimum"]["plans"].items()}
    seconds = {name: plan["seconds"] for name, plan in plans.items() if "seconds" in plan}
    above = {n: plans[n]["dram"] / plans[n]["bound"] for n in seconds}
    share = len(seconds) / len(plans)
    return Measurement(share, details={"seconds": seconds, "over_bound": above})


def _unsolved(record: Record) -> Record:
    plans = {name: {"unsolved": "taken out"} for name in record["optimum"]["plans"]}
    return record.changed("optimum", plans=plans)


CHECKS: tuple[Check[Records], ...] = (
    claim(
        "parameters",
        "traced graphs hold the published parameters of the networks",
        _parameters,
        with_entries("graphs", "networks", lambda v: {"parameters": v["parameters"] + 1}),
        source="torchvision's model pages",
        how="largest difference in parameters, and between a graph's weights and those parameters "
        "less what folding batch normalisation removes",
        bound=0.0,
        bound_from=EXACT,
    ),
    claim(
        "windows",
        "the closed form of LBDF's rows on chip is what execution row by row needs",
        _count("costs", "networks", "mismatches"),
        with_entries("costs", "networks", lambda v: {"mismatches": v["kernel_mismatches"]}),
        source="reconstruction; Shi et al. 2021, after whom the paper's LBDF is named",
        how="random connected groups with one sink and 2 to 12 operators that differ in any tensor; "
        "the broken twin takes each kernel's height for the window",
        bound=0.0,
        bound_from=EXACT,
    ),
    claim(
        "plan-identity",
        "a plan's DRAM is a sum over weights and tensors that cross groups, and merging never raises "
        "it under LBDF",
        _count("costs", "networks", "identity_error", "merges_that_raise"),
        with_entries("costs", "networks", lambda v: {"identity_error": v["identity_error"] + 1}),
        source=OURS,
        how="largest difference in bytes over random plans, and merges of neighbours that cost more",
        bound=0.0,
        bound_from=EXACT,
    ),
    claim(
        "brr-limits",
        "BRR in an unbounded buffer moves what LBDF does; a larger buffer never moves more; BRR never "
        "moves less than LBDF",
        _count("costs", "brr", "unequal", "rising", "cheaper"),
        with_entries("costs", "brr", lambda v: {"unequal": v["groups"]}),
        source="reconstruction; Cai et al. 2021",
        how="random groups that break one of the three",
        bound=0.0,
        bound_from=EXACT,
    ),
    claim(
        "prune-is-exact",
        "what the exact search prunes by bounds the memory of every larger group",
        _count("costs", "networks", "undercut"),
        with_entries("costs", "networks", lambda v: {"undercut": v["extensions"]}),
        source=OURS,
        how="groups extended by one operator that need less than the smaller group's bound",
        bound=0.0,
        bound_from="follows from the formula: each term of the bound only grows",
    ),
    claim(
        "nearly-hereditary",
        "adding an operator to a group hardly ever lowers its memory",
        _hereditary,
        with_entries("costs", "networks", lambda v: {"lowered": v["extensions"]}),
        source=OURS,
        how="share of random extensions by a neighbour, Clopper-Pearson interval over all seeds",
        bound=0.01,
        bound_from="what 'hardly ever' means here",
    ),
    claim(
        "two-groups-suffice",
        "splitting into two groups always costs less than splitting into three",
        _counterexample,
        _dearer_chains,
        source=f"{PAPER}, remark to algorithm 1",
        how="greedy over optimal DRAM on a chain of four operators, built to refute it",
        bound=1.0,
        bound_from="the claim",
    ),
    claim(
        "greedy-on-chains",
        "the greedy tree is near the optimum on random chains",
        _chain_gap,
        _dearer_chains,
        source=OURS,
        how=f"median of greedy over optimal DRAM; {SEEDS}",
        bound=1.1,
        bound_from="what 'near' means here",
    ),
    claim(
        "whole-networks-solved",
        "the best plan of every network is found exactly",
        _solved,
        _unsolved,
        source=OURS,
        how="share of networks and fusion types solved by the dynamic programme over closed sets",
        bound=1.0,
        bound_from="the claim",
        relation="at least",
    ),
)
