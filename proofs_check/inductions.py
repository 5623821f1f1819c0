"""The induction hypotheses of docs/proofs.md, evaluated in every round of executions.

An induction that is written down wrong would still end in a right claim; here its hypothesis itself
is measured.
"""

import functools

import numpy as np

from ntkexec import executor, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.graphs.ports import in_neighbours
from ntkexec.programs.instance import Instance
from proofs_check.algorithms import instances

UNREACHABLE = 1 << 20


def traced(instance: Instance) -> list[dict[str, np.ndarray]]:
    """The fields of all nodes before every step and after the last, by the program itself."""
    certificate = pipeline.certify(instance.program, num_decisions=1)
    execution = executor.execute(
        pipeline.make_engine("boolean", certificate),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
        verify=False,
        trace=True,
    )
    assert execution.trace is not None
    return [instance.program.layout.unpack(states) for states in execution.trace]


def measure_flooding(scale: Scale, late: int = 0) -> Measurement:
    """Nodes and rounds in which the hypothesis for flooding does not hold.

    Args:
        scale: which graphs.
        late: added to r, for counter-cases.
    """
    instance = instances(scale)["flooding"]
    distance = instance.reference()["arrival"]
    distance = np.where(distance < 0, UNREACHABLE, distance)
    (message,) = np.unique(instance.reference()["message"][distance < UNREACHABLE])
    size = 1 << len(instance.program.layout.bits("arrival"))
    wrong = 0
    for step, fields in enumerate(traced(instance)):
        if step % 2:
            continue
        r = step // 2 + late
        informed = distance <= r
        right = fields["informed"] == informed
        right &= fields["message"] == np.where(informed, message, 0)
        right &= fields["arrival"] == np.minimum(distance, r) % size
        right &= ~fields["receiving"] & ~fields["inbox.full"].any(axis=1)
        right &= ~fields["inbox.message"].any(axis=1)
        wrong += int((~right).sum())
    return Measurement(wrong, details={"nodes": len(distance), "steps": instance.num_steps})


def measure_bfs(scale: Scale, late: int = 0) -> Measurement:
    """Nodes and rounds in which the hypothesis for BFS does not hold.

    Args:
        scale: which graphs.
        late: added to r, for counter-cases.
    """
    instance = instances(scale)["bfs"]
    expected = instance.reference()
    distance = np.where(expected["distance"] < 0, UNREACHABLE, expected["distance"])
    layout = instance.program.layout
    size, ports = 1 << len(layout.bits("distance")), len(layout.bits("parent"))
    neighbours = in_neighbours(instance.graph, ports)
    # Distance of the neighbour at each port; a free port leads to nobody.
    beyond = np.where(neighbours < 0, -9, distance[np.maximum(neighbours, 0)])
    wrong = 0
    for step, fields in enumerate(traced(instance)):
        if step % 2:
            continue
        r = step // 2 + late
        previous = beyond == distance[:, None] - 1
        parent = np.where(previous.any(axis=1), previous.argmax(axis=1), -1)
        right = fields["reached"] == (distance < r)
        right &= (distance < r) | (fields["called"] == (distance == r))
        right &= (distance < r) | (fields["calls.made"] == (beyond == r - 1)).all(axis=1)
        right &= fields["distance"] == np.minimum(distance, r - 1) % size
        right &= fields["parent"] == np.where((distance > 0) & (distance < r), parent, -1)
        right &= ~fields["inbox.call"].any(axis=1)
        wrong += int((~right).sum())
    return Measurement(wrong, details={"nodes": len(distance), "steps": instance.num_steps})


CHECKS = (
    Check(
        name="induction-flooding",
        claim="before step 2r a node holds message and arrival time exactly if its distance is at most r",
        formula=r"\text{informed}_{2r}(v) \iff d(v) \le r",
        source="docs/proofs.md",
        how="nodes and rounds that contradict the hypothesis, on all small graphs and random ones",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_flooding,
        broken=functools.partial(measure_flooding, late=1),
    ),
    Check(
        name="induction-bfs",
        claim="before step 2r a node has its distance and parent exactly if its distance is below r",
        formula=r"\text{reached}_{2r}(v) \iff d(v) < r",
        source="docs/proofs.md",
        how="nodes and rounds that contradict the hypothesis, on all small graphs and random ones",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_bfs,
        broken=functools.partial(measure_bfs, late=1),
    ),
)
