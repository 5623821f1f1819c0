"""Claims about searches and about what explanations do for them."""

import numpy as np

from experiments.harness import plots
from experiments.harness.experiment import Record, Records
from experiments.harness.statistics import arms, mean
from experiments.systems.op_fusion.judging import OURS, PAPER, SEEDS, Measure, claim, with_entries
from experiments.systems.op_fusion.measure_search import ALL, EXPLAINERS, HALF, RANDOM
from experiments.systems.op_fusion.search import SEARCHES
from ntkexec.check import Check, Measurement


def _ratio(searches: tuple[str, ...], ways: tuple[str, ...], rival: str, value: str) -> Measure:
    """Measures a way to split against a rival, in the same search under the same seed.

    Args:
        searches: whose ratios are averaged within a seed, geometrically.
        ways: the same.
        rival: in the denominator.
        value: what is compared.
    """

    def measure(records: Records) -> Measurement:
        def of(record: Record, way: str) -> float:
            runs = record["searches"]["runs"]
            logs = [
                np.log(runs[f"{s} {way}"][value] / runs[f"{s} {rival}"][value]) for s in searches
            ]
            return float(np.exp(np.mean(logs)))

        shown = {way: [of(record, way) for record in records] for way in ways}
        logs = np.log([shown[way] for way in ways]).mean(axis=0)
        return mean(np.exp(logs).tolist()).measurement(arms=arms(shown))

    return measure


def _spoilt(record: Record) -> Record:
    """Every way to split but the rivals made three times dearer, slower and thirstier."""
    runs = {
        name: run
        if name.endswith((RANDOM, HALF))
        else {**run, "dram": 3 * run["dram"], "queries": 30 * run["queries"]}
        for name, run in record["searches"]["runs"].items()
    }
    runs |= {name: {**run, "queries": 1} for name, run in runs.items() if name.endswith(ALL)}
    return record.changed("searches", runs=runs)


def _rectify(records: Records) -> Measurement:
    shown: dict[str, list[float]] = {}
    for way in (*EXPLAINERS, HALF):
        shown[way] = [
            float(
                np.mean(
                    [
                        run["rectified"] / run["groups"] if run["groups"] else 1.0
                        for name, run in r["searches"]["runs"].items()
                        if name.endswith(f" {way}")
                    ]
                )
            )
            for r in records
        ]
    worst = min(EXPLAINERS, key=lambda way: float(np.mean(shown[way])))
    return mean(shown[worst]).measurement(worst=worst, arms=arms(shown))


def _explaining(records: Records) -> Measurement:
    def cost(record: Record, way: str) -> float:
        runs = [v for n, v in record["searches"]["runs"].items() if n.endswith(f" {way}")]
        return sum(r["select_seconds"] for r in runs) / max(1, sum(r["selected"] for r in runs))

    # The first seed compiles.
    later = records[1:] if len(records) > 2 else records
    ratios = [cost(r, "GNNE") / max(1e-9, cost(r, "PG")) for r in later]
    return mean(ratios).measurement(
        arms=arms({w: [1e3 * cost(r, w) for r in later] for w in EXPLAINERS})
    )


def _free_masks(record: Record) -> Record:
    runs = {
        name: {**run, "select_seconds": 0.0 if name.endswith("GNNE") else run["select_seconds"]}
        for name, run in record["searches"]["runs"].items()
    }
    return record.changed("searches", runs=runs)


def _memory(records: Records) -> Measurement:
    found = [r["searches"]["memory"] for r in records]
    same = all(row["same"] for row in found)
    worst = max(row["with"] / row["without"] for row in found)
    return Measurement(worst if same else float("inf"), details={"same_plans": same})


def _forgetful(record: Record) -> Record:
    memory = record["searches"]["memory"]
    return record.changed("searches", memory={**memory, "with": memory["without"]})


def _best_gap(records: Records) -> Measurement:
    shown = {
        way: [
            min(
                run["dram"] / r["searches"]["optimum"]
                for name, run in r["searches"]["runs"].items()
                if name.endswith(f" {way}")
            )
            for r in records
        ]
        for way in (RANDOM, HALF, ALL, *EXPLAINERS)
    }
    best = np.min([shown[way] for way in EXPLAINERS], axis=0)
    return mean(best.tolist()).measurement(arms=arms(shown))


def _exact_time(records: Records) -> Measurement:
    def ratio(record: Record) -> float:
        runs = record["searches"]["runs"]
        seconds = [runs[f"{s} {way}"]["seconds"] for s in SEARCHES for way in EXPLAINERS]
        return record["searches"]["optimum_seconds"] / float(np.mean(seconds))

    return mean([ratio(record) for record in records]).measurement()


def _slow(record: Record) -> Record:
    study = record["searches"]
    total = sum(run["seconds"] for run in study["runs"].values())
    return record.changed("searches", optimum_seconds=10 * total)


def _saving(records: Records) -> Measurement:
    shown = {
        way: [r["large"]["runs"][way]["dram"] / r["large"]["runs"][RANDOM]["dram"] for r in records]
        for way in (*EXPLAINERS, ALL, HALF)
    }
    shown["optimum"] = [r["large"]["optimum"] / r["large"]["runs"][RANDOM]["dram"] for r in records]
    best = min(EXPLAINERS, key=lambda way: float(np.mean(shown[way])))
    return mean(shown[best]).measurement(best=best, arms=arms(shown))


