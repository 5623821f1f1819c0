"""Searches of a path that is right and short: a tree with a right UCB, the released chain, random edits.

Each search is a generator that yields the path it wants to know about and is sent whether it was right;
`in_lockstep` runs one for every example and asks for all their paths together, in one batch.

```python
import numpy as np
from experiments.language.dr_llm.search import in_lockstep, label_of, tree_search

searches = [tree_search(6, 40, generator=np.random.default_rng(seed)) for seed in range(3)]
found = in_lockstep(searches, lambda rows, paths: [sum(path) % 4 == 1 for path in paths])
print(label_of(found[0]))
```

Source: the paper's section 3.2 and the public code, parameterlab/dr-llm, data_generation.py.
"""

import dataclasses
import math
from collections.abc import Callable, Generator, Mapping, Sequence

import numpy as np

from experiments.language.dr_llm.paths import Counts
from ntkexec.errors import ExperimentError

EXPLORATION, PENALTY, BLINDLY = 1.8, 3.0, 0.1
"""c and lambda of the score, and how often a child is taken blindly: the published ones."""


@dataclasses.dataclass(frozen=True)
class Searched:
    """What a search asked for and was told.

    Args:
        right: of every path that was evaluated, in order.
        children: of every node of the tree, how many it has; empty for searches without a tree.
    """

    right: Mapping[Counts, bool]
    children: tuple[int, ...] = ()

    @property
    def branching(self) -> float:
        """The share of inner nodes with two children or more; 0 if there are none."""
        inner = [number for number in self.children if number]
        return sum(number > 1 for number in inner) / len(inner) if inner else 0.0

    def shortest(self) -> int | None:
        """Length of the shortest right path; none if none was right."""
        return min((sum(path) for path, right in self.right.items() if right), default=None)


Search = Generator[Counts, bool, Searched]
Stop = Callable[[Counts, bool, bool], bool]
"""Whether to end, from a path, whether it was right, and whether all blocks once were."""


def as_published(path: Counts, right: bool, base: bool) -> bool:
    """A wrong answer turned right, or a right one by two blocks less."""
    return right and (not base or sum(path) <= len(path) - 2)


def never(path: Counts, right: bool, base: bool) -> bool:
    """The budget alone ends the search."""
    return False


def edited(path: Counts, *, most: int = 2) -> list[Counts]:
    """Paths that are one edit away: one or two consecutive entries deleted, or one said twice.

    Args:
        path: how often each block runs.
        most: times that a block may run.
    """
    found = set()
    present = [block for block, times in enumerate(path) if times]
    for place, block in enumerate(present):
        found.add(_moved(path, {block: -1}))
        if path[block] > 1:
            found.add(_moved(path, {block: -2}))
        if place + 1 < len(present):
            found.add(_moved(path, {block: -1, present[place + 1]: -1}))
        if path[block] < most and sum(path) < 2 * len(path):
            found.add(_moved(path, {block: 1}))
    return sorted(found)


def _moved(path: Counts, by: Mapping[int, int]) -> Counts:
    return tuple(times + by.get(block, 0) for block, times in enumerate(path))


class _Node:
    """A path in the tree: its untried edits, its children, and what came of them."""

    def __init__(self, path: Counts, parent: "_Node | None", untried: list[Counts]) -> None:
        self.path, self.parent, self.untried = path, parent, untried
        self.children: list[_Node] = []
        self.visits, self.rewards, self.closed = 0, 0, False

    def add(self, right: bool) -> None:
        node: _Node | None = self
        while node is not None:
            node.visits += 1
            node.rewards += right
            node = node.parent


