"""What is measured of LIFL: its algebra and its placement here, its processes elsewhere."""

import math
from typing import TypedDict

import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.systems.lifl import placement as placing
from experiments.systems.lifl.placement import place_best_fit, place_round_robin, place_worst_fit
from experiments.systems.lifl.states import State, flat_average
from experiments.systems.lifl.study_config import QUICK, STANDARD, TINY, LiflConfig
from experiments.systems.lifl.study_processes import handing, waiting, whole_rounds

FIRST_FIT = 1.7
"""Of the fewest bins, what best fit needs at most (Dosa and Sgall, 2014)."""
UNEQUAL = (2.0, 10.0)
"""Residuals of two nodes, the second of which holds ten updates alone."""


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
    """How much more than the least is used, in all traces together, and on two unequal nodes.

    Args:
        more_nodes: beyond the least, on equal nodes with updates of size 1.
        more_bytes: traces in which a rival sends fewer bytes between nodes.
        beyond: traces of unequal updates in which more nodes are used than 1.7 times the fewest.
        round_robin: nodes beyond the least if updates go round.
        unequal_ratio: nodes used over the fewest, for ten updates on nodes with 2 and 10 places.
    """

    more_nodes: int
    more_bytes: int
    beyond: int
    round_robin: int
    unequal_ratio: float


def placements(config: LiflConfig, trial: Trial) -> PlacingResult:
    """Best fit against the least number of nodes, against rivals, and against search."""
    generator = trial.generator
    more_nodes = more_bytes = beyond = round_robin = 0
    for _ in range(config.traces):
        capacity, nodes = int(generator.integers(2, 20)), int(generator.integers(2, 10))
        number = int(generator.integers(1, capacity * nodes + 1))
        equal, ones = [capacity] * nodes, [1.0] * number
        best, turns, worst = (
            place(equal, ones) for place in (place_best_fit, place_round_robin, place_worst_fit)
        )
        least = math.ceil(number / capacity)
        more_nodes += len(set(best)) - least
        round_robin += len(set(turns)) - least
        sent = [placing.bytes_between(found, 4) for found in (best, turns, worst)]
        more_bytes += sent[0] > min(sent)
        sizes = generator.uniform(0.05, 1, int(generator.integers(1, 9))).tolist()
        used = len(set(place_best_fit([1.0] * len(sizes), sizes)))
        fewest = placing.fewest_nodes([1.0] * len(sizes), sizes)
        beyond += used > math.floor(FIRST_FIT * fewest)
    ten = [1.0] * 10
    used = len(set(place_best_fit(UNEQUAL, ten)))
    return {
        "more_nodes": more_nodes,
        "more_bytes": more_bytes,
        "beyond": beyond,
        "round_robin": round_robin,
        "unequal_ratio": used / placing.fewest_nodes(UNEQUAL, ten),
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