def _no_saving(record: Record) -> Record:
    dear = record["large"]["runs"][RANDOM]["dram"]
    return with_entries("large", "runs", lambda run: {"dram": dear})(record)


_PER_SEARCH = tuple(
    claim(
        f"explained-{search.lower()}",
        f"{search} moves less DRAM when invalid groups are split along explained edges than when "
        "they are split at random",
        _ratio((search,), EXPLAINERS, RANDOM, "dram"),
        _spoilt,
        source=f"{PAPER}, tables 2 and 3",
        how=f"DRAM over that with random splitting, same seed; geometric mean of the three "
        f"explainers; {SEEDS}",
        bound=1.0,
        bound_from="the claim",
        plot=plots.arms("DRAM over random splitting's"),
    )
    for search in SEARCHES
)


CHECKS: tuple[Check[Records], ...] = (
    *_PER_SEARCH,
    claim(
        "tree-alone",
        "the tree over all edges, without any explanation, saves 10 % of LS's DRAM",
        _ratio(("LS",), (ALL,), RANDOM, "dram"),
        _spoilt,
        source=OURS,
        how=f"DRAM over that with random splitting, same seed; {SEEDS}",
        bound=0.9,
        bound_from="fixed before this port was written, from a trial of an earlier reconstruction",
    ),
    claim(
        "explanation-matters",
        "explained edges lead to less DRAM than as many random edges through the same tree",
        _ratio(tuple(SEARCHES), EXPLAINERS, HALF, "dram"),
        _spoilt,
        source=OURS,
        how=f"DRAM over that with a random half of the edges, geometric mean over searches; {SEEDS}",
        bound=1.0,
        bound_from="the claim",
        plot=plots.arms("DRAM over a random half's"),
    ),
    claim(
        "explanation-harmless",
        "explained edges lead to at most 5 % more DRAM than as many random edges",
        _ratio(tuple(SEARCHES), EXPLAINERS, HALF, "dram"),
        _spoilt,
        source=OURS,
        how=f"DRAM over that with a random half of the edges, geometric mean over searches; {SEEDS}",
        bound=1.05,
        bound_from="fixed before this port was written",
        plot=plots.arms("DRAM over a random half's"),
    ),
    claim(
        "explanation-saves-queries",
        "with an explanation, fewer groups are costed than over all edges",
        _ratio(tuple(SEARCHES), EXPLAINERS, ALL, "queries"),
        _spoilt,
        source=OURS,
        how=f"groups costed in a search over those with all edges, geometric mean; {SEEDS}",
        bound=1.0,
        bound_from="the claim: what an explanation can save at all",
        plot=plots.arms("costed groups over all edges'"),
    ),
    claim(
        "rectify-rate",
        "the tree splits more than half of the invalid groups with every explainer",
        _rectify,
        with_entries("searches", "runs", lambda run: {"rectified": 0, "groups": 1}),
        source=f"{PAPER}, table 4",
        how=f"share of invalid groups split without falling back on chance, worst explainer; {SEEDS}",
        bound=0.5,
        bound_from="the lowest figure in the table",
        relation="at least",
        plot=plots.arms("share of groups"),
    ),
    claim(
        "mask-per-group-is-slow",
        "fitting a mask to each group takes longer than asking a trained explainer",
        _explaining,
        _free_masks,
        source=f"{PAPER}, table 4",
        how="seconds for a group of GNNExplainer over PGExplainer's, without the seed that compiles; "
        f"{SEEDS}",
        bound=1.0,
        bound_from="the claim",
        relation="at least",
        plot=plots.arms("milliseconds for a group"),
    ),
    claim(
        "memory-saves",
        "remembering groups halves the costed ones at least, and changes no plan",
        _memory,
        _forgetful,
        source=f"{PAPER}, algorithm 1",
        how="costed groups with and without memory in one local search, worst seed",
        bound=0.5,
        bound_from="the claim",
    ),
    claim(
        "near-optimum",
        "the best search with an explainer comes within 10 % of the optimum",
        _best_gap,
        _spoilt,
        source=OURS,
        how=f"least DRAM over searches and explainers, over the optimum; {SEEDS}",
        bound=1.1,
        bound_from="what 'near' means here, chosen after trial runs",
        plot=plots.arms("least DRAM over the optimum's"),
    ),
    claim(
        "exact-is-faster",
        "finding the exact optimum takes less time than a search with an explainer",
        _exact_time,
        _slow,
        source=OURS,
        how="seconds of the dynamic programme over the mean of searches with explainers, training "
        f"not counted; {SEEDS}",
        bound=1.0,
        bound_from="the claim, made after trial runs",
    ),
    claim(
        "large-saving",
        "on EfficientNet-B3, explanation saves NSGA-II more than 20 % of its DRAM",
        _saving,
        _no_saving,
        source=f"{PAPER}, abstract and table 2",
        how=f"DRAM with the best explainer over that with random splitting; {SEEDS}; the optimum "
        "beside it",
        bound=0.8,
        bound_from="the claim",
        plot=plots.arms("DRAM over random splitting's"),
    ),
)
