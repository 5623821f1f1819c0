"""Seconds a step and peak memory of the kernel engine from 10^3 to 10^5 nodes.

The rival, on the same graph and source, is the flood itself in networkx: breadth-first layers.
Every size runs in a process of its own, so that its peak memory is its own.
"""

import json
import subprocess
import sys
from typing import Any

import networkx as nx
import numpy as np

from benchmarks import measure
from ntkexec import executor, graphs, pipeline
from ntkexec.programs import flooding

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
DEGREE = 3


def run() -> dict[str, Any]:
    """The table of sizes, and the slope of log seconds against log nodes."""
    rows = []
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.scale", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
    nodes = np.log([row["nodes"] for row in rows])
    seconds = np.log([row["seconds_a_step"] for row in rows])
    return {"rows": rows, "slope": float(np.polyfit(nodes, seconds, 1)[0])}


def one(num_nodes: int) -> dict[str, Any]:
    """One size, in this process."""
    source = nx.random_regular_graph(DEGREE, num_nodes, seed=0)
    graph = graphs.from_networkx(source)
    before = measure.peak_memory()
    instance = flooding.instance(graph, sources=[0], message=flooding.Message.parse("1011"))
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    engine = pipeline.make_engine("kernel", certificate)

    def flood(verify: bool) -> executor.Execution:
        return executor.execute(
            engine,
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps,
            verify=verify,
        )

    checked = flood(verify=True)
    assert checked.verification is not None
    assert checked.verification.exact
    compile_seconds = flood(verify=False).compile_seconds
    ours = float(np.median([flood(verify=False).run_seconds for _ in range(5)]))
    rival = measure.seconds(lambda: sum(1 for _ in nx.bfs_layers(source, [0])), repeat=5)
    return {
        "nodes": num_nodes,
        "degree": DEGREE,
        "templates": instance.program.num_templates,
        "state_bits": instance.program.layout.num_bits,
        "steps": instance.num_steps,
        "compile_seconds": compile_seconds,
        "seconds_a_step": ours / instance.num_steps,
        "seconds": ours,
        "networkx_seconds": rival,
        "ratio_to_networkx": ours / rival,
        "peak_bytes": measure.peak_memory(),
        "peak_bytes_above_the_graph": measure.peak_memory() - before,
    }


if __name__ == "__main__":
    print(json.dumps(one(int(sys.argv[1]))))
