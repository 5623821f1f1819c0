"""A round as tasks: which aggregator folds what, who is promoted, and where every sum goes."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from experiments.systems.lifl.aggregator import Task
from experiments.systems.lifl.placement import Placement
from experiments.systems.lifl.wire import Address


@dataclasses.dataclass(frozen=True)
class Role:
    """What one process does in a round, one task after another.

    Args:
        node: on which it works.
        index: of its mailbox there.
        tasks: in this order; all but the first go on from its own sum.
    """

    node: int
    index: int
    tasks: tuple[Task, ...]


@dataclasses.dataclass(frozen=True)
class Tree:
    """All roles of a round.

    Args:
        number: of the round.
        roles: the processes that it takes.
        targets: of every update, its leaf's index on its node.
        top: the node where the result comes together.
        result: name of the result.
        members: by leaf, the updates of each, in the order of the leaves' names.
    """

    number: int
    roles: tuple[Role, ...]
    targets: tuple[int, ...]
    top: int
    result: int
    members: tuple[tuple[int, ...], ...]


def tree_of(
    placement: Placement,
    leaves: Sequence[int],
    addresses: Sequence[Address],
    common: Task,
    *,
    promote: bool = True,
) -> Tree:
    """The tasks of a round, in which every sum is folded in the same order whoever is promoted.

    Args:
        placement: of updates 0, 1, ... on nodes.
        leaves: of every node; a node with updates has one at least, and none without an update.
        addresses: of the nodes' gateways.
        common: a task whose round, way and pace all have.
        promote: whether a node's first leaf is also its middle, and on the top's node the top. Else
            there is a process for each role.
    """
    used = sorted(set(placement))
    top = max(used, key=lambda node: (placement.count(node), -node))
    used = [top, *(node for node in used if node != top)]
    names = iter(range(len(placement), 1 << 31))
    targets = [0] * len(placement)
    roles: list[Role] = []
    members: list[tuple[int, ...]] = []
    sums: list[int] = []
    heads: list[Role] = []
    for node in used:
        mine = [update for update, where in enumerate(placement) if where == node]
        parts = np.array_split(mine, min(max(1, leaves[node]), len(mine)))
        own = [tuple(int(update) for update in part) for part in parts]
        members += own
        for index, part in enumerate(own):
            for update in part:
                targets[update] = index
        tasks = [dataclasses.replace(common, ident=next(names), inputs=part) for part in own]
        head = 0 if promote or len(own) == 1 else len(own)
        rest = tasks[1:] if promote else tasks if head else []
        roles += [
            Role(node, index, (dataclasses.replace(task, target=head),))
            for index, task in enumerate(tasks)
            if task in rest
        ]
        chain = [] if head else [tasks[0]]
        if rest:
            merge = tuple(task.ident for task in rest)
            chain.append(dataclasses.replace(common, ident=next(names), inputs=merge, own=promote))
        sums.append(chain[-1].ident)
        heads.append(Role(node, head, tuple(chain)))
    return _joined(roles, heads, sums, addresses, common, promote, targets, members, next(names))


def _joined(
    roles: list[Role],
    heads: list[Role],
    sums: list[int],
    addresses: Sequence[Address],
    common: Task,
    promote: bool,
    targets: list[int],
    members: list[tuple[int, ...]],
    name: int,
) -> Tree:
    """The heads of the nodes below the first one's, or below a process of its own."""
    first, *others = heads
    if not others:
        last = dataclasses.replace(first.tasks[-1], last=True)
        result = last.ident
        roles.append(dataclasses.replace(first, tasks=(*first.tasks[:-1], last)))
    else:
        result = name
        final = dataclasses.replace(
            common,
            ident=name,
            inputs=tuple(sums[1:] if promote else sums),
            own=promote,
            last=True,
        )
        index = first.index if promote else first.index + 1
        if promote:
            roles.append(dataclasses.replace(first, tasks=(*first.tasks, final)))
        else:
            roles.append(_towards(first, index, None))
            roles.append(Role(first.node, index, (final,)))
        roles += [_towards(head, index, addresses[first.node]) for head in others]
    return Tree(common.round, tuple(roles), tuple(targets), first.node, result, tuple(members))


def _towards(head: Role, target: int, address: Address | None) -> Role:
    last = dataclasses.replace(head.tasks[-1], target=target, address=address)
    return dataclasses.replace(head, tasks=(*head.tasks[:-1], last))
