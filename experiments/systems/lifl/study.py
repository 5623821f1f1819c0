"""What is measured of LIFL: its algebra and its placement here, its processes elsewhere."""

import math
from typing import TypedDict

import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.systems.lifl.placement import (
    Place,
    fewest_nodes,
    place_best_fit,
    place_first_fit,
    place_round_robin,
)
from experiments.systems.lifl.states import State, flat_average
from experiments.systems.lifl.study_config import QUICK, STANDARD, TINY, LiflConfig
from experiments.systems.lifl.study_processes import handing, waiting, whole_rounds

MIXED = 300
"""Updates of a trace with many sizes, and nodes."""


class StatesResult(TypedDict):
    """Largest deviations relative to the mean in one sum, over random trees, orders and weights."""

    tree: float
    associative: float
    unweighted: float


def merged_states(config: LiflConfig, trial: Trial) -> StatesResult:
    """States merged in random trees, against one sum; and three of them merged both ways."""
    generator = trial.generator
    worst = {"tree": 0.0, "associative": 0.0, "unweighted": 0.0}
    for _ in range(config.trees):
        number = int(generator.integers(3, 20))
        updates = list(generator.normal(size=(number, 50)))
        weights = generator.integers(1, 100, number) * (generator.random(number) < 0.8)
        weights[0] = 1
        flat = flat_average(updates, weights.tolist())
        scale = float(np.abs(flat).max())
        found = [State.of(u, w) for u, w in zip(updates, weights, strict=True)]
        found.append(State.nothing(50))
        a, b, c = found[:3]
        sides = a.merged(b.merged(c)).total, a.merged(b).merged(c).total
        while len(found) > 1:
            one, other = (found.pop(int(generator.integers(len(found)))) for _ in range(2))
            found.append(one.merged(other))
        for name, off in (
            ("tree", found[0].mean() - flat),
            ("associative", sides[0] - sides[1]),
            ("unweighted", np.mean(updates, 0) - flat),
        ):
            size = float(np.abs(sides[0]).max()) if name == "associative" else scale
            worst[name] = max(worst[name], float(np.abs(off).max()) / size)
    return {
        "tree": worst["tree"],
        "associative": worst["associative"],
        "unweighted": worst["unweighted"],
    }


class PlacingResult(TypedDict):
    """Nodes that are used, over all traces.

    Args:
        more_nodes: beyond the least, on equal nodes with updates of size 1.
        round_robin: the same if updates go round.
        mixed_best: nodes of one trace with updates of many sizes.
        mixed_first: the same if every update goes to the first node with room.
        unequal_best: nodes over the fewest, where nodes have room for 2 to 10 updates of size 1; the mean.
        unequal_round_robin: the same if updates go round.
    """

    more_nodes: int
    round_robin: int
    mixed_best: float
    mixed_first: float
    unequal_best: float
    unequal_round_robin: float


def placements(config: LiflConfig, trial: Trial) -> PlacingResult:
    """Best fit against the least number of nodes, and against rivals."""
    generator = trial.generator
    more = {place_best_fit: 0, place_round_robin: 0}
    over: dict[Place, list[float]] = {place_best_fit: [], place_round_robin: []}
    mixed: dict[Place, list[int]] = {place_best_fit: [], place_first_fit: []}
    for _ in range(config.traces):
        capacity, nodes = int(generator.integers(2, 20)), int(generator.integers(2, 10))
        number = int(generator.integers(1, capacity * nodes + 1))
        room = generator.integers(2, 11, 4).astype(float).tolist()
        few = [1.0] * int(generator.integers(2, 13))
        few = few[: int(sum(room))]
        fewest = fewest_nodes(room, few)
        for place in more:
            used = len(set(place([capacity] * nodes, [1.0] * number)))
            more[place] += used - math.ceil(number / capacity)
            over[place].append(len(set(place(room, few))) / fewest)
    for _ in range(config.mixed):
        sizes = generator.uniform(0.01, 1, MIXED).tolist()
        for place in mixed:  # type: ignore[assignment]  # of the wider type
            mixed[place].append(len(set(place([1.0] * MIXED, sizes))))
    return {
        "more_nodes": more[place_best_fit],
        "round_robin": more[place_round_robin],
        "mixed_best": float(np.mean(mixed[place_best_fit])),
        "mixed_first": float(np.mean(mixed[place_first_fit])),
        "unequal_best": float(np.mean(over[place_best_fit])),
        "unequal_round_robin": float(np.mean(over[place_round_robin])),
    }


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "states": merged_states,
        "placements": placements,
        "rounds": whole_rounds,
        "handing": handing,
        "waiting": waiting,
    },
    num_seeds=5,
    slow=("rounds", "handing", "waiting"),
)