def tree_search(
    blocks: int,
    budget: int,
    *,
    generator: np.random.Generator,
    exploration: float = EXPLORATION,
    penalty: float = PENALTY,
    blindly: float = BLINDLY,
    most: int = 2,
    stop: Stop = never,
) -> Search:
    """A tree whose every node can be expanded until its edits are used up.

    At a node, its children and its own expansion compete by mean reward + c sqrt(ln N / n) - lambda
    length / L, N the node's visits; an expansion counts as one more child with the node's own mean, one
    block shorter. A path is in the tree once: edits that lead to a known one are dropped, so every
    evaluation is of a new path. Unlike the released code, see `released_search`.

    Args:
        blocks: of the decoder.
        budget: evaluations, the path of all blocks among them.
        generator: shuffles edits and takes children blindly.
        exploration, penalty: c and lambda.
        blindly: probability with which one of the options is taken whatever its score.
        most: times that a block may run.
        stop: ends the search early; see `as_published`.

    Raises:
        ExperimentError: no blocks, or no budget.
    """
    _refuse(blocks, budget)
    root = _Node((1,) * blocks, None, [])
    base = yield root.path
    right = {root.path: base}
    root.add(base)
    root.untried = _shuffled(edited(root.path, most=most), generator)
    nodes, ended = [root], stop(root.path, base, base)
    while len(right) < budget and not root.closed and not ended:
        node = _selected(root, right, generator, exploration, penalty, blindly)
        if node is None:
            continue
        path = node.untried.pop()
        child = _Node(path, node, _shuffled(edited(path, most=most), generator))
        node.children.append(child)
        nodes.append(child)
        right[path] = yield path
        child.add(right[path])
        ended = stop(path, right[path], base)
    return Searched(right, tuple(len(node.children) for node in nodes))


def _selected(
    root: _Node,
    known: Mapping[Counts, bool],
    generator: np.random.Generator,
    exploration: float,
    penalty: float,
    blindly: float,
) -> _Node | None:
    """The node to expand, whose last untried edit is new; none after a dead end was closed."""
    node = root
    while True:
        while node.untried and node.untried[-1] in known:
            node.untried.pop()
        options = [child for child in node.children if not child.closed]
        if not node.untried and not options:
            node.closed = True
            return None
        several = len(options) + bool(node.untried)
        if generator.random() < blindly:
            taken = int(generator.integers(several))
        else:
            total, blocks = math.log(max(node.visits, 1)), len(node.path)
            scores = [
                child.rewards / child.visits
                + exploration * math.sqrt(total / child.visits)
                - penalty * sum(child.path) / blocks
                for child in options
            ]
            if node.untried:
                scores.append(
                    node.rewards / node.visits
                    + exploration * math.sqrt(total / (len(node.children) + 1))
                    - penalty * (sum(node.path) - 1) / blocks
                )
            taken = max(range(several), key=scores.__getitem__)
        if taken == len(options):
            return node
        node = options[taken]


def released_search(
    blocks: int,
    budget: int,
    *,
    generator: np.random.Generator,
    counted_blocks: int = 28,
    stop: Stop = never,
) -> Search:
    """The public code's search: only leaves are expanded, so its tree is one chain.

    Children are scored and capped as if the decoder had 28 blocks, whatever it has; N of the score is the
    simulation's number; one of the edits changes nothing.

    Args:
        blocks: of the decoder.
        budget: simulations; a path that comes again is not evaluated again.
        generator: shuffles edits.
        counted_blocks: what children take for the number of blocks.
        stop: ends the search early.

    Raises:
        ExperimentError: no blocks, or no budget.
    """
    _refuse(blocks, budget)
    path = (1,) * blocks
    root = _Node(path, None, _shuffled(_released_edits(path, 2 * blocks), generator))
    right: dict[Counts, bool] = {}
    nodes, base = [root], False
    for simulation in range(1, budget + 1):
        node = root
        while node.children:
            if generator.random() < BLINDLY:
                node = node.children[int(generator.integers(len(node.children)))]
            else:
                node = max(node.children, key=_released_score(simulation, counted_blocks))
        if node.untried and node.visits:
            path = node.untried.pop()
            child = _Node(
                path, node, _shuffled(_released_edits(path, 2 * counted_blocks), generator)
            )
            node.children.append(child)
            nodes.append(child)
            node = child
        if node.path not in right:
            right[node.path] = yield node.path
        node.add(right[node.path])
        base = right[root.path]
        if stop(node.path, right[node.path], base):
            break
    return Searched(right, tuple(len(node.children) for node in nodes))


