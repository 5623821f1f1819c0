"""How many answers are wrong: every algorithm on every family of graphs, whole answers compared.

A graph with one wrong node is wrong. Bits count every bit of every node in every step, against the
program. `python -m benchmarks exactness` runs all families, in hours;
`python -m benchmarks.exactness` measures the lines that the table in docs/exactness.md lacks, and
writes each when it is known, so that it goes on where it was stopped.
"""

import argparse
import dataclasses
import functools
import sys
import time
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np

from benchmarks.exactness_page import PAGE, line, page, recorded
from benchmarks.families import FAMILIES, SPLIT, Case, Row, plan
from ntkexec import ensemble, executor, graphs, pipeline
from ntkexec.ensemble import EnsembleConfig
from ntkexec.graphs.splitting import LEAST_DEGREE
from ntkexec.programs import Instance
from ntkexec.programs.graph import (
    bellman_ford,
    bellman_ford_split,
    bfs,
    bfs_queue,
    bfs_split,
    dfs,
    dfs_split,
    flooding,
    flooding_split,
)
from ntkexec.runtime import files
from ntkexec.theory.certificate import Certificate

# Random weights for Bellman-Ford.
WEIGHTS = (1, 9)
# Nodes of one batch, at most; a larger graph is a batch of its own.
BATCH_NODES = 30_000
# What the certificate allows for: probability of an error, in so many decided bits.
DELTA, DECISIONS = 1e-3, 10**9


def prepare(algorithm: str, batch: graphs.Graph, sources: list[int]) -> Instance:
    """The instance of an algorithm on a batch, which is split for programs on split graphs."""
    if algorithm in SPLIT:
        return _prepare_split(algorithm, graphs.split(batch, LEAST_DEGREE), sources)
    if algorithm == "flooding":
        return flooding.instance(batch, sources=sources, message=flooding.Message.parse("1011"))
    if algorithm == "dfs-forest":
        return dfs.forest_instance(batch)
    modules: dict[str, Any] = {
        "bfs": bfs,
        "bfs-queue": bfs_queue,
        "dfs": dfs,
        "bellman-ford": bellman_ford,
    }
    return modules[algorithm].instance(batch, sources=sources)


def _prepare_split(algorithm: str, parts: graphs.SplitGraph, sources: list[int]) -> Instance:
    if algorithm == "flooding-split":
        message = flooding.Message.parse("1011")
        return flooding_split.instance(parts, sources=sources, message=message)
    if algorithm == "dfs-forest-split":
        return dfs_split.forest_instance(parts)
    modules: dict[str, Any] = {
        "bfs-split": bfs_split,
        "dfs-split": dfs_split,
        "bellman-ford on trees": bellman_ford_split,
    }
    return modules[algorithm].instance(parts, sources=sources)


def batches(cases: Iterator[Case], weighted: bool) -> Iterator[tuple[graphs.Graph, list[int]]]:
    """Batches of cases, and the sources as indices into them; with random weights if wanted."""
    rng = np.random.default_rng(1)
    parts: list[graphs.Graph] = []
    starts: list[int] = []

    def batch() -> tuple[graphs.Graph, list[int]]:
        joined = graphs.batch(parts)
        return joined, [p.start + s for p, s in zip(joined.node_ranges(), starts, strict=True)]

    for graph, source in cases:
        if weighted:
            graph = graph.copy()
            nx.set_edge_attributes(
                graph,
                {e: int(rng.integers(WEIGHTS[0], WEIGHTS[1] + 1)) for e in graph.edges},
                "weight",
            )
        # A graph without edges has no weights either.
        part = graphs.from_networkx(graph, weight="weight" if weighted and graph.edges else None)
        if weighted and not graph.edges:
            continue
        if parts and sum(p.num_nodes for p in parts) + part.num_nodes > BATCH_NODES:
            yield batch()
            parts.clear()
            starts.clear()
        parts.append(part)
        starts.append(source)
    if parts:
        yield batch()


