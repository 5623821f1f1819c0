"""How far a turn of the clock is from the least that memory allows.

Bytes and operations of a turn of breadth-first search on a million nodes are counted from the
program: every row that the turn reads or writes once, the table of neighbours and the slots once a
message bit. Bandwidth is measured by copying an array far larger than the caches, in the same run.
"""

from typing import Any

import jax
import numpy as np

from benchmarks import measure
from ntkexec import graphs, pipeline
from ntkexec.engines.packed.execution import PackedExecution, prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.programs.graph import bfs

NODES, DEGREE = 1_000_000, 4


def run() -> dict[str, Any]:
    """Bytes, operations, seconds, bandwidth and the achieved fraction of it."""
    graph = graphs.random_regular(NODES, DEGREE, seed=0)
    instance = bfs.instance(graph, sources=[0])
    prepared = prepare(PackedProgram(instance.program), instance.graphs)
    counted = count(prepared)
    prepared.run(instance.num_steps)
    turns = instance.num_steps // len(prepared.orbit.ring)
    # The quiet turns at the start gather nothing, so this is an average over the search.
    seconds = (
        float(np.median([prepared.run(instance.num_steps).run_seconds for _ in range(9)])) / turns
    )
    bandwidth = measure.bandwidth()
    achieved = counted["bytes"] / seconds
    return {
        "nodes": NODES,
        "program": repr(instance.program),
        "certificate": pipeline.certify(
            instance.program, num_decisions=instance.num_decisions
        ).verdict(),
        "turns": turns,
        "seconds_a_turn": seconds,
        "bytes_a_turn": counted["bytes"],
        "bytes_a_turn_and_node": counted["bytes"] / NODES,
        "word_operations_a_turn": counted["operations"],
        "bits_gathered_a_turn": counted["gathered"],
        "gigabytes_a_second": achieved / 1e9,
        "copy_gigabytes_a_second_numpy": bandwidth["numpy_copy"] / 1e9,
        "copy_gigabytes_a_second_jax": bandwidth["jax_copy"] / 1e9,
        "fraction_of_bandwidth": achieved / max(bandwidth.values()),
    }


def count(prepared: PackedExecution) -> dict[str, int]:
    """What a turn must move and calculate, from the program and the graph alone."""
    packed, ring = prepared.packed, prepared.orbit.ring
    possible = packed.possible_when_ring_starts(frozenset(prepared.start.rows), ring)
    changing, operations, sent = possible, 0, 0
    begins = len(possible)
    kept = possible
    for clock in ring:
        plan = packed.plan(possible, clock)
        kept, possible = kept & plan.kept, plan.possible
        operations += sum(
            max(0, len(entry.condition) - 1) + len(entry.outputs) for entry in plan.templates
        ) - len(possible)
        sent += prepared.payload_rows(possible)
    words = prepared.neighbours.valid.shape[0]
    written = len(changing - kept)
    tables = sum(
        array.nbytes
        for array in jax.tree.leaves((prepared.neighbours.table, prepared.neighbours.slots))
    )
    return {
        "bytes": 4 * words * (begins + written) + sent * tables,
        "operations": operations * words,
        "gathered": sent * prepared.neighbours.table.low.size,
    }
