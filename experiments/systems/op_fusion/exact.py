"""The best plan there is: by dynamic programming over what can be executed first."""

from collections.abc import Callable

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group, members
from experiments.systems.op_fusion.plan import Plan
from ntkexec.errors import ExperimentError

STATES = 20_000


def optimal_plan(
    cost: CostModel,
    within: Group | None = None,
    *,
    most_states: int = STATES,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Plan:
    """A plan that moves as little DRAM as any.

    Groups of a plan can be ordered such that every prefix is closed under predecessors, and costs
    add up. So the cheapest way to execute a closed set is the cheapest last group after the cheapest
    way to execute the rest, and every closed set is solved once. A chain of n operators has n + 1 of
    them, and so have residual blocks without a projection; parallel branches multiply.

    Args:
        cost: of the network and buffer.
        within: a group to be split alone; the whole network by default.
        most_states: closed sets that may be met.
        report: told about progress, in closed sets.

    Raises:
        ExperimentError: if there are more closed sets than allowed.
    """
    graph = cost.graph
    everything = graph.everything if within is None else within
    fusable = cost.fusable()
    if within is not None and within & ~fusable:
        raise ExperimentError("a group with an operator that does not fit cannot be split")
    best: dict[Group, tuple[int, Group, Group]] = {0: (0, 0, 0)}  # cost, rest, last group
    layers: list[set[Group]] = [set() for _ in range(everything.bit_count() + 1)]
    layers[0].add(0)
    solved = 0
    for layer in layers:
        for done in layer:
            solved += 1
            spent = best[done][0]
            for group in _next_groups(cost, done, everything, fusable):
                price = cost(group).dram if group & fusable else 0
                state = done | group
                if state not in best:
                    if len(best) >= most_states:
                        raise ExperimentError(
                            f"more than {most_states} sets of operators can be executed first; the "
                            "exact optimum is out of reach for so many parallel branches"
                        )
                    layers[state.bit_count()].add(state)
                if state not in best or spent + price < best[state][0]:
                    best[state] = (spent + price, done, group)
        report("closed sets solved", solved, len(best))
    plan, state = [], everything
    while state:
        _, rest, group = best[state]
        if group & fusable:
            plan.append(group)
        state = rest
    return tuple(reversed(plan))


def _next_groups(cost: CostModel, done: Group, everything: Group, fusable: Group) -> list[Group]:
    """Valid connected groups that can be executed when `done` is."""
    graph = cost.graph
    found: list[Group] = []

    def ready(done: Group) -> list[int]:
        return [
            v for v in members(everything & ~done) if not graph.predecessors[v] & everything & ~done
        ]

    seen: set[Group] = set()
    stack = [1 << v for v in ready(done)]
    while stack:
        group = stack.pop()
        if group in seen:
            continue
        seen.add(group)
        if not group & fusable:
            found.append(group)
            continue
        # A larger group needs at least this, so nothing is lost; memory itself may fall.
        if cost.least_memory(group) >= cost.buffer:
            continue
        if graph.is_connected(group) and cost.is_valid(group):
            found.append(group)
        # Disconnected groups may grow together, so they are grown as well.
        stack += [group | 1 << v for v in ready(done | group) if fusable >> v & 1]
    return found
