"""Groups of random plans, with the networks and buffers that they come from."""

from collections.abc import Callable, Sequence

import numpy as np

from experiments.systems.op_fusion.cost import KB, CostModel, Fusion
from experiments.systems.op_fusion.graph import Group
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import random_plan
from experiments.systems.op_fusion.predictor import Example, example

LARGEST = 48
"""Operators of the largest group that the predictor learns from; more would be mostly padding."""


def random_groups(
    cost: CostModel, num_groups: int, generator: np.random.Generator, *, largest: int = 10**9
) -> list[Group]:
    """Distinct groups of two or more operators from random plans; fewer if 200 plans hold fewer."""
    found: dict[Group, None] = {}
    for _ in range(200):
        for group in random_plan(cost, generator):
            if 2 <= group.bit_count() <= largest:
                found[group] = None
        if len(found) >= num_groups:
            break
    groups = list(found)
    order = generator.permutation(len(groups))[:num_groups]
    return [groups[i] for i in order]


def examples(
    networks: Sequence[str],
    fusion: Fusion,
    buffers_kb: Sequence[int],
    num_groups: int,
    generator: np.random.Generator,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Example]:
    """Labelled groups of networks at several buffers.

    Args:
        networks: by name.
        fusion: type.
        buffers_kb: in KB of 1024 bytes.
        num_groups: for each network and buffer.
        generator: for the plans.
        report: told about progress.
    """
    found: list[Example] = []
    total = len(networks) * len(buffers_kb)
    for place, name in enumerate(networks):
        for other, buffer in enumerate(buffers_kb):
            cost = CostModel(network(name).graph, fusion, buffer * KB)
            groups = random_groups(cost, num_groups, generator, largest=LARGEST)
            found += [example(cost, group, name) for group in groups]
            report("drawing groups", place * len(buffers_kb) + other + 1, total)
    return found
