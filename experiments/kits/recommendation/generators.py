"""Drawn sets of users and items: planted communities, and a rewired control that keeps every degree."""

import dataclasses

import numpy as np

from experiments.data.interactions import Interactions, Table, table_of
from ntkexec.errors import ExperimentError


def planted_communities(
    generator: np.random.Generator,
    *,
    users: int = 400,
    items: int = 500,
    communities: int = 8,
    degree: float = 12.0,
    concentration: float = 0.1,
    skew: float | None = None,
    test_share: float = 0.2,
) -> Interactions:
    """Users and items belong to communities in drawn shares, and users choose within theirs.

    User u chooses clip(Poisson(degree), 5, items / 2) distinct items with chances proportional to
    <u's shares, the item's column-normalised shares> times the item's weight.

    Args:
        generator: of all draws.
        users, items, communities: numbers.
        degree: mean number of items of a user.
        concentration: of the Dirichlet shares; small ones make nearly pure members.
        skew: none weighs items alike; a number draws weights 1 + Pareto(skew), smaller ones heavier
            tailed, with which popularity explains much.
        test_share: of a user's items, rounded, at least one.

    Raises:
        ExperimentError: a number does not fit.
    """
    if min(users, communities) < 1 or items < 12 or not 0 < test_share < 1:
        raise ExperimentError(
            f"{users} users, {items} items (at least 12), {communities} communities and a test share of "
            f"{test_share:g} make no set"
        )
    shares = np.full(communities, concentration)
    of_users, of_items = generator.dirichlet(shares, users), generator.dirichlet(shares, items)
    weights = np.ones(items) if skew is None else 1 + generator.pareto(skew, items)
    chances = (of_users @ (of_items / of_items.sum(axis=0)).T) * weights
    # Distinct draws in proportion to chances: the largest of log-chance plus Gumbel noise.
    keys = np.log(np.maximum(chances, 1e-300)) + generator.gumbel(size=chances.shape)
    numbers = np.clip(generator.poisson(degree, users), 5, items // 2)
    order = np.argsort(-keys, axis=1)
    parts: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    for user, number in enumerate(numbers):
        chosen = generator.permutation(order[user, :number])
        held = max(1, round(test_share * number))
        for place, item in enumerate(chosen):
            parts[place < held].append((user, int(item)))
    train, test = (_table(pairs, (users, items)) for pairs in parts.values())
    return Interactions("planted communities", train, test)


def rewired(
    interactions: Interactions, generator: np.random.Generator, *, swaps: int = 10
) -> Interactions:
    """The same degrees of all users and items, in train and in test each, and nothing else kept.

    Two pairs (u, i), (v, j) become (u, j), (v, i) where neither is there yet, in train or test.

    Args:
        interactions: of which both parts are rewired.
        generator: of the swaps.
        swaps: tried per pair.
    """
    there: set[tuple[int, int]] = set()
    lists = []
    for table in (interactions.train, interactions.test):
        pairs = list(zip(*(index.tolist() for index in table.nonzero()), strict=True))
        lists.append(pairs)
        there.update(pairs)
    tables = []
    for pairs in lists:
        for first, second in generator.integers(len(pairs), size=(swaps * len(pairs), 2)).tolist():
            (u, i), (v, j) = pairs[first], pairs[second]
            if (u, j) in there or (v, i) in there:
                continue
            there -= {(u, i), (v, j)}
            there |= {(u, j), (v, i)}
            pairs[first], pairs[second] = (u, j), (v, i)
        tables.append(_table(pairs, interactions.train.shape))
    name = f"{interactions.name}, rewired"
    return dataclasses.replace(interactions, name=name, train=tables[0], test=tables[1])


def _table(pairs: list[tuple[int, int]], shape: tuple[int, int]) -> Table:
    users, items = np.array(pairs).T
    return table_of(users, items, shape)
