"""Claims about the greedy tree on other networks than those where it is compared in full."""

from collections.abc import Mapping
from typing import Any

from experiments.harness.experiment import Record, Records
from experiments.harness.statistics import LEVEL, mean
from experiments.systems.op_fusion.judging import EXACT, OURS, PAPER, claim, with_entries
from experiments.systems.op_fusion.measure_search import ALL, RANDOM
from ntkexec.check import Check, Measurement


def _ratios(records: Records) -> Measurement:
    """The network where the tree does worst, with intervals that hold for all of them together."""
    names = list(records[0]["elsewhere"]["networks"])
    found = {}
    for name in names:
        rows = _rows(records, name)
        ratios = [row[ALL]["dram"] / row[RANDOM]["dram"] for row in rows]
        found[name] = mean(ratios, level=1 - (1 - LEVEL) / len(names))
    worst = max(found.values(), key=lambda estimate: estimate.high)
    optimum = {
        name: min(row["optimum"] / row[ALL]["dram"] for row in _rows(records, name))
        for name in names
    }
    return worst.measurement(
        networks={name: e.to_data() for name, e in found.items()}, optimum_over_tree=optimum
    )


def _rows(records: Records, name: str) -> list[Mapping[str, Any]]:
    return [record["elsewhere"]["networks"][name] for record in records]


def _worse(record: Record) -> Record:
    return with_entries(
        "elsewhere", "networks", lambda row: {ALL: {"dram": 2 * row[RANDOM]["dram"]}}
    )(record)


def _chain(records: Records) -> Measurement:
    rows = [row for r in records for row in r["chain"]["buffers_kb"].values()]
    groups = {buffer: row["groups"] for buffer, row in records[0]["chain"]["buffers_kb"].items()}
    return Measurement(
        max(row["greedy"] / row["optimum"] for row in rows), details={"groups": groups}
    )


CHECKS: tuple[Check[Records], ...] = (
    claim(
        "tree-elsewhere",
        "the tree over all edges leads LS to no more DRAM than random splitting does, on smaller networks",
        _ratios,
        _worse,
        source=f"{PAPER}, table 3",
        how="DRAM over that with random splitting, same seed; the worst network, joint 95 % t interval",
        bound=1.0,
        bound_from="the claim",
    ),
    claim(
        "greedy-on-vgg",
        "on VGG16's chain of fusable operators the greedy tree is optimal, for 128, 256 and 512 KB",
        _chain,
        with_entries("chain", "buffers_kb", lambda row: {"greedy": row["greedy"] + 1}),
        source=OURS,
        how="largest ratio of the tree's DRAM to the optimum's",
        bound=1.0,
        bound_from=EXACT,
    ),
)
