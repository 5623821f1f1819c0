"""Seconds a step of the `ensemble` engine against the number of networks that it averages.

Networks as they are drawn: what they decide is of no matter here, and training would change no time.
"""

from typing import Any

from benchmarks import measure
from ntkexec import ensemble, executor, graphs, pipeline
from ntkexec.ensemble import EnsembleConfig
from ntkexec.programs.graph import bfs

NODES, DEGREE, STEPS = 300, 4, 4
MEMBERS = (2, 4, 8, 16, 32)
WIDTH = 512


def run() -> dict[str, Any]:
    """The table, and the slope of log seconds against log members."""
    graph = graphs.random_regular(NODES, DEGREE, seed=0)
    instance = bfs.instance(graph, sources=[0])
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    rows = []
    for members in MEMBERS:
        networks = ensemble.draw(certificate.problem, EnsembleConfig(members=members, width=WIDTH))
        engine = pipeline.make_engine("ensemble", certificate, networks)
        times = [
            executor.execute(
                engine, instance.program, instance.graphs, num_steps=STEPS, verify=False
            ).run_seconds
            for _ in range(4)
        ]
        rows.append(
            {
                "members": members,
                "networks": members * len(certificate.problem.components),
                "seconds_a_step": min(times) / STEPS,
            }
        )
    slope = measure.slope(MEMBERS, [row["seconds_a_step"] for row in rows])
    return {"rows": rows, "nodes": NODES, "width": WIDTH, "slope": slope}
