"""The textbook's queue and the walk through its tree, as witnesses for obligations: in plain Python.

Nothing here knows of programs: the queue is a list, descendants are counted, and the walk is a
recursion over the tree.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

MODES = ("walks", "visits", "claims", "waits", "ended")


class Tree(NamedTuple):
    """What a queue makes of a connected graph.

    Args:
        neighbours: by node, in the order of ports.
        order: nodes as they leave the queue.
        level: by node.
        parent: by node, itself at the source.
    """

    neighbours: Mapping[int, Sequence[int]]
    order: list[int]
    level: dict[int, int]
    parent: dict[int, int]

    def children(self, node: int) -> list[int]:
        """In the order of ports."""
        return [u for u in self.neighbours[node] if u != node and self.parent[u] == node]

    def descends(self, node: int, ancestor: int) -> bool:
        """Whether a node is an ancestor of another one, or the same."""
        while node != ancestor and self.level[node]:
            node = self.parent[node]
        return node == ancestor

    def above(self, level: int) -> int:
        """How many nodes are above a level."""
        return sum(own < level for own in self.level.values())

    def places(self, node: int, level: int) -> tuple[int, int]:
        """The places in the order of a node's descendants on a level: the first, and one after the last.

        Where there are none, they are where such descendants would be.
        """
        if self.level[node] > level:
            return 0, 0
        path = [node]
        while self.level[path[-1]]:
            path.append(self.parent[path[-1]])
        before = self.above(level)
        for below, above in pairwise(path):
            siblings = self.children(above)
            for sibling in siblings[: siblings.index(below)]:
                before += self.num_on(sibling, level)
        return before, before + self.num_on(node, level)

    def num_on(self, node: int, level: int) -> int:
        """How many descendants a node has on a level."""
        return sum(self.level[u] == level and self.descends(u, node) for u in self.order)


class Round(NamedTuple):
    """The walk before a round: where, the level of its tour, how many had their turn, what it does."""

    node: int
    tour: int
    count: int
    mode: str
    over: bool


def tree_of(neighbours: Mapping[int, Sequence[int]], source: int) -> Tree:
    """The search tree of a queue that starts at a node."""
    level, parent, order = {source: 0}, {source: source}, [source]
    for node in order:
        for child in neighbours[node]:
            if child not in level:
                level[child], parent[child] = level[node] + 1, node
                order.append(child)
    return Tree(neighbours, order, level, parent)


def walk_of(tree: Tree) -> list[Round]:
    """The walk from its first round to the last in which somebody has the token."""
    source, count, out = tree.order[0], 0, []

    def tour(node: int, level: int) -> Iterator[tuple[int, str]]:
        nonlocal count
        if tree.level[node] == level:
            for mode in ("visits", "claims", "waits"):
                yield node, mode
            count += 1
            return
        for child in tree.children(node):
            if tree.num_on(child, level):
                yield node, "walks"
                yield from tour(child, level)
        yield node, "walks"

    for level in range(max(tree.level.values()) + 1):
        rounds = [(node, mode, count) for node, mode in tour(source, level)]
        for number, (node, mode, counted) in enumerate(rounds, 1):
            out.append(Round(node, level, counted, mode, number == len(rounds)))
    return out


def before(tree: Tree, walk: Sequence[Round], number: int) -> Round:
    """The walk before a round, also when it has ended."""
    if number < len(walk):
        return walk[number]
    return Round(-1, walk[-1].tour, len(tree.order), "ended", over=False)


def ghosts(
    tree: Tree, walk: Sequence[Round], number: int, members: Sequence[int], word: int
) -> dict[str, int]:
    """Values for the inputs of a node and its neighbours.

    Args:
        tree: of the queue.
        walk: through it.
        number: the round before which they hold.
        members: the node, and its neighbours by port, negative where there is none.
        word: bits of numbers.
    """
    now, then = before(tree, walk, number), before(tree, walk, number + 1)
    k, node = now.tour, members[0]
    there = [(x, u) for x, u in enumerate(members) if u >= 0]
    here = [tree.descends(now.node, u) if now.node >= 0 else False for _, u in there]
    out = {
        "root": sum(1 << x for x, u in there if tree.level[u] == 0),
        "open": sum(1 << x for (x, _), one in zip(there, here, strict=True) if one),
        "parent": sum(
            1 << x - 1 for x, u in there[1:] if tree.level[node] and tree.parent[node] == u
        ),
        "child": sum(1 << x - 1 for x, u in there[1:] if tree.level[u] and tree.parent[u] == node),
        "mode": 1 << MODES.index(now.mode),
        "over": now.over,
        "tour": k,
        "count": now.count,
        "above": tree.above(k),
        "upto": tree.above(k + 1),
        "more": tree.above(k + 1) < len(tree.order),
        "visits-next": then.mode == "visits",
        "next-upto": tree.above(k + 2),
        "next-more": tree.above(k + 2) < len(tree.order),
        "age": min(max(0, number - len(walk)), (1 << word) - 1),
        "beyond": sum(1 << x for x, u in there if tree.num_on(u, k + 2)),
    }
    for x, u in there:
        low, high = tree.places(u, k)
        next_low, next_high = tree.places(u, k + 1)
        out |= {f"token{x}": u == now.node, f"level{x}": tree.level[u]}
        out |= {f"order{x}": tree.order.index(u), f"low{x}": low, f"high{x}": high}
        out |= {f"next-low{x}": next_low, f"next-high{x}": next_high}
    assert all(value < 1 << word for name, value in out.items() if "low" in name or "high" in name)
    return {name: int(value) for name, value in out.items()}