@dataclasses.dataclass
class Tally:
    """What came out on a family."""

    graphs: int = 0
    nodes: int = 0
    wrong_graphs: int = 0
    wrong_bits: int = 0
    decided_bits: int = 0
    most_steps: int = 0
    most_matches: int = 0
    smallest_margin: float = float("inf")
    covered: bool = True


def judge(instance: Instance, engine: Any, certificate: Certificate, tally: Tally) -> None:
    """Executes an instance, compares the answers, and adds to the tally."""
    found = executor.execute(
        engine,
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
        until=instance.until,
        halt=instance.halt if instance.until == "halt" else None,
    )
    answer, expected = instance.decode(found.states), instance.reference()
    wrong = np.zeros(instance.graph.num_nodes, bool)
    for field, values in expected.items():
        wrong |= answer[field] != values
    parts = instance.graph.node_ranges()
    checked = found.verification
    assert checked is not None
    # Verified beside the plain engine, which counts matches and calculates means.
    assert checked.largest_matches is not None
    assert checked.smallest_margin is not None
    tally.graphs += len(parts)
    tally.nodes += instance.graph.num_nodes
    tally.wrong_graphs += sum(bool(wrong[part.start : part.stop].any()) for part in parts)
    tally.wrong_bits += checked.wrong_bits
    written = int((instance.program.num_writers > 0).sum())
    tally.decided_bits += written * instance.executed_graph.num_nodes * found.steps
    tally.most_steps = max(tally.most_steps, found.steps)
    tally.most_matches = max(tally.most_matches, int(checked.largest_matches.max()))
    tally.smallest_margin = min(tally.smallest_margin, checked.smallest_margin)
    tally.covered &= certificate.covers(checked.largest_matches)


@functools.lru_cache(maxsize=32)
def engine_for(name: Any, program: Any, seed: int) -> tuple[Any, Certificate]:
    """The engine for a program; an ensemble as large as the certificate says."""
    certificate = pipeline.certify(program, delta=DELTA, num_decisions=DECISIONS)
    networks = None
    if name == "ensemble":
        config = EnsembleConfig(
            members=certificate.ensemble_size(delta=DELTA, num_decisions=DECISIONS),
            width=pipeline.default_width(certificate),
            seed=seed,
        )
        networks = ensemble.train(certificate.problem, config)
    return pipeline.make_engine(name, certificate, networks), certificate


def measure_row(row: Row) -> dict[str, Any]:
    """Runs every case of the line's family."""
    tally, start = Tally(), time.perf_counter()
    for batch, sources in batches(
        FAMILIES[row.family](), weighted=row.algorithm.startswith("bellman-ford")
    ):
        instance = prepare(row.algorithm, batch, sources)
        judge(instance, *engine_for(row.engine, instance.program, row.seed), tally)
    return dataclasses.asdict(row) | vars(tally) | {"seconds": time.perf_counter() - start}


def run() -> dict[str, Any]:
    """All lines of the table."""
    rows = []
    for row in plan():
        rows.append(measure_row(row))
        print(rows[-1], file=sys.stderr, flush=True)
    return {"rows": rows}


def main() -> None:
    """Measures the lines that the page lacks, and writes the page after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness", description=__doc__)
    parser.add_argument("--anew", action="store_true", help="measure all lines again")
    parser.add_argument("--only", metavar="TEXT", default="", help="of lines that begin with this")
    options = parser.parse_args()
    lines = {} if options.anew else recorded(PAGE.read_text(encoding="utf-8"))
    todo = [row for row in plan() if row not in lines]
    for row in todo:
        if not ", ".join(row.head).startswith(options.only):
            continue
        result = measure_row(row)
        print(result, file=sys.stderr, flush=True)
        lines[row] = line(row, result)
        files.write(PAGE, page(lines).encode("utf-8"))
    files.write(PAGE, page(lines).encode("utf-8"))


if __name__ == "__main__":
    main()
