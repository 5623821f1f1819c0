"""The best plan there is: by dynamic programming over what can be executed first."""

from collections.abc import Iterator

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group, members
from experiments.systems.op_fusion.plan import Plan
from ntkexec.errors import ExperimentError

MOST_GROUPS = 50_000


class OutOfReachError(ExperimentError):
    """A graph has too many parallel branches for the exact optimum."""


def optimal_plan(cost: CostModel, *, most_groups: int = MOST_GROUPS) -> Plan:
    """A plan that moves as little DRAM as any.

    Groups of a plan can be ordered such that every prefix is closed under predecessors, and costs
    add up. So the cheapest way to execute a closed set is the cheapest last group after the cheapest
    way to execute the rest, and every closed set is solved once. A chain of n operators has n + 1 of
    them, and so have residual blocks without a projection; parallel branches multiply.

    Args:
        cost: of the network and buffer.
        most_groups: that may be looked at, over all closed sets.

    Raises:
        OutOfReachError: if there are more to look at.
    """
    fusable, looked_at = cost.fusable(), 0
    best: dict[Group, tuple[int, Group, Group]] = {0: (0, 0, 0)}  # cost, rest, last group
    layers: list[set[Group]] = [set() for _ in range(len(cost.graph) + 1)]
    layers[0].add(0)
    for layer in layers:
        for done in layer:
            spent = best[done][0]
            for group in _grown(cost, done, fusable):
                looked_at += 1
                if looked_at > most_groups:
                    raise OutOfReachError(
                        f"more than {most_groups} groups can be executed when others are; the exact "
                        "optimum is out of reach for so many parallel branches"
                    )
                if group & fusable and not (
                    cost.graph.is_connected(group) and cost.is_valid(group)
                ):
                    continue
                price = cost(group).dram if group & fusable else 0
                state = done | group
                if state not in best or spent + price < best[state][0]:
                    layers[state.bit_count()].add(state)
                    best[state] = (spent + price, done, group)
    plan, state = [], cost.graph.everything
    while state:
        _, rest, group = best[state]
        if group & fusable:
            plan.append(group)
        state = rest
    return tuple(reversed(plan))


def _grown(cost: CostModel, done: Group, fusable: Group) -> Iterator[Group]:
    """Groups that can be executed when `done` is: single operators that do not fit, and all others
    that might be part of one that fits. Disconnected groups may grow together, so they are among them."""
    graph = cost.graph

    def ready(done: Group) -> list[int]:
        return [v for v in members(graph.everything & ~done) if not graph.predecessors[v] & ~done]

    seen: set[Group] = set()
    stack = [1 << v for v in ready(done)]
    while stack:
        group = stack.pop()
        if group in seen:
            continue
        seen.add(group)
        if not group & fusable:
            yield group
        # A larger group needs at least this, so nothing is lost; memory itself may fall.
        elif cost.least_memory(group) < cost.buffer:
            yield group
            stack += [group | 1 << v for v in ready(done | group) if fusable >> v & 1]
