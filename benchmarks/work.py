"""Seconds a step against the size of the program, on one graph.

Flooding with messages of 1 to 60 bits on 100,000 nodes: conditions and outputs of all templates
grow in proportion, and so should the time.
"""

from typing import Any

from benchmarks import measure
from ntkexec import graphs, pipeline
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.programs.graph import flooding

NODES, DEGREE = 100_000, 4
BITS = (1, 2, 4, 8, 16, 32, 60)
# Programs of so many sizes, the largest, consist of what grows with the message.
LARGE = 4


def run() -> dict[str, Any]:
    """The table, and the slopes of log seconds against log nonzeros."""
    graph = graphs.random_regular(NODES, DEGREE, seed=0)
    rows = []
    for bits in BITS:
        message = flooding.Message.parse("10" * (bits // 2) or "1")
        instance = flooding.instance(graph, sources=[0], message=message)
        pipeline.certify(instance.program, num_decisions=instance.num_decisions).require()
        prepared = prepare(PackedProgram(instance.program), instance.graphs)
        first = prepared.run(instance.num_steps)
        # The shortest, since other work on the machine can only add.
        seconds = min(prepared.run(instance.num_steps).run_seconds for _ in range(15))
        rows.append(
            {
                "message_bits": bits,
                "templates": instance.program.num_templates,
                "nonzeros": instance.program.num_nonzeros,
                "compile_seconds": first.compile_seconds,
                "seconds_a_step": seconds / instance.num_steps,
            }
        )
    return {"rows": rows, "slope": _slope(rows), "slope_large": _slope(rows[-LARGE:])}


def _slope(rows: list[dict[str, Any]]) -> float:
    return measure.slope([row["nonzeros"] for row in rows], [row["seconds_a_step"] for row in rows])