def _released_score(simulation: int, counted_blocks: int) -> Callable[[_Node], float]:
    def score(child: _Node) -> float:
        bonus = EXPLORATION * math.sqrt(math.log(simulation) / child.visits)
        return child.rewards / child.visits + bonus - PENALTY * sum(child.path) / counted_blocks

    return score


def _released_edits(path: Counts, cap: int) -> list[Counts]:
    """Entry by entry, so that a block that runs twice counts twice; repeating no times is one of them."""
    entries = [block for block, times in enumerate(path) for _ in range(times)]
    found = []
    for place, block in enumerate(entries):
        found.append(_moved(path, {block: -1}))
        if place + 1 < len(entries):
            after = entries[place + 1]
            found.append(_moved(path, {block: -2} if after == block else {block: -1, after: -1}))
        if len(entries) <= cap:
            found.append(path)
        if len(entries) + 1 <= cap:
            found.append(_moved(path, {block: 1}))
    return found


def uniform_edits(
    blocks: int, budget: int, *, generator: np.random.Generator, most: int = 2, stop: Stop = never
) -> Search:
    """A random edit of a random known path, again and again: a search that learns nothing.

    Args:
        blocks, budget, generator, most, stop: as for `tree_search`.

    Raises:
        ExperimentError: no blocks, or no budget.
    """
    _refuse(blocks, budget)
    root = (1,) * blocks
    base = yield root
    right, untried = {root: base}, {root: edited(root, most=most)}
    ended = stop(root, base, base)
    while len(right) < budget and untried and not ended:
        paths = list(untried)
        path = paths[int(generator.integers(len(paths)))]
        left = [one for one in untried[path] if one not in right]
        if not left:
            del untried[path]
            continue
        taken = left[int(generator.integers(len(left)))]
        right[taken] = yield taken
        untried[taken] = edited(taken, most=most)
        ended = stop(taken, right[taken], base)
    return Searched(right)


def in_lockstep(
    searches: Sequence[Search],
    evaluate: Callable[[Sequence[int], Sequence[Counts]], Sequence[bool]],
) -> list[Searched]:
    """What all searches found, each round's paths evaluated together.

    Args:
        searches: one for every example, not begun.
        evaluate: from numbers of examples and a path for each to whether it is right.
    """
    found: dict[int, Searched] = {}
    asked = {row: next(search) for row, search in enumerate(searches)}
    while asked:
        rows = list(asked)
        told = evaluate(rows, [asked[row] for row in rows])
        for row, right in zip(rows, told, strict=True):
            try:
                asked[row] = searches[row].send(bool(right))
            except StopIteration as end:
                found[row] = end.value
                del asked[row]
    return [found[row] for row in range(len(searches))]


def label_of(searched: Searched, *, most: int = 2) -> Counts | None:
    """The shortest right path, of equal ones that with fewer distinct blocks, then the first found.

    Returns:
        None where nothing was right, or where a block runs more than `most` times on the path: a router
        cannot say that, and the example is dropped, not clipped.
    """
    right = [path for path, told in searched.right.items() if told]
    if not right:
        return None
    best = min(right, key=lambda path: (sum(path), sum(times > 0 for times in path)))
    return best if max(best) <= most else None


def _shuffled(paths: Sequence[Counts], generator: np.random.Generator) -> list[Counts]:
    return [paths[place] for place in generator.permutation(len(paths))]


def _refuse(blocks: int, budget: int) -> None:
    if blocks < 1 or budget < 1:
        raise ExperimentError(f"cannot search paths of {blocks} blocks with {budget} evaluations")
