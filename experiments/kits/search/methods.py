"""Four ways to spend a budget, of one signature `(space, ledger, generator, **settings) -> Trace`.

Each asks its ledger until that is spent, or gives up after so many answers from the books in a row
(`Ledger`): compare what was paid where a space is small or a method settles early. With a ledger whose
repeats are free, an answer from the books moves a method on as a paid one does.
"""

from collections import deque
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int

from experiments.kits.search.ledger import Ledger, Trace
from experiments.kits.search.spaces import Candidate, Choices
from ntkexec.errors import ExperimentError


class Method(Protocol):
    """Spends a ledger's budget on a space; settings, if it has any, are keywords with defaults."""

    def __call__(self, space: Choices, ledger: Ledger, generator: np.random.Generator) -> Trace:
        """What came of it."""


def random_search(space: Choices, ledger: Ledger, generator: np.random.Generator) -> Trace:
    """Independent uniform candidates.

    With free repeats that is drawing without replacement, since what is drawn again costs nothing.
    """
    while not ledger.spent:
        ledger(space.sample(generator))
    return ledger.trace()


def hill_climbing(space: Choices, ledger: Ledger, generator: np.random.Generator) -> Trace:
    """From a random candidate to the first better neighbour, tried in random order; again from
    another random one where no neighbour is better."""
    while not ledger.spent:
        current = space.sample(generator)
        value, climbing = ledger(current), True
        while climbing:
            climbing = False
            around = list(space.neighbours(current))
            for place in generator.permutation(len(around)):
                if ledger.spent:
                    return ledger.trace()
                found = ledger(around[place])
                if found > value:
                    current, value, climbing = around[place], found, True
                    break
    return ledger.trace()


def regularised_evolution(
    space: Choices,
    ledger: Ledger,
    generator: np.random.Generator,
    *,
    population: int = 20,
    contestants: int = 5,
) -> Trace:
    """Evolution by ageing: the best of a few is mutated, its child joins, and the oldest leaves.

    Args:
        space, ledger, generator: of every method.
        population: first drawn at random.
        contestants: drawn with replacement; the best of them is the parent.

    Raises:
        ExperimentError: one of the two numbers is below 1.

    Source: Real, Aggarwal, Huang and Le, arXiv:1802.01548, algorithm 1, with a mutation of one
    decision. The paper's population is 100, for budgets of 20,000.
    """
    if population < 1 or contestants < 1:
        raise ExperimentError(
            f"a population and its contestants are at least 1, got {population}, {contestants}"
        )
    living: deque[tuple[float, Candidate]] = deque(maxlen=population)
    while not ledger.spent:
        if len(living) < population:
            candidate = space.sample(generator)
        else:
            drawn = [living[int(generator.integers(population))] for _ in range(contestants)]
            parent = max(drawn, key=lambda one: one[0])[1]
            candidate = space.mutate(parent, generator) if space.size > 1 else parent
        living.append((ledger(candidate), candidate))
    return ledger.trace()


def policy_gradient(
    space: Choices,
    ledger: Ledger,
    generator: np.random.Generator,
    *,
    learning_rate: float = 0.3,
    memory: float = 0.9,
) -> Trace:
    """REINFORCE with one independent softmax a decision, its logits from 0.

    Advantages are values less their moving mean, over their moving deviation: the search is blind
    to the values' scale and origin.

    Args:
        space, ledger, generator: of every method.
        learning_rate: of plain ascent on the logits.
        memory: weight of the past in both moving averages, at least 0 and below 1.

    Raises:
        ExperimentError: the rate is not above 0, or the memory out of its range.

    Source: Williams, Machine Learning 8 (1992); as in Zoph and Le, arXiv:1611.01578, without a
    recurrent network that makes decisions depend on each other.
    """
    if not learning_rate > 0 or not 0 <= memory < 1:
        raise ExperimentError(
            f"a rate above 0 and a memory from 0 to below 1, got {learning_rate}, {memory}"
        )
    counts = np.array(space.counts)
    absent = np.arange(counts.max())[None, :] >= counts[:, None]
    logits = np.where(absent, -np.inf, 0.0)
    weight = mean = square = 0.0
    first = None
    while not ledger.spent:
        places = draw(softmax(logits), generator)
        value = ledger(space.at(places.tolist()))
        first = value if first is None else first
        # Moments around the first value: a large origin would swallow the deviation.
        value -= first
        deviation = np.sqrt(max(square / weight - (mean / weight) ** 2, 0)) if weight else 0.0
        if deviation > 0:
            advantage = (value - mean / weight) / deviation
            logits += learning_rate * advantage * score(logits, places)
        weight, mean, square = (
            memory * old + (1 - memory) * new
            for old, new in ((weight, 1.0), (mean, value), (square, value**2))
        )
    return ledger.trace()


def softmax(logits: Float64[np.ndarray, "*d k"]) -> Float64[np.ndarray, "*d k"]:
    """Probabilities of options whose logits these are; 0 of an option with -inf."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    found: np.ndarray = weights / weights.sum(-1, keepdims=True)
    return found


def draw(
    probabilities: Float64[np.ndarray, "*d k"], generator: np.random.Generator
) -> Int[np.ndarray, "*d"]:
    """One position from each distribution; never one of probability 0."""
    below = np.cumsum(probabilities, -1)
    # Scaled by the sum itself, whatever rounding made of 1.
    level = generator.random(below.shape[:-1])[..., None] * below[..., -1:]
    found: np.ndarray = (below <= level).sum(-1)
    return found


def score(
    logits: Float64[np.ndarray, "*d k"], places: Int[np.ndarray, "*d"]
) -> Float64[np.ndarray, "*d k"]:
    """The gradient of log softmax(logits)[places] in the logits, distribution by distribution."""
    found = -softmax(logits)
    np.put_along_axis(
        found, places[..., None], np.take_along_axis(found, places[..., None], -1) + 1, -1
    )
    return found


METHODS: Mapping[str, Method] = {
    "random": random_search,
    "hill climbing": hill_climbing,
    "evolution": regularised_evolution,
    "policy gradient": policy_gradient,
}
"""By the name that one says."""
