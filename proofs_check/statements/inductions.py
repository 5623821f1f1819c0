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
from proofs_check.statements.algorithms import instances

UNREACHABLE = 1 << 20
# Here only executions are looked at.
SOURCE = (
    "docs/proofs.md; proved on the templates for every graph by `ntkexec prove`: docs/theorems.md"
)


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
        right &= ~fields["phase"] & ~fields["inbox.full"].any(axis=1)
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


def measure_dfs(scale: Scale, late: int = 0) -> Measurement:
    """Nodes and rounds in which the hypothesis for DFS does not hold.

    Args:
        scale: which graphs.
        late: added to r, for counter-cases.
    """
    instance = instances(scale)["dfs"]
    expected = instance.reference()
    discovery, finish = expected["discovery"], expected["finish"]
    parent, has_parent = expected["parent"], expected["parent"] >= 0
    distance = instances(scale)["bfs"].reference()["distance"]
    # Graphs are connected, so the last time of each is its source's finish.
    graph, layout = instance.graph, instance.program.layout
    last = np.concatenate(
        [np.full_like(finish[part], finish[part].max()) for part in graph.node_ranges()]
    )
    size, ports = 1 << len(layout.bits("finish")), len(layout.bits("parent"))
    neighbours = in_neighbours(graph, ports)
    free = neighbours < 0
    beyond = np.where(free, 0, discovery[np.maximum(neighbours, 0)])
    parent_port = np.where(has_parent, (neighbours == parent[:, None]).argmax(axis=1), -1)

    def holds_token(r: int) -> np.ndarray:
        """Who is on top of the stack after tick r + 1; nobody once the search is over."""
        found = discovery == r + 1
        found[parent[(finish == r + 1) & has_parent]] = True
        return found

    wrong = 0
    for step, fields in enumerate(traced(instance)):
        if step % 2:
            continue
        r = step // 2 + late
        visited, done = discovery <= r, distance <= r + 1 - last
        right = fields["visited"] == visited
        right &= fields["called"] == holds_token(r)
        right &= fields["finished"] == (finish <= r + 1)
        right &= fields["discovery"] == np.where(visited, discovery, 0)
        right &= fields["finish"] == np.minimum(finish, r + 1) % size
        right &= fields["parent"] == np.where(visited, parent_port, -1)
        right &= (fields["neighbour.gone"] == (free | (beyond <= r))).all(axis=1)
        held = ~free & holds_token(r - 1)[np.maximum(neighbours, 0)]
        right &= fields["caller"] == np.where(held.any(axis=1), held.argmax(axis=1), -1)
        right &= fields["done"] == done
        right &= ~fields["inbox.call"].any(axis=1)
        right &= (fields["inbox.here"] == _here(instance, done)).all(axis=1)
        wrong += int((~right).sum())
    return Measurement(wrong, details={"nodes": len(finish), "steps": instance.num_steps})


def _here(instance: Instance, done: np.ndarray) -> np.ndarray:
    """By node and slot, whether the node of that colour in the closed neighbourhood is done."""
    graph, colours = instance.graph, np.asarray(instance.graph.colours)
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    found = np.zeros((graph.num_nodes, graph.num_colours), bool)
    found[np.arange(graph.num_nodes), colours] = done
    found[receivers[done[senders]], colours[senders[done[senders]]]] = True
    return found


def measure_bellman_ford(scale: Scale, late: int = 0) -> Measurement:
    """Nodes and steps in which the hypotheses for Bellman-Ford do not hold.

    Args:
        scale: which graphs; those of `standard` for `full`, since every step is kept.
        late: rounds added to t, for counter-cases.
    """
    instance = instances("quick" if scale == "quick" else "standard")["bellman-ford"]
    program, layout = instance.program, instance.program.layout
    word, ports = len(layout.bits("distance")), len(layout.bits("parent"))
    length, size = program.round_length, 1 << len(layout.bits("distance"))
    first = layout.unpack(instance.initial)
    neighbours = in_neighbours(instance.graph, ports)
    free = neighbours < 0
    # Distances as they are stored, that is without a sign, and 0 where there is none yet.
    relaxed = _relaxed(first, neighbours, size, rounds=instance.num_steps // length + late)
    wrong = 0
    for step, fields in enumerate(traced(instance)):
        t, s = divmod(step, length)
        reached, distance, parent, improved = relaxed[t + late]
        right = fields["reached"] == reached
        right &= fields["distance"] == distance
        right &= fields["parent"] == parent
        if s == 0:
            right &= fields["improved"] == improved
        sums = np.where(free, 0, (distance[neighbours] + first["edge.weight"]) % size)
        if 5 <= s <= word + 4:
            low = 1 << (s - 4)
            right &= ((fields["sum.kept"] - sums) % low == 0).all(axis=1)
            candidates = np.concatenate([distance[:, None], sums], axis=1) % low
            pairs = [(one, other) for other in range(ports + 1) for one in range(other)]
            less = [candidates[:, other] < candidates[:, one] for one, other in pairs]
            right &= (fields["pair.smaller"] == np.stack(less, axis=1)).all(axis=1)
        wrong += int((~right).sum())
    return Measurement(wrong, details={"nodes": len(free), "steps": instance.num_steps})


def _relaxed(
    first: dict[str, np.ndarray], neighbours: np.ndarray, size: int, *, rounds: int
) -> list[tuple[np.ndarray, ...]]:
    """Who is reached, distance, parent's port and who improved, before each round and at the end."""
    reached, distance = first["reached"].copy(), first["distance"].astype(int)
    parent, improved = np.full(len(reached), -1), np.zeros(len(reached), bool)
    found: list[tuple[np.ndarray, ...]] = [(reached, distance, parent, improved)]
    for _ in range(rounds):
        live = (neighbours >= 0) & reached[neighbours]
        # Larger than any distance where there is no sum.
        sums = np.where(live, (distance[neighbours] + first["edge.weight"]) % size, size)
        improved = sums.min(axis=1) < np.where(reached, distance, size)
        distance = np.where(improved, sums.min(axis=1), distance)
        parent = np.where(improved, sums.argmin(axis=1), parent)
        reached = reached | improved
        found.append((reached, distance, parent, improved))
    return found


CHECKS = (
    Check(
        name="induction-flooding",
        claim="before step 2r a node holds message and arrival time exactly if its distance is at most r",
        formula=r"\text{informed}_{2r}(v) \iff d(v) \le r",
        source=SOURCE,
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
        source=SOURCE,
        how="nodes and rounds that contradict the hypothesis, on all small graphs and random ones",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_bfs,
        broken=functools.partial(measure_bfs, late=1),
    ),
    Check(
        name="induction-dfs",
        claim="before step 2r the node on top of the textbook's stack after r + 1 ticks has the token",
        formula=r"\text{called}_{2r}(v) \iff v = u_r, \quad \text{visited}_{2r}(v) \iff d(v) \le r",
        source=SOURCE,
        how="nodes and rounds that contradict the hypothesis, on all small graphs and random ones",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_dfs,
        broken=functools.partial(measure_dfs, late=1),
    ),
    Check(
        name="induction-bellman-ford",
        claim="t rounds of all nodes relaxing at once; s steps into a round s - 4 bits are compared",
        formula=r"\delta_{t+1}(v) = \min(\delta_t(v), \min_u \delta_t(u) + w(u, v))",
        source=SOURCE,
        how="nodes and steps that contradict the hypotheses, on all small graphs and random ones",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_bellman_ford,
        broken=functools.partial(measure_bellman_ford, late=1),
    ),
)
