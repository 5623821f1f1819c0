"""The trained ensemble on large graphs: networks evaluated at every node, or once at every match set.

Breadth-first search on random 4-regular graphs. `ensemble` multiplies matrices for every node and
step; `ensemble-memo` evaluates the same networks beforehand at all sets of matches. Both give the
same states, which is checked.
"""

import time
from typing import Any

import numpy as np

from ntkexec import ensemble, executor, graphs, pipeline
from ntkexec.programs.graph import bfs

SIZES = (1_000, 10_000, 1_000_000)
LARGEST_FOR_PLAIN = 10_000
DEGREE = 4
# One program, and so one ensemble, for all sizes.
PARAMETERS = {"degree": DEGREE, "slots": 13, "word": 4}


def run() -> dict[str, Any]:
    """Seconds a step of both, training and tabulation apart."""
    program = bfs.program(**PARAMETERS)
    decisions = 10**10
    certificate = pipeline.certify(program, num_decisions=decisions)
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate), members=None, seed=0, delta=1e-3, num_decisions=decisions
    )
    start = time.perf_counter()
    networks = ensemble.train(certificate.problem, config)
    trained = time.perf_counter()
    memo = pipeline.make_engine("ensemble-memo", certificate, networks)
    tabulated = time.perf_counter()
    plain = pipeline.make_engine("ensemble", certificate, networks)
    rows = []
    for size in SIZES:
        graph = graphs.random_regular(size, DEGREE, seed=0)
        instance = bfs.instance(graph, sources=[0], sizes=PARAMETERS)

        def search(engine: Any, instance: Any = instance) -> executor.Execution:
            return executor.execute(
                engine,
                instance.program,
                instance.graphs,
                num_steps=instance.num_steps,
                verify=False,
            )

        found = search(memo)
        seconds = float(np.median([search(memo).run_seconds for _ in range(5)]))
        plain_seconds = None
        if size <= LARGEST_FOR_PLAIN:
            expected = search(plain)
            assert np.array_equal(expected.states, found.states)
            plain_seconds = expected.run_seconds / instance.num_steps
        rows.append(
            {
                "nodes": size,
                "steps": instance.num_steps,
                "memo_seconds_a_step": seconds / instance.num_steps,
                "plain_seconds_a_step": plain_seconds,
            }
        )
    return {
        "rows": rows,
        "networks": len(certificate.problem.components) * config.members,
        "width": config.width,
        "train_seconds": trained - start,
        "tabulate_seconds": tabulated - trained,
        "relies_on": memo.relies_on,  # type: ignore[attr-defined]
    }
