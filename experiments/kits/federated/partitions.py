"""Which client has which examples: evenly, by Dirichlet shares of labels, by shards, by quantity.

Every partition is a tuple of sorted arrays of places, one for each client: disjoint, together all
examples, and none empty.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from ntkexec.errors import ExperimentError

Partition = tuple[np.ndarray, ...]
ATTEMPTS = 100
"""Draws before a partition that leaves a client without examples is given up."""


def evenly(number: int, clients: int, generator: np.random.Generator) -> Partition:
    """Examples dealt out at random; two clients differ by one example at most.

    Args:
        number: of examples.
        clients: how many there are, at least one and at most `number`.
        generator: of the order in which they are dealt out.

    Raises:
        ExperimentError: there are fewer examples than clients.
    """
    _check(number, clients)
    return tuple(np.sort(part) for part in np.array_split(generator.permutation(number), clients))


def by_quantity(
    number: int, clients: int, concentration: float, generator: np.random.Generator
) -> Partition:
    """Examples dealt out at random, in numbers whose shares are drawn from a Dirichlet distribution.

    Args:
        number: of examples.
        clients: how many there are.
        concentration: of the distribution, positive: the smaller, the more unequal.
        generator: of shares and order.

    Raises:
        ExperimentError: there are fewer examples than clients, the concentration is not positive, or
            so small that a client has nothing in each of a hundred draws.
    """
    _check(number, clients)
    _check_concentration(concentration)

    def draw() -> list[np.ndarray]:
        return _cut(generator.permutation(number), clients, concentration, generator)

    return _none_empty(draw, f"{number} examples", clients, concentration)


def by_dirichlet(
    labels: Int[np.ndarray, "n"],
    clients: int,
    concentration: float,
    generator: np.random.Generator,
) -> Partition:
    """Examples of every label dealt out in shares drawn from a Dirichlet distribution.

    Args:
        labels: of the examples; whole numbers, or whatever can be compared.
        clients: how many there are.
        concentration: of the distribution, positive: 0.1 leaves most clients with few labels, 100 with
            nearly equal ones.
        generator: of shares and order.

    Raises:
        ExperimentError: as `by_quantity`.

    Source: Hsu, Qi and Brown, arXiv:1909.06335, who draw shares of labels for each client; drawing
        shares of clients for each label, as here, deals out every example once.
    """
    labels = _labels(labels)
    _check(len(labels), clients)
    _check_concentration(concentration)
    kinds = np.unique(labels)

    def draw() -> list[np.ndarray]:
        dealt: list[list[np.ndarray]] = [[] for _ in range(clients)]
        for kind in kinds:
            places = generator.permutation(np.flatnonzero(labels == kind))
            for mine, part in zip(
                dealt, _cut(places, clients, concentration, generator), strict=True
            ):
                mine.append(part)
        return [np.concatenate(mine) for mine in dealt]

    return _none_empty(draw, f"{len(labels)} examples", clients, concentration)


def by_shards(
    labels: Int[np.ndarray, "n"], clients: int, each: int, generator: np.random.Generator
) -> Partition:
    """Examples sorted by label, cut into `clients * each` runs, of which every client draws `each`.

    Args:
        labels: of the examples.
        clients: how many there are.
        each: shards of a client: about the number of labels that it sees.
        generator: of the order within a label, and of who draws which shards.

    Raises:
        ExperimentError: there are fewer examples than shards, or `each` is not positive.

    Source: McMahan et al., arXiv:1602.05629, section 3.
    """
    labels = _labels(labels)
    if each < 1:
        raise ExperimentError(f"each client has at least one shard, not {each}")
    _check(len(labels), clients)
    if clients * each > len(labels):
        raise ExperimentError(
            f"{clients} clients of {each} shards need {clients * each} examples, got {len(labels)}"
        )
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    shards = np.array_split(order, clients * each)
    drawn = generator.permutation(clients * each).reshape(clients, each)
    return tuple(np.sort(np.concatenate([shards[one] for one in mine])) for mine in drawn)


def _cut(
    places: np.ndarray, clients: int, concentration: float, generator: np.random.Generator
) -> list[np.ndarray]:
    """The places in order, cut at shares that are drawn."""
    shares = generator.dirichlet(np.full(clients, float(concentration)))
    # Sums of shares are rounded, not shares, so that all places are dealt out.
    ends = np.rint(np.cumsum(shares)[:-1] * len(places)).astype(int)
    return np.split(places, ends)


def _none_empty(
    draw: Callable[[], list[np.ndarray]], what: str, clients: int, concentration: float
) -> Partition:
    for _ in range(ATTEMPTS):
        parts = draw()
        if all(len(part) for part in parts):
            return tuple(np.sort(part) for part in parts)
    raise ExperimentError(
        f"{ATTEMPTS} draws of {what} for {clients} clients all left one without any: raise the "
        f"concentration above {concentration:g}, or take fewer clients"
    )


def _labels(labels: np.ndarray) -> np.ndarray:
    found = np.asarray(labels)
    if found.ndim != 1:
        raise ExperimentError(f"labels are one for each example, got an array of {found.shape}")
    if (found != found).any():
        raise ExperimentError("a label is no number: its example would be dealt out to nobody")
    return found


def _check(number: int, clients: int) -> None:
    if not 1 <= clients <= number:
        raise ExperimentError(
            f"{number} examples cannot be dealt out to {clients} clients: every client needs one"
        )


def _check_concentration(concentration: float) -> None:
    if not (np.isfinite(concentration) and concentration > 0):
        raise ExperimentError(f"a concentration is a positive number, not {concentration!r}")
