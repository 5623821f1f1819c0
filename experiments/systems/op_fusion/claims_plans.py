"""Claims about plans, by whatever search or splitting they were found."""

from collections.abc import Mapping
from typing import Any

from experiments.harness.experiment import Record, Records
from experiments.systems.op_fusion.judging import EXACT, OURS, PAPER, claim, with_entries
from ntkexec.check import Check, Measurement


def _broken_rules(records: Records) -> Measurement:
    found = [row for record in records for row in record["repairs"]["networks"].values()]
    return Measurement(
        float(sum(sum(row["after"].values()) for row in found)),
        details={what: sum(row[what] for row in found) for what in ("plans", "groups")},
    )


def _every_run(records: Records) -> list[tuple[float, Mapping[str, Any]]]:
    return [
        (record[study]["optimum"], run)
        for record in records
        for study in ("searches", "large")
        for run in record[study]["runs"].values()
    ]


def _problems(records: Records) -> Measurement:
    problems = [run["problem"] for _, run in _every_run(records) if run["problem"]]
    return Measurement(float(len(problems)), details={"problems": problems[:3]})


def _troubled(record: Record) -> Record:
    return with_entries("searches", "runs", lambda run: {"problem": "put in"})(record)


def _never_below(records: Records) -> Measurement:
    return Measurement(min(run["dram"] / optimum for optimum, run in _every_run(records)))


CHECKS: tuple[Check[Records], ...] = (
    claim(
        "repairs-valid",
        "every plan whose groups were split until they fit is disjoint, covering, connected, free of "
        "circles and within the buffer",
        _broken_rules,
        with_entries("repairs", "networks", lambda v: {"after": v["before"]}),
        source=f"{PAPER}, algorithm 1",
        how="rules broken by random plans after splitting, along all or half of the edges or at random, "
        "judged by networkx; the broken twin judges them before",
        bound=0.0,
        bound_from=EXACT,
    ),
    claim(
        "plans-valid",
        "every plan found covers the operators with connected groups that fit and can be ordered",
        _problems,
        _troubled,
        source=PAPER,
        how="best plans of all searches with a violation",
        bound=0.0,
        bound_from=EXACT,
    ),
    claim(
        "never-below-optimum",
        "no search beats the exact optimum",
        _never_below,
        with_entries("searches", "runs", lambda run: {"dram": 1}),
        source=OURS,
        how="least DRAM of a search over the optimum",
        bound=1.0,
        bound_from="what an optimum is",
        relation="at least",
    ),
)
